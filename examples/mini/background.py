"""The training of sticker-mini 3 beside other work: one thread, the lowest priority, outside the checkout.

python examples/mini/background.py start         goes on where it was; whatever is missing is fetched, rendered and drawn first
python examples/mini/background.py status        whether it runs, its step, its loss
python examples/mini/background.py stop          with a checkpoint
python examples/mini/background.py candidate     its averaged weights into candidate/, as float16 with their step
python examples/mini/background.py model FOLDER  the same as a folder that `--model` takes, to be looked at and measured
python examples/mini/background.py renew         stop, and take the recipe of this checkout from the next start on

Everything lies in ~/.cache/sticker-mini-3 (MINI_HOME): a copy of the recipe as it was at the first start, so that nothing that moves
in the checkout touches a training; art, scenes and checkpoints. Where there is no checkpoint, or an older one, it goes on from
candidate/, else from what ships.
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

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("MINI_HOME", "~/.cache/sticker-mini-3")).expanduser()
RECIPE, LOG, PID, CHECKPOINT = (
    HOME / "recipe",
    HOME / "log.txt",
    HOME / "pid",
    HOME / "runs" / "v3" / "version_3.safetensors",
)
COPIED = (
    "examples/mini/*.py",
    "examples/mini/*.txt",
    "examples/bench/*.tsv",
    "examples/bench/wordings.txt",
    "stickerforge/models/mini/**/*",
)
PATIENCE = 180  # seconds that a stop may take: the step that it is in, and a checkpoint


def pin() -> None:
    """Copy the recipe and what it begins with; the candidate anew each time."""
    top = HERE.parent.parent
    if HERE.is_relative_to(HOME):
        return
    if not RECIPE.exists():
        fresh = HOME / "recipe.partial"
        shutil.rmtree(fresh, ignore_errors=True)
        for path in (path for pattern in COPIED for path in top.glob(pattern) if path.is_file()):
            target = fresh / path.relative_to(top)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        fresh.rename(RECIPE)
    shutil.rmtree(RECIPE / "examples" / "mini" / "candidate", ignore_errors=True)
    if (HERE / "candidate").exists():
        shutil.copytree(
            HERE / "candidate", RECIPE / "examples" / "mini" / "candidate", dirs_exist_ok=True
        )


def running() -> int:
    """The process that trains; 0 for none."""
    try:
        pid = int(PID.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return pid if b"background.py" in command else 0


def start() -> None:
    """Go on in a process of its own."""
    if running():
        print(f"it runs already: {HOME}")
        return
    HOME.mkdir(parents=True, exist_ok=True)
    pin()
    one = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    places = {
        "MINI_HOME": str(HOME),
        "MINI_DATA": str(HOME / "data"),
        "MINI_RUNS": str(HOME / "runs"),
    }
    script = RECIPE / "examples" / "mini" / "background.py"
    command = ["nice", "-n", "19", sys.executable, str(script), "work"]
    with LOG.open("a") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **one, **places, "OMP_WAIT_POLICY": "PASSIVE"},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=HOME,
        )
    PID.write_text(str(process.pid))
    with contextlib.suppress(
        OSError
    ):  # Linux shares the cores between sessions first: by itself, nice counts only within one
        Path(f"/proc/{process.pid}/autogroup").write_text("19")
    print(f"started: {HOME}, log {LOG}")


def work() -> None:
    """Everything that is missing, and then the training, in this process."""
    import art
    import fetch
    import version_3
    from settings import DATA

    for folder, package in fetch.PACKAGES.items():
        fetch.fetch(folder, package)
    if not (DATA / "subjects.json").exists() or not (DATA / "sprites.npy").exists():
        art.write(DATA / "sprites.npy", workers=1)
    version_3.train(1_000_000_000, version_3.BATCH, version_3.MINUTES, version_3.RATE)


def stop() -> None:
    """Have it write a checkpoint and end."""
    pid = running()
    if not pid:
        print("it does not run")
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    ended = time.monotonic() + PATIENCE
    while running() and time.monotonic() < ended:
        time.sleep(0.2)
    if running():
        raise SystemExit(
            f"process {pid} has not ended after {PATIENCE} s: its last checkpoint stays whole if you kill it"
        )
    PID.unlink(missing_ok=True)
    status()


def status() -> None:
    """Say whether it runs, and how far it is."""
    from weights import step_of

    print(f"{'runs' if running() else 'does not run'}: {HOME}")
    if CHECKPOINT.exists():
        age = (time.time() - CHECKPOINT.stat().st_mtime) / 60
        print(f"checkpoint of step {step_of(CHECKPOINT)}, {age:.0f} minutes old")
    if LOG.exists():
        print("".join(LOG.read_text().splitlines(keepends=True)[-3:]), end="")


def candidate() -> None:
    """Write the averaged weights of the newest checkpoint into candidate/ of this checkout."""
    from weights import CANDIDATE, write_candidate

    if not CHECKPOINT.exists():
        raise SystemExit(f"there is no {CHECKPOINT}: start first")
    print(f"step {write_candidate(CHECKPOINT)} in {CANDIDATE}")


def model(folder: Path) -> None:
    """Write a diffusers folder with the averaged weights of the newest checkpoint in place of those that ship."""
    import json
    from itertools import chain

    from transformers import CLIPTextModel

    from art import kinds
    from lessons_3 import everyday
    from package import SHARD, finish_text_encoder, sums
    from settings import MODEL
    from training import load
    from weights import shipped, step_of

    if not CHECKPOINT.exists() or folder.exists():
        raise SystemExit(
            f"there is {'no ' if not CHECKPOINT.exists() else ''}{folder if CHECKPOINT.exists() else CHECKPOINT}"
        )
    weights = shipped()
    load(CHECKPOINT, {"mean": weights})
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("README.md"))
    for part in ("unet", "text_encoder"):
        shutil.rmtree(folder / part)
    weights["unet"].half().save_pretrained(folder / "unet", max_shard_size=SHARD)
    text: CLIPTextModel = weights["text"]
    text.half().save_pretrained(folder / "text_encoder")
    finish_text_encoder(folder / "text_encoder")
    names = [*kinds(3), *chain.from_iterable(chain(*both) for both in everyday().values())]
    words = sorted({*" ".join(names).lower().split(), *(folder / "words.txt").read_text().split()})
    (folder / "words.txt").write_text("\n".join(words) + "\n")
    card = json.loads((folder / "stickerforge.json").read_text())
    card |= {"version": f"3-step-{step_of(CHECKPOINT)}", "files": sums(folder)}
    (folder / "stickerforge.json").write_text(json.dumps(card, indent=1) + "\n")
    print(f"step {step_of(CHECKPOINT)} in {folder}")


def renew() -> None:
    """Forget the copy of the recipe; art, scenes and checkpoints stay."""
    if running():
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
