"""Kill customize at random moments, again and again: does anything break, does everything resume?

python -m examples.experiments.crash_recovery [--kills 30] [--seed 0]

Draws a few pictures, runs customize undisturbed once, then again and again: each run is killed
(SIGKILL, SIGTERM or SIGINT) after a random time, resumed, perhaps killed again, until it ends.
Counted: adapters that are there but cannot be read, runs that neither resume nor start over
cleanly, adapters that differ from the undisturbed one.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

STOPPED = (130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)  # how a stopped run may end
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def write_pictures(folder: Path) -> Path:
    """Three small drawings."""
    folder.mkdir(parents=True)
    for index, colour in enumerate(("#c03a2b", "#2b6ac0", "#3aa04b")):
        picture = Image.new("RGBA", (160, 160))
        ImageDraw.Draw(picture).ellipse((20, 30, 140 - 10 * index, 150), fill=colour)
        picture.save(folder / f"{index}.png")
    return folder


def run_command(
    home: Path, *arguments: str, wait: float | None = None, number: int = 0
) -> tuple[int, str]:
    """Run stickerforge; after `wait` seconds it gets the signal. Returns (exit code, stderr)."""
    environment = os.environ | {"STICKERFORGE_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "stickerforge", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, err = process.communicate(timeout=wait)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        _, err = process.communicate()
    return process.returncode, err


def adapter_digest(home: Path) -> str:
    """Of the adapter's files, as `adapters show` has verified them.

    "" where it is broken or missing.
    """
    if run_command(home, "adapters", "show", "blob")[0]:
        return ""
    paths = sorted((home / "adapters" / "blob").glob("*.safetensors"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def main(kills: int, seed: int, steps: int) -> int:
    """Print what was counted; 1 where anything broke."""
    rng, place = random.Random(seed), Path(tempfile.mkdtemp(prefix="stress-"))
    teach = [
        "customize",
        str(write_pictures(place / "art")),
        "--subject",
        "blob",
        "--steps",
        str(steps),
        "--batch",
        "2",
        "--rank",
        "2",
    ]
    teach += ["--set", "preview.count=0", "--set", "training.save_every=3", "--offline"]
    started = time.monotonic()
    assert run_command(place / "whole", *teach)[0] == 0
    length, expected = time.monotonic() - started, adapter_digest(place / "whole")
    counts = {
        "kills": 0,
        "resumed": 0,
        "started over": 0,
        "too late": 0,
        "broken": 0,
        "stuck": 0,
        "different": 0,
    }
    while counts["kills"] < kills:
        home = place / "home"
        shutil.rmtree(home, ignore_errors=True)
        code, err = run_command(
            home, *teach, wait=rng.uniform(0.05, length), number=rng.choice(SIGNALS)
        )
        while code != 0:
            counts["kills"] += 1
            if code not in STOPPED:
                counts["stuck"] += 1
                print(f"exit {code}: {err.strip()[-300:]}")
                break
            if (home / "adapters" / "blob" / "adapter.json").exists() and not adapter_digest(home):
                counts["broken"] += 1
            unfinished = (home / "runs" / "blob" / "checkpoint.json").exists()
            finished = (home / "adapters" / "blob" / "adapter.json").exists() and not unfinished
            if finished:
                counts["too late"] += 1
                break
            counts["resumed" if unfinished else "started over"] += 1
            again = rng.uniform(0.05, length) if rng.random() < 0.5 else None
            code, err = run_command(
                home,
                *teach,
                *(["--resume"] if unfinished else []),
                wait=again,
                number=rng.choice(SIGNALS),
            )
        if adapter_digest(home) != expected:
            counts["different"] += 1
    print(
        ", ".join(f"{name} {count}" for name, count in counts.items()),
        f"in {time.monotonic() - started:.0f} s",
    )
    shutil.rmtree(place)
    return int(bool(counts["broken"] or counts["stuck"] or counts["different"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    sys.exit(main(args.kills, args.seed, args.steps))
