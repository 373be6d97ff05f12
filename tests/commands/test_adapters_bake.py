"""A mixture from the command line: drawn with, shown, and baked into plain LoRAs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.adapters import store
from stickerforge.adapters.lora_layers import attach_lora
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.adapters.mixture import attach_mixture, initial_mixture
from stickerforge.models.checksums import fingerprint
from stickerforge.models.registry import EMBEDDED, find_model
from tests.adapters.test_mixture import predicted, random_gates, random_lora
from tests.conftest import one_line
from tests.training.setups import model_of

MINI = EMBEDDED["sticker-mini"]


def mixture_for(model):
    """Two small LoRAs for a loaded model, with gates that are not trained."""
    parents = {
        own: {
            layer: replace(factors, up=factors.up * 0.2)
            for layer, factors in random_lora(model, rank, rank).items()
        }
        for rank, own in ((2, "fit"), (3, "style"))
    }
    return initial_mixture(model, parents, 1.0)


def install(card, weights, name="mixed", base=None):
    place = card.name if card.folder == MINI else str(card.folder.resolve())
    base = base or store.Base(place, card.version, fingerprint(card.folder))
    about = {"kind": "mixture", "base": base, "tokens": {}, "phrase": "", "made": {"steps": 4}}
    listed = [{"name": own, "weight": 1.0, "sha256": "0" * 64} for own in weights.names]
    return store.save(name, weights, **about, parents=listed)


@pytest.fixture(scope="module")
def of_mini():
    return mixture_for(model_of("sticker-mini"))


@pytest.fixture
def mini(cli, of_mini):
    install(find_model("sticker-mini"), random_gates(of_mini))
    return cli


def pictures(ended):
    assert ended.code == 0, ended.out + ended.err
    files = [output["path"] for output in ended.outputs]
    return [np.asarray(Image.open(path).convert("RGBA"), dtype=float) for path in files]


def draw(cli, out, *more):
    return cli("generate", "--steps", 2, "--size", 128, "--out", out, "--json", *more)


def test_it_draws_and_a_prompt_comes_out_alike_in_any_company(mini, tmp_path):
    rows = [{"prompt": "cat", "seed": 1, "id": "c"}, {"prompt": "red car", "seed": 2, "id": "r"}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    together = draw(mini, "both", "--prompts", "p.jsonl", "--adapter", "mixed")
    cat, car = pictures(together)
    (alone,) = pictures(draw(mini, "one", "red car", "--seed", 2, "--adapter", "mixed"))
    assert np.array_equal(car, alone)
    (base,) = pictures(draw(mini, "base", "cat", "--seed", 1))
    (off,) = pictures(draw(mini, "off", "cat", "--seed", 1, "--adapter", "mixed:0"))
    assert np.abs(cat - base).max() > 20 and np.abs(off - base).max() <= 1
    consistent = ("--adapter", "mixed", "--set", "sampling.consistency=0")
    (led,) = pictures(draw(mini, "led", "cat", "--seed", 1, *consistent))
    assert np.array_equal(led, base), "its base passes are without the mixture"
    folder = store.folder("mixed")
    by_path = draw(mini, "path", "cat", "--seed", 1, "--adapter", folder, "--dry-run")
    assert by_path.code == 0, "a folder of one is read as a mixture"


def test_untrained_it_draws_as_its_average_does(cli, of_mini):
    install(find_model("sticker-mini"), of_mini)
    ended = cli("adapters", "bake", "mixed", "--average", "--name", "mean", "--json")
    assert ended.json["result"]["shares"] == {"fit": 0.5, "style": 0.5}
    (ours,) = pictures(draw(cli, "a", "cat", "--seed", 1, "--adapter", "mixed"))
    (mean,) = pictures(draw(cli, "b", "cat", "--seed", 1, "--adapter", "mean"))
    (plain,) = store.folder("mixed").glob("lora-*.safetensors")
    (file,) = pictures(draw(cli, "c", "cat", "--seed", 1, "--adapter", plain))
    assert np.abs(ours - mean).max() <= 2 and np.abs(mean - file).max() <= 2


@pytest.mark.parametrize("family", ["tiny_sd", "tiny_sdxl"])
def test_a_baked_one_predicts_the_same_and_is_a_plain_lora(family, cli, request):
    folder = request.getfixturevalue(family)
    model = model_of(folder)
    weights = random_gates(mixture_for(model))
    install(model.card, weights)
    made = draw(cli, "made", "a cat", "--adapter", "mixed", "--set", "matting=none", "--seed", 1)
    assert made.code == 0, made.out + made.err
    ended = cli(
        *("adapters", "bake", "mixed", "--prompt", "a cat", "--timestep", 400, "--name", "plain"),
        *("--json", "--offline"),
    )
    assert ended.code == 0, ended.out
    result = ended.json["result"]
    adapter = store.find("plain")
    assert adapter.kind == result["kind"] == "tuned" and adapter.made["timestep"] == 400
    assert result["parents"] == adapter.parents and adapter.parents[0]["name"] == "mixed"
    assert sum(result["shares"].values()) == pytest.approx(1, abs=1e-5)
    at, prompt = torch.tensor(400), ["a cat"]
    mixed = attach_mixture(model, "mixed", weights, "mixed")
    mixed.activate(1.0)
    expected = predicted(model, prompt, at)
    mixed.deactivate()
    lora = AdapterWeights(store.read_weights(adapter).lora)
    attach_lora(model, "plain", lora, "plain").activate(1.0)
    torch.testing.assert_close(predicted(model, prompt, at), expected, rtol=0, atol=1e-5)


def test_what_is_shown_and_a_dry_run(mini):
    shown = mini("adapters", "show", "mixed", "--json").json["result"]
    assert shown["kind"] == "mixture" and shown["ranks"] == [2, 3] and shown["temperature"] == 1.0
    assert "gates for LoRAs of rank 2, 3" in mini("adapters", "show", "mixed").out
    call = ("adapters", "bake", "mixed", "--prompt", "a cat", "--timestep", 5, "--name", "plain")
    planned = mini(*call, "--dry-run", "--json").json["result"]
    assert planned["writes"] == [str(store.folder("plain"))] and not store.exists("plain")
    assert len(planned["reads"]) == 3
    ended = mini(*call, "--quiet")
    (path,) = [line for line in ended.out.splitlines() if line]
    assert path == str(store.find("plain").path) and not ended.err
    again = one_line(mini(*call))
    assert "there is an adapter 'plain' already" in again
    assert mini(*call, "--force").code == 0
    listed = mini("adapters", "list", "--json").json["result"]["adapters"]
    assert {row["name"]: row["kind"] for row in listed} == {"mixed": "mixture", "plain": "tuned"}


FOR_A_CAT = ("--prompt", "a cat", "--timestep")


BAD_CALLS = [
    (["mixed", "--name", "x"], "nothing says what to bake; give --prompt and --timestep, or"),
    (["mixed", "--prompt", "a cat", "--name", "x"], "no timestep given; give --timestep"),
    (["mixed", "--timestep", "3", "--name", "x"], "--prompt: the prompt is empty"),
    (["mixed", "--prompt", " ", "--timestep", "3", "--name", "x"], "the prompt is empty"),
    (["mixed", "--prompt", "a\x00", "--timestep", "3", "--name", "x"], "control character"),
    (
        ["mixed", *FOR_A_CAT, "1000", "--name", "x"],
        "no timestep 1000; give --timestep 0 to",
    ),
    (["mixed", *FOR_A_CAT, "-1", "--name", "x"], "has no timestep -1"),
    (["mixed", *FOR_A_CAT, "3", "--average", "--name", "x"], "--average is for every prompt"),
    (["mixed", *FOR_A_CAT, "3"], "the LoRA has no name; give --name NAME"),
    (["mixed", *FOR_A_CAT, "3", "--name", "A b"], "'A b' cannot be a name"),
    (["mixed", *FOR_A_CAT, "3", "--name", "mixed"], "is the mixture's own name"),
    (["mixed", *FOR_A_CAT, "3", "--name", "sticker"], "is the name of a preset"),
    (["mixxed", *FOR_A_CAT, "3", "--name", "x"], "there is no adapter 'mixxed'"),
    (["a/b", *FOR_A_CAT, "3", "--name", "x"], "'a/b' is no adapter's name"),
    (["", *FOR_A_CAT, "3", "--name", "x"], "cannot be a name"),
    (["mixed", *FOR_A_CAT, "3", "--name", "x", "--model", "gone/"], "gone"),
]


def test_calls_that_cannot_work(mini):
    for arguments, message in BAD_CALLS:
        ended = mini("adapters", "bake", *arguments)
        assert ended.code == 2 and message in one_line(ended), (arguments, ended)
    assert store.names() == ["mixed"]


def test_other_kinds_and_other_models_are_refused(mini, tiny_sd):
    assert mini("adapters", "bake", "mixed", "--average", "--name", "mean").code == 0
    ended = mini("adapters", "bake", "mean", "--average", "--name", "x")
    assert "'mean' is of kind 'tuned', and only a mixture" in one_line(ended)
    call = ("adapters", "bake", "mixed", *FOR_A_CAT, 3, "--name", "x")
    assert "was made for sticker-mini@" in one_line(mini(*call, "--model", tiny_sd))
    ended = draw(mini, "out", "a cat", "--adapter", "mixed", "--model", tiny_sd)
    assert ended.code == 2 and "was made for sticker-mini@" in ended.json["error"]["message"]
    moved = store.Base("/nowhere/model", "", fingerprint(tiny_sd))
    install(find_model(str(tiny_sd)), mixture_for(model_of(tiny_sd)), "moved", base=moved)
    call = ("adapters", "bake", "moved", *FOR_A_CAT, 3, "--name", "x")
    assert "is no longer in /nowhere/model; give --model" in one_line(mini(*call))
    assert mini(*call, "--model", tiny_sd).code == 0


def test_a_damaged_mixture_is_said(mini):
    adapter = store.find("mixed")
    adapter.path.write_bytes(adapter.path.read_bytes()[:-4] + b"\0\0\0\0")
    call = ("adapters", "bake", "mixed", "--average", "--name", "x")
    assert "damaged" in one_line(mini(*call))
    assert not store.exists("x")
