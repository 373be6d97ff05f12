"""A lap of sticker-mini 3 on a machine with a GPU and without a network: everything it needs in one archive, 25 minutes, weights back.

here     python examples/mini/gpu_lap.py pack [--out lap.tar]           the archive, at most 56 MB; after fetch.py and art.py
there    tar xf lap.tar -C /tmp && cd /tmp/lap                        outside of any checkout
there    python3 mini/gpu_lap.py start                                  begins in the background of that machine
there    python3 mini/gpu_lap.py status                                 how far it is
there    python3 mini/gpu_lap.py collect OUT                            averaged weights, metrics and a sheet, in files under 15 MB
here     python examples/mini/gpu_lap.py take OUT                       the candidate that every further training goes on from

That machine needs Python 3.10 or newer with torch, transformers 5, safetensors, numpy, scipy, scikit-image and pillow; the rest comes as
wheels. All subjects are learned but for those that are held out. Workers draw scenes for as long as the lap lasts; their latents stay
on the GPU. A second lap goes on from the first: take, pack, start.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAP = HERE.parent  # the unpacked archive
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
LIMIT = 56_000_000  # bytes of the archive
MINUTES = 25.0


def packed_files(folder: Path) -> None:
    """Everything that the archive holds, into a folder: recipe, weights, drawings, wheels."""
    import art
    from settings import MODEL
    from weights import CANDIDATE

    for pattern in ("*.py", "*.txt"):
        for path in HERE.glob(pattern):
            (folder / "mini").mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / "mini" / path.name)
    (folder / "bench").mkdir()
    for path in [*(HERE.parent / "bench").glob("*.tsv"), HERE.parent / "bench" / "wordings.txt"]:
        shutil.copy2(path, folder / "bench" / path.name)
    candidate = (CANDIDATE / "step.json").exists()
    if candidate:
        shutil.copytree(CANDIDATE, folder / "mini" / "candidate")
    replaced = [f"{part}/*.safetensors" for part in ("unet", "text_encoder")] if candidate else []
    left_out = {path for pattern in replaced for path in MODEL.glob(pattern)}
    shutil.copytree(
        MODEL,
        folder / "model",
        ignore=lambda place, names: [name for name in names if Path(place, name) in left_out],
    )
    art.pack(folder / "drawings.json.xz")
    wheels = [
        "--only-binary=:all:",
        "--no-deps",
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
    ]
    platforms = [
        part
        for name in ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
        for part in ("--platform", name)
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        *wheels,
        *platforms,
        "--dest",
        str(folder / "wheels"),
        *WHEELS,
    ]
    subprocess.run(command, check=True)


def pack(out: Path) -> None:
    """Write the archive."""
    folder = out.with_suffix(".partial")
    shutil.rmtree(folder, ignore_errors=True)
    packed_files(folder)
    with tarfile.open(out, "w") as tar:
        tar.add(folder, "lap")
    shutil.rmtree(folder)
    size = out.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{out} has {size / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f}")
    print(f"{out}: {size / 1e6:.1f} MB")


def environment() -> dict[str, str]:
    """That every script of the lap runs in."""
    places = {
        "MINI_DATA": str(LAP / "data"),
        "MINI_RUNS": str(LAP / "runs"),
        "MINI_MODEL": str(LAP / "model"),
    }
    return {
        **os.environ,
        **places,
        "PYTHONPATH": str(SITE),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def start(arguments: list[str]) -> None:
    """Install the wheels beside the scripts, and begin in the background."""
    if not SITE.exists():
        wheels = map(str, sorted((LAP / "wheels").glob("*.whl")))
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--no-compile",
            "--target",
            str(SITE),
            *wheels,
        ]
        subprocess.run(install, check=True)
    with LOG.open("a") as log:
        subprocess.Popen(
            [sys.executable, str(HERE / "gpu_lap_training.py"), *arguments],
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
    print(
        "".join(LOG.read_text().splitlines(keepends=True)[-lines:])
        if LOG.exists()
        else "it was not started",
        end="",
    )


def collect(target: Path) -> None:
    """Copy what is to come back, each file under 15 MB."""
    target.mkdir(parents=True, exist_ok=True)
    for path in [*sorted(OUT.glob("*")), LOG]:
        shutil.copy2(path, target / path.name)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def take(folder: Path) -> None:
    """Make the weights of a lap the candidate."""
    from weights import CANDIDATE

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
