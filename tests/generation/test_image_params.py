"""Names of files hang on a digest of everything that decides an image.

Twenty calls keep theirs, whatever is moved or renamed here. They change with the weights of
sticker-mini and with a version of finishing (EDGES, METHOD of flat colours), and only then may the
names below be replaced by those that a failure prints.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stickerforge.adapters import store
from stickerforge.config.schema import OutputConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.data.prompts import PromptRow
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.flat_style import flat_palette, flat_style
from stickerforge.generation.image_params import (
    CallParams,
    file_slug,
    image_jobs,
    public_params,
)
from stickerforge.generation.requests import Request
from stickerforge.models.registry import find_model

NAMES = {
    "dog": ("dog-3-38698ad4.png", "dog-4-10c21434.png"),
    "dog --style sticker": ("dog-3-58fc3694.png", "dog-4-dd05e386.png"),
    "dog --style flat": ("dog-3-e485319a.png", "dog-4-3f67e66e.png"),
    "dog --style noto": ("dog-3-07f16160.png", "dog-4-784f7bb7.png"),
    "dog --style twemoji": ("dog-3-71a59eb8.png", "dog-4-eada3e37.png"),
    "dog --negative grass": ("dog-3-346fb4c8.png", "dog-4-3ae6cbda.png"),
    "dog --size native": ("dog-3-0fed5a8d.png", "dog-4-3ff918a0.png"),
    "dog --size 256": ("dog-3-e7771181.png", "dog-4-99036048.png"),
    "dog --format webp": ("dog-3-de468c25.webp", "dog-4-d9775d3b.webp"),
    "dog --steps 5": ("dog-3-fc2b04ae.png", "dog-4-a0da42de.png"),
    "dog --guidance 3.5": ("dog-3-4979284b.png", "dog-4-6aa1d027.png"),
    "dog --set sampling.scheduler=dpm++": ("dog-3-4028a9b5.png", "dog-4-29f81600.png"),
    "dog --set sampling.guidance_rescale=0.5": ("dog-3-112d2f4a.png", "dog-4-905d54c5.png"),
    "dog --set output.colours=flat": ("dog-3-62872ddb.png", "dog-4-f3630746.png"),
    "dog --set output.colours=drawn": ("dog-3-197c6edd.png", "dog-4-874fab23.png"),
    "dog --set output.prompt=false": ("sticker-3-38698ad4.png", "sticker-4-10c21434.png"),
    "dog --set matting=none": ("dog-3-cfa4de68.png", "dog-4-7f135dba.png"),
    "dog on a blue background": (
        "dog-on-a-blue-background-3-c54ced68.png",
        "dog-on-a-blue-background-4-e086d9cc.png",
    ),
    "dog in flat style": ("dog-in-flat-style-3-e96118b6.png", "dog-in-flat-style-4-ae56e247.png"),
    "Çà et là, 猫 cat!": ("ca-et-la-cat-3-4a396a47.png", "ca-et-la-cat-4-37861a42.png"),
}


@pytest.mark.parametrize("call", NAMES)
def test_twenty_calls_keep_the_names_of_their_files(cli, call):
    prompt, *options = call.split(" --", 1)
    words = f"--{options[0]}".split(" ") if options else []
    ended = cli("generate", prompt, *words, "--seed", 3, "--count", 2, "--dry-run", "--json")
    writes = [path.split("/")[-1] for path in json.loads(ended.out)["result"]["writes"]]
    assert tuple(writes[:2]) == NAMES[call]


@pytest.mark.parametrize(
    ("style", "text", "expected"),
    [
        ("", "cat, in flat style", "flat"),
        ("flat", "cat", "flat"),
        ("sticker", "cat, in flat style", ""),
        ("twemoji", "cat in flat style", "twemoji"),
        ("mine", "cat, in flat style", ""),
        ("", "cat", ""),
    ],
)
def test_which_style_decides_whether_colours_are_flat(style, text, expected):
    card = find_model("sticker-mini")
    request = Request(PromptRow("cat"), text, "", style, style_presets().get(style), ())
    assert flat_style(request, text, card) == expected
    if style:  # an adapter of that name decides how its style looks
        adapter = ActiveAdapter(style, 1.0, Path(), "", phrase="in it")
        assert flat_style(replace(request, adapters=(adapter,)), text, card) == ""


def call(**changes):
    card = find_model("sticker-mini")
    sampling = {"steps": 2, "guidance": 4.0, "consistency": 2.0, "consistency_start": 0.1}
    known = {"fingerprint": "0" * 16, "sampling": sampling, "output": OutputConfig()}
    return CallParams(card, **known | changes)


def request(prompt="cat", adapters=(), **columns):
    return Request(PromptRow(prompt, **columns), prompt, "", "", None, adapters)


def test_seeds_are_those_of_the_row_or_run_through_the_call():
    requests = [request("cat"), request("dog", seed=5, count=3), request("cat"), request("cat")]
    jobs = image_jobs(requests, call(), seed=9, count=2)
    assert [job.seed for job in jobs] == [9, 10, 5, 6, 7, 11, 12, 13, 14]
    twice = image_jobs([request("dog", seed=5)] * 2, call(), seed=9, count=1)
    assert len(twice) == 1, "the same row again is the same image"


def test_an_id_names_the_file_and_must_be_free():
    jobs = image_jobs([request(id="a"), request(id="b", count=2)], call(), seed=1, count=1)
    assert [job.path for job in jobs] == [Path("stickers", f"{n}.png") for n in ("a", "b-2", "b-3")]
    for rows in ([request(id="contact-sheet")], [request(id="a", seed=1), request(id="a", seed=2)]):
        with pytest.raises(InputError, match="which is taken"):
            image_jobs(rows, call(output=OutputConfig(format="webp")), seed=1, count=1)


def test_what_does_not_change_pixels_does_not_change_the_name():
    def digest(**changes):
        return image_jobs([request()], call(**changes), seed=1, count=1)[0].digest

    assert digest() == digest(adapters=("x/dog.safetensors",), subjects=("dog",))
    assert digest() == digest(output=OutputConfig(folder="elsewhere", sheet=False, columns=3))
    changes = [{"matting": "none"}, {"fingerprint": "1" * 16}, {"output": OutputConfig(size=0)}]
    assert len({digest(), *(digest(**change) for change in changes)}) == 4


def test_consistency_counts_where_an_adapter_is_in_use():
    base = store.Base("sticker-mini", "1", "0" * 16)
    dog = ActiveAdapter("dog", 1.0, "1" * 64, base, ("<dog>",), ("dog",))
    file = replace(dog, source="x/dog.safetensors", base=None)
    plain, adapted, own = (
        image_jobs([request("a <dog>", adapters)], call(), seed=1, count=1)[0]
        for adapters in ((), (dog,), (file,))
    )
    assert plain.params["sampling"] == {"steps": 2, "guidance": 4.0}
    assert set(adapted.params["sampling"]) > {"consistency", "consistency_start"}
    short = {"scale": 1.0, "sha256": "1" * 16}
    assert adapted.params["adapters"] == [{"adapter": "dog", **short}]
    assert own.params["adapters"] == [{"adapter": "dog.safetensors", **short, "words": ["dog"]}]
    assert adapted.in_base_words("a <dog> and a cat") == "a dog and a cat"


@pytest.mark.parametrize(
    ("text", "colours", "inks"),
    [
        ("cat in flat style", "auto", True),
        ("cat in flat style", "drawn", None),
        ("cat", "auto", None),
        ("cat", "flat", False),
    ],
)
def test_flat_colours_take_the_inks_of_their_style(text, colours, inks):
    card = find_model("sticker-mini")
    palette = flat_palette(request(text), text, card, OutputConfig(colours=colours))
    assert palette == {True: card.inks["flat"], False: (), None: None}[inks]


def test_an_image_can_forget_its_prompt():
    job = image_jobs([request("secret")], call(), seed=1, count=1)[0]
    assert public_params(job.params, prompt=True) == job.params
    public = public_params(job.params, prompt=False)
    assert "secret" not in json.dumps(public) and public["seed"] == 1


def test_a_slug_is_short_and_plain():
    assert file_slug("Ça va?  Naïve CAFÉ!") == "ca-va-naive-cafe"
    assert file_slug("猫") == "sticker"
    assert len(file_slug("very long prompt " * 9)) <= 48


@pytest.mark.parametrize(
    "requests", [[request(count=4)], [request(str(number)) for number in range(4)]]
)
def test_a_call_has_a_limit_of_images(monkeypatch, requests):
    monkeypatch.setattr("stickerforge.generation.image_params.MAX_IMAGES", 3)
    with pytest.raises(InputError, match="would make 4 pictures; make at most 3"):
        image_jobs(requests, call(), seed=1, count=1)


def test_the_base_is_told_grammatical_words_and_names_change_only_where_its_text_does():
    base = store.Base("sticker-mini", "1", "0" * 16)

    def job(words, consistency=1.0, prompt="a <dog>"):
        dog = ActiveAdapter("dog", 1.0, "1" * 64, base, ("<dog>",), (words,))
        settings = call()
        sampling = dict(settings.sampling) | {"consistency": consistency}
        own = replace(settings, sampling=sampling)
        return image_jobs([request(prompt, (dog,))], own, seed=1, count=1)[0]

    assert job("animal").in_base_words("a <dog>") == "an animal"
    assert job("animal").params["base"][0] == "an animal"
    assert job("owl", prompt="two <dog>").params["base"][0] == "two owls"
    assert "base" not in job("dog").params, "the same text as ever, and so the same file"
    assert "base" not in job("animal", consistency=None).params, "nobody asks the base"
    assert job("animal").path != job("animal", consistency=None).path
    assert "base" not in public_params(job("animal").params, prompt=False), "it tells the prompt"
