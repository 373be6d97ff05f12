"""Hints lead on: what a refusal says to do is done, and works."""

import re
import shlex
import shutil

import pytest

from stickerforge.adapters import store
from stickerforge.config.schema import MAX_SEED
from stickerforge.models.checksums import fingerprint
from stickerforge.models.registry import EMBEDDED, find_model
from tests.adapters import test_store
from tests.conftest import one_line

# A call; its refusal; what that says to do, with \1 for what the refusal names.
FOLLOWED = [
    (
        "generate 'a <rex>'",
        r"teach it with stickerforge (customize) PICTURES --subject (\w+)",
        r"\1 art --subject \2",
    ),
    ("generate 'a <dgo>'", r"did you mean (<\w+>)", r"generate 'a \1'"),
    ("generate cat --style stiker", r"did you mean '(\w+)'", r"generate cat --style \1"),
    ("generate cat --style crayom", r"did you mean '(\w+)'", r"generate cat --style \1"),
    ("generate cat --style dig", r"known: (\w+), flat", r"generate cat --style \1"),
    ("generate 'a dog' --style dog", r"use (--subject \w+)", r"generate 'a dog' \1"),
    ("generate cat --subject crayon", r"use (--style \w+)", r"generate cat \1"),
    ("generate cat --subject odd", r"use (--adapter \w+)", r"generate cat \1"),
    ("generate cat --subject dog", r"for example (\"a <dog> cat\")", r"generate \1 --subject dog"),
    ("generate cat --adapter dgo", r"did you mean '(\w+)'", r"generate cat --adapter \1"),
    ("generate cat --model stiker-mini", r"did you mean '([\w-]+)'", r"generate cat --model \1"),
    ("generate cat --model sticker-mini@9", r"give (--model \S+)", r"generate cat \1"),
    ("generate cat --set sampling.steps", r"for example (--set \S+)", r"generate cat \1"),
    (
        "generate cat --set sampling.stpes=3",
        r"did you mean '([\w.]+)'",
        r"generate cat --set \1=3",
    ),
    (
        "generate cat --set sampling.pixels=100",
        r"of (\d+)",
        r"generate cat --set sampling.pixels=\1",
    ),
    ("generate", r"for example stickerforge (.*)", r"\1"),
    (
        "generate cat --steps 1 --init art/one.png",
        r"give (--steps \d+) or more",
        r"generate cat \1 --init art/one.png",
    ),
    (
        "generate cat --steps 1 --init art/one.png",
        r"or (init.strength=\S+)",
        r"generate cat --steps 1 --init art/one.png --set \1",
    ),
    (
        "generate cat --set init.mask=art/one.png",
        r"give (--init) FILE too",
        r"generate cat --set init.mask=art/one.png \1 art/one.png",
    ),
    (
        f"generate cat --count 3 --seed {MAX_SEED}",
        r"give (--seed \d+) or less",
        r"generate cat --count 3 \1",
    ),
    ("generate cat --device cuda", r"use (--device cpu)", r"generate cat \1"),
    ("customize art", r"either (--subject) NAME or --style NAME", r"customize art \1 blob"),
    ("customize art", r"either --subject NAME or (--style) NAME", r"customize art \1 blob"),
    ("customize art --style flat", r"give another (--name)", r"customize art --style flat \1 x"),
    ("customize art --style flat", r"or (--force) to have both", r"customize art --style flat \1"),
    (
        "customize art --subject blob --class ?",
        r"for example (--class \w+)",
        r"customize art --subject blob \1",
    ),
    (
        "customize art --subject blob --set training.resolution=100",
        r"a multiple of (\d+)",
        r"customize art --subject blob --set training.resolution=\1",
    ),
    ("merge dog crayon", r"give (--name) NAME", r"merge dog crayon \1 both"),
    ("merge dog crayon --name odd", r"or (--force) to replace", r"merge dog crayon --name odd \1"),
    ("merge dog --name dog-crayon", r"for example stickerforge (merge .*)", r"\1"),
    (
        "merge dog dog-2 --name both",
        r"for example (--rename \S+)",
        r"merge dog dog-2 --name both \1",
    ),
    ("caption art --class dog", r"give (--subject) NAME too", r"caption art --class dog \1 rex"),
    ("adapters show 'Dog!'", r"for example '(\w+)'", r"adapters show \1"),
    ("adapters remove dgo", r"did you mean '(\w+)'", r"adapters remove \1"),
    ("generate cat --adapter dig.safetensors", r"see `stickerforge ([\w ]+)`", r"\1"),
]


@pytest.fixture
def store_of_three(cli, art, monkeypatch):
    """The command line with a subject (twice), a style, and an adapter that is neither."""
    card = find_model("sticker-mini")
    base = store.Base("sticker-mini", card.version, fingerprint(EMBEDDED["sticker-mini"]))
    monkeypatch.setattr(test_store, "BASE", base)
    weights = store.read_weights(test_store.save("dog"))
    shutil.copytree(store.folder("dog"), store.folder("dog-2"))
    about = {"base": base, "tokens": {}, "made": {}, "kind": "style"}
    weights.tokens.clear()
    store.save("crayon", weights, phrase="in crayon style", **about)
    store.save("odd", weights, phrase="", **about)
    return cli


@pytest.mark.parametrize(("call", "refusal", "remedy"), FOLLOWED)
def test_what_a_hint_says_works(store_of_three, call, refusal, remedy):
    line = one_line(store_of_three(*shlex.split(call)))
    match = re.search(refusal, line)
    assert match, line
    leads_to = shlex.split(match.expand(remedy))
    dry = [] if leads_to[0] == "adapters" else ["--dry-run"]
    ended = store_of_three(*leads_to, *dry)
    assert ended.code == 0, f"{line}\n{leads_to}\n{ended.err}"
