"""A lap of sticker-mini 3 on a machine with a GPU and without a network: 25 minutes, weights back.

here   python -m examples.recipes.mini.gpu_lap pack [--out lap.tar]   at most 56 MB; needs the art
there  tar xf lap.tar -C /tmp && cd /tmp/lap                          outside of any checkout
there  python3 -m examples.recipes.mini.gpu_lap start                 begins in the background
there  python3 -m examples.recipes.mini.gpu_lap status                how far it is
there  python3 -m examples.recipes.mini.gpu_lap collect OUT           files under 15 MB each
here   python -m examples.recipes.mini.gpu_lap take OUT               the candidate, for all later

That machine needs Python 3.10 or newer with torch, transformers 5, safetensors, numpy, scipy,
scikit-image and pillow; the rest comes as wheels. All subjects are learned but for those that are
held out. Workers draw scenes for as long as the lap lasts; their latents stay on the GPU. A second
lap goes on from the first: take, pack, start.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from examples.recipes.mini.settings import CANDIDATE, HERE, MODEL

LAP = HERE.parents[2]  # the unpacked archive
OUT, LOG, SITE = LAP / "out", LAP / "log.txt", LAP / "site"
WHEELS = (
    "diffusers==0.42.1",
    "resvg-py==0.5.0",
    "importlib_metadata",
    "zipp",
    "requests",
    "urllib3",
    "idna",
    "certifi",
    "chardet<6",
)
TARGET = "--only-binary=:all: --no-deps --python-version 3.12 --implementation cp"
PLATFORMS = "--platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64"
LIMIT = 56_000_000  # bytes of the archive
MINUTES = 25.0


def copy_recipe(folder: Path) -> None:
    """The package, its word lists and the candidate, into the folder of an archive."""
    package = folder / HERE.relative_to(LAP)
    package.mkdir(parents=True)
    for pattern in ("*.py", "*.txt", "*.tsv"):
        for path in HERE.glob(pattern):
            shutil.copy2(path, package / path.name)
    for parent in HERE.parents[:2]:  # recipes, examples
        shutil.copy2(parent / "__init__.py", folder / parent.relative_to(LAP) / "__init__.py")
    if (CANDIDATE / "step.json").exists():
        shutil.copytree(CANDIDATE, package / CANDIDATE.name)


def copy_model(folder: Path) -> None:
    """What ships; without the weights that the candidate replaces, where there is one."""
    parts = ("unet", "text_encoder") if (CANDIDATE / "step.json").exists() else ()
    replaced = {path for part in parts for path in MODEL.glob(f"{part}/*.safetensors")}
    shutil.copytree(
        MODEL,
        folder / "model",
        ignore=lambda place, names: [name for name in names if Path(place, name) in replaced],
    )


def download_wheels(folder: Path) -> None:
    """WHEELS for Linux and Python 3.12, through pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", *TARGET.split()]
    command += [*PLATFORMS.split(), "--dest", str(folder), *WHEELS]
    subprocess.run(command, check=True)


def pack(out: Path) -> None:
    """Write the archive: recipe, weights, drawings, wheels.

    Raises:
        SystemExit: it is larger than LIMIT.
    """
    from examples.recipes.mini.art import pack_drawings

    folder = out.with_suffix(".partial")
    shutil.rmtree(folder, ignore_errors=True)
    copy_recipe(folder)
    copy_model(folder)
    pack_drawings(folder / "drawings.json.xz")
    download_wheels(folder / "wheels")
    with tarfile.open(out, "w") as tar:
        tar.add(folder, "lap")
    shutil.rmtree(folder)
    size = out.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{out} has {size / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f}")
    print(f"{out}: {size / 1e6:.1f} MB")


def environment() -> dict[str, str]:
    """Of the training process."""
    folders = {
        "MINI_DATA": str(LAP / "data"),
        "MINI_RUNS": str(LAP / "runs"),
        "MINI_MODEL": str(LAP / "model"),
    }
    return {
        **os.environ,
        **folders,
        "PYTHONPATH": str(SITE),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def start(arguments: list[str]) -> None:
    """Install the wheels beside the package, and begin in the background."""
    if not SITE.exists():
        wheels = map(str, sorted((LAP / "wheels").glob("*.whl")))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        command += ["--no-compile", "--target", str(SITE), *wheels]
        subprocess.run(command, check=True)
    with LOG.open("a") as log:
        subprocess.Popen(
            [sys.executable, "-m", "examples.recipes.mini.gpu_lap_training", *arguments],
            env=environment(),
            cwd=LAP,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    print(f"started: {LOG}")


def status(lines: int = 8) -> None:
    """The newest lines of its log."""
    text = LOG.read_text() if LOG.exists() else "it was not started\n"
    print("".join(text.splitlines(keepends=True)[-lines:]), end="")


def collect(target: Path) -> None:
    """Copy what is to come back, each file under 15 MB."""
    target.mkdir(parents=True, exist_ok=True)
    for path in [*sorted(OUT.glob("*")), LOG]:
        shutil.copy2(path, target / path.name)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def take(folder: Path) -> None:
    """Make the weights of a lap the candidate."""
    step = json.loads((folder / "step.json").read_text())["step"]
    CANDIDATE.mkdir(exist_ok=True)
    for path in [*sorted(folder.glob("weights-*.safetensors")), folder / "step.json"]:
        shutil.copy2(path, CANDIDATE / path.name)
    print(f"step {step} in {CANDIDATE}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("pack").add_argument("--out", type=Path, default=Path("lap.tar"))
    verbs.add_parser("start", help="further arguments are those of gpu_lap_training.py")
    verbs.add_parser("status")
    verbs.add_parser("collect").add_argument("folder", type=Path)
    verbs.add_parser("take").add_argument("folder", type=Path)
    args, more = parser.parse_known_args()
    if more and args.verb != "start":
        parser.error(f"unknown arguments: {' '.join(more)}")
    if args.verb == "pack":
        pack(args.out)
    elif args.verb == "start":
        start(more)
    elif args.verb == "status":
        status()
    else:
        (collect if args.verb == "collect" else take)(args.folder)
