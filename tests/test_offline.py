"""--offline opens no socket, in any command; nor does loading what is here without it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from stickerforge.cli.app import app
from tests.tiny import write_tiny_image_adapter

ROOT = Path(__file__).parents[1]
# Runs command lines in one process, and notes every use of a socket: looking up a name, too.
RUNNER = """
import json, sys
events = []
current = []
def note(event, arguments):
    if event.startswith("socket."):
        events.append([current[-1], event, repr(arguments)[:80]])
sys.addaudithook(note)
from stickerforge.cli.app import main
codes = []
for line in json.loads(sys.argv[1]):
    current.append(line)
    try:
        main(line)
    except SystemExit as end:
        codes.append(end.code or 0)
with open(sys.argv[2], "w") as file:
    json.dump({"events": events, "codes": codes}, file)
"""
QUICK = {  # command line: its exit code
    "adapters list": 0,
    "models list": 0,
    "doctor": 0,
    "models show sticker-mini": 0,
    "models show somebody/else": 3,
    "generate --prompts prompts.csv --steps 1 --out made": 0,
    "generate --from made/a.png --out again": 0,
    "generate cat --steps 2 --init made/a.png --out varied": 0,
    "generate cat --steps 1 --model somebody/else": 3,
    "generate cat --steps 1 --model {sd}": 3,  # for its matting weights
    # for its image encoder
    "generate cat --steps 1 --model {sd} --set matting=none {ip} --image-prompt pictures/a.png": 3,
    "generate cat --image-prompt pictures/a.png": 0,
    "adapters export ip.safetensors exported --model {sd}": 0,
    "adapters export ip.safetensors other --model somebody/else": 3,
    "adapters bake gone --average --name x": 2,
    # for its ControlNet
    "generate cat --model {sd} --set matting=none --control edges:pictures/a.png {net}": 3,
    "generate cat --control edges:pictures/a.png": 2,
    "caption pictures --captioner somebody/else": 3,
    "caption pictures --subject dog": 0,
    "caption pictures --subject dog --review": 0,
    "customize pictures --style crayon --steps 1 --model somebody/else": 3,
    "tailor prompt --reward prompts.csv --name x --model somebody/else": 3,
    "tailor reward --prompts prompts.csv --name x --model somebody/else": 2,  # two prompts
    "tailor reward --prompts twelve.txt --name x --model somebody/else": 3,
    "tailor reward --prompts twelve.txt --name x --aspects pickscore": 3,
    "rate made": 0,
    "rate made --ratings gone.jsonl": 2,
    "tailor alpha pictures --name x --model somebody/else": 3,
    "tailor image pictures --name x --model somebody/else": 3,
    "tailor style --stage content --init-from model --name x --model somebody/else": 3,
    "evaluate made": 0,
    "evaluate made --encoder clip": 3,
    "evaluate made --reward pickscore": 3,
}
TEACH = "--steps 1 --batch 1 --rank 1 --set preview.count=1 --set training.prior_count=1"
SLOW = {
    f"customize pictures --subject dog {TEACH}": 0,
    f"customize pictures --style crayon {TEACH}": 0,
    "merge dog crayon --name both": 0,
    "generate dog --subject dog --steps 1": 0,
    "evaluate pictures --encoder {clip}": 0,
    "adapters show both": 0,
    "adapters remove both": 0,
}


def names_of(group):
    """Every command of the command line: ("generate",), ("adapters", "list"), ..."""
    group = typer.main.get_command(group)
    for name, item in group.commands.items():
        yield from ((name, inner) for inner in getattr(item, "commands", {})) or ()
        if not hasattr(item, "commands"):
            yield (name,)


@pytest.fixture(
    scope="module",
    params=[QUICK, pytest.param(SLOW, marks=pytest.mark.slow)],
    ids=["quick", "slow"],
)
def noted(request, tmp_path_factory, tiny_sd, clip):
    """What these commands did, with --offline each."""
    folder = tmp_path_factory.mktemp("offline")
    pictures = folder / "pictures"
    pictures.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in "ab":
        Image.fromarray(pixels).save(pictures / f"{name}.png")
    (folder / "prompts.csv").write_text("prompt,id\na cat,a\na dog,b\n")
    (folder / "twelve.txt").write_text("\n".join(f"a cat and {word}" for word in "bcdefghijklm"))
    write_tiny_image_adapter(folder / "ip.safetensors", tiny_sd, "base")
    ip = "--adapter ip.safetensors"
    names = {"sd": tiny_sd, "clip": clip, "ip": ip, "net": "--set control.model=somebody/else"}
    lines = {line.format(**names): code for line, code in request.param.items()}
    outcome = folder / "outcome.json"
    environment = {
        name: text
        for name, text in os.environ.items()
        if name not in {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}
    } | {
        "STICKERFORGE_HOME": str(folder / "home"),
        "REMBG_HOME": str(folder / "matting"),
        "U2NET_HOME": str(folder / "matting"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    calls = [[*line.split(), "--offline"] for line in lines]
    ended = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps(calls), str(outcome)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert outcome.exists(), ended.stderr
    return lines, json.loads(outcome.read_text()), ended


def test_no_command_opens_a_socket(noted):
    lines, outcome, ended = noted
    assert not outcome["events"]
    assert dict(zip(lines, outcome["codes"], strict=True)) == lines, ended.stderr


def test_every_command_is_tried():
    tried = [tuple(line.split()) for line in [*QUICK, *SLOW]]
    for name in names_of(app):
        assert any(line[: len(name)] == name for line in tried), name
