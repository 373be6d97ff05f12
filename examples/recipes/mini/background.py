"""The training of sticker-mini 3 beside other work: one thread, lowest priority, own folder.

python -m examples.recipes.mini.background start         go on; what is missing is made first
python -m examples.recipes.mini.background status        whether it runs, its step, its loss
python -m examples.recipes.mini.background stop          with a checkpoint
python -m examples.recipes.mini.background candidate     averaged weights into candidate/
python -m examples.recipes.mini.background model FOLDER  the same as `--model` takes them
python -m examples.recipes.mini.background renew         stop, and use this checkout's recipe next

Everything lies in ~/.cache/sticker-mini-3 (MINI_HOME): a copy of the recipe as it was at the first
start, so that nothing that moves in the checkout touches a training; art, scenes and checkpoints.
Where there is no checkpoint, or an older one, it goes on from candidate/, else from what ships.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from examples.recipes.mini.settings import CANDIDATE, DATA, HERE

ROOT = HERE.parents[2]  # of the checkout, or of the copy
HOME = Path(os.environ.get("MINI_HOME", "~/.cache/sticker-mini-3")).expanduser()
RECIPE, LOG, PID = HOME / "recipe", HOME / "log.txt", HOME / "pid"
CHECKPOINT = HOME / "runs" / "v3" / "version_3.safetensors"
COPIED = (
    "examples/__init__.py",
    "examples/recipes/__init__.py",
    "examples/recipes/mini/*.py",
    "examples/recipes/mini/*.tsv",
    "examples/recipes/mini/*.txt",
    "stickerforge/models/mini/**/*",
)
PATIENCE = 180  # seconds that a stop may take: the step that it is in, and a checkpoint


def copy_recipe() -> None:
    """Copy the recipe and what it begins with, unless it was copied; the candidate each time."""
    if HERE.is_relative_to(HOME):
        return
    package = HERE.relative_to(ROOT)
    if not (RECIPE / package).exists():
        partial = HOME / "recipe.partial"
        shutil.rmtree(partial, ignore_errors=True)
        for pattern in COPIED:
            for path in filter(Path.is_file, ROOT.glob(pattern)):
                target = partial / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        shutil.rmtree(RECIPE, ignore_errors=True)
        partial.rename(RECIPE)
    target = RECIPE / package / CANDIDATE.name
    shutil.rmtree(target, ignore_errors=True)
    if CANDIDATE.exists():
        shutil.copytree(CANDIDATE, target)


def running_pid() -> int:
    """The process that trains; 0 for none."""
    try:
        pid = int(PID.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return pid if b"background" in command else 0


def start() -> None:
    """Go on in a process of its own."""
    if running_pid():
        print(f"it runs already: {HOME}")
        return
    HOME.mkdir(parents=True, exist_ok=True)
    copy_recipe()
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    folders = {
        "MINI_HOME": str(HOME),
        "MINI_DATA": str(HOME / "data"),
        "MINI_RUNS": str(HOME / "runs"),
    }
    command = ["nice", "-n", "19", sys.executable, "-m", "examples.recipes.mini.background", "work"]
    with LOG.open("a") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **threads, **folders, "OMP_WAIT_POLICY": "PASSIVE"},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=RECIPE,
        )
    PID.write_text(str(process.pid))
    # Linux shares the cores between sessions first: by itself, nice counts only within one.
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text("19")
    print(f"started: {HOME}, log {LOG}")


def work() -> None:
    """Everything that is missing, and then the training, in this process."""
    from examples.recipes.mini import art, fetch, version_3

    for folder, package in fetch.PACKAGES.items():
        fetch.fetch(folder, package)
    if not (DATA / "subjects.json").exists() or not (DATA / "sprites.npy").exists():
        art.write_sprites(DATA / "sprites.npy", workers=1)
    version_3.train(1_000_000_000, version_3.BATCH, version_3.MINUTES, version_3.RATE)


def stop() -> None:
    """Have it write a checkpoint and end."""
    pid = running_pid()
    if not pid:
        print("it does not run")
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while running_pid() and time.monotonic() < deadline:
        time.sleep(0.2)
    if running_pid():
        raise SystemExit(
            f"process {pid} has not ended after {PATIENCE} s: "
            "its last checkpoint stays whole if you kill it"
        )
    PID.unlink(missing_ok=True)
    status()


def status() -> None:
    """Say whether it runs, and how far it is."""
    from examples.recipes.mini.checkpoint import checkpoint_step

    print(f"{'runs' if running_pid() else 'does not run'}: {HOME}")
    if CHECKPOINT.exists():
        age = (time.time() - CHECKPOINT.stat().st_mtime) / 60
        print(f"checkpoint of step {checkpoint_step(CHECKPOINT)}, {age:.0f} minutes old")
    if LOG.exists():
        print("".join(LOG.read_text().splitlines(keepends=True)[-3:]), end="")


def candidate() -> None:
    """Write the averaged weights of the newest checkpoint into candidate/ of this checkout."""
    from examples.recipes.mini.weights import write_candidate

    if not CHECKPOINT.exists():
        raise SystemExit(f"there is no {CHECKPOINT}: start first")
    print(f"step {write_candidate(CHECKPOINT)} in {CANDIDATE}")


def model(folder: Path) -> None:
    """Write a diffusers folder with the averaged weights of the newest checkpoint."""
    from examples.recipes.mini.package import write_checkpoint_model

    if not CHECKPOINT.exists():
        raise SystemExit(f"there is no {CHECKPOINT}: start first")
    if folder.exists():
        raise SystemExit(f"there is {folder} already")
    print(f"step {write_checkpoint_model(CHECKPOINT, folder)} in {folder}")


def renew() -> None:
    """Forget the copy of the recipe; art, scenes and checkpoints stay."""
    if running_pid():
        stop()
    shutil.rmtree(RECIPE, ignore_errors=True)
    print("the next start takes the recipe of this checkout")


if __name__ == "__main__":
    verbs = {
        "start": start,
        "status": status,
        "stop": stop,
        "candidate": candidate,
        "renew": renew,
        "work": work,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "verb", choices=[*verbs, "model"], metavar="start|status|stop|candidate|model|renew"
    )
    parser.add_argument("folder", type=Path, nargs="?", help="of model")
    args = parser.parse_args()
    if (args.verb == "model") != bool(args.folder):
        parser.error("model takes a folder, and nothing else does")
    if args.folder:
        model(args.folder)
    else:
        verbs[args.verb]()
