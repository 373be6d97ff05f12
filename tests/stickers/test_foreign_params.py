"""What other programs write into pictures, in their forms, and what a stranger makes of them."""

import json
import time

import pytest
from PIL import Image, PngImagePlugin

from stickerforge.stickers.foreign_params import MAX_CHARACTERS, ForeignParams, parse_info
from stickerforge.stickers.image_files import read_foreign_params

KIN = "AUTOMATIC1111 or its kin"
SETTINGS = 'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Model: "a, b", Version: v1.9'
TEXTS = {  # a text in "parameters": (prompt, negative prompt, seed)
    f"a red apple\nNegative prompt: blurry\n{SETTINGS}": ("a red apple", "blurry", 42),
    "a cat": ("a cat", "", None),
    f"a cat\n{SETTINGS}": ("a cat", "", 42),
    f"a cat,\non a mat\nNegative prompt: dog,\nrain\n{SETTINGS}\nTemplate: x": (
        "a cat, on a mat",
        "dog, rain",
        42,
    ),
    f"a (red:1.3) cat \\(toy\\) <lora:toys_v2:0.8>, (soft)\n{SETTINGS}": (
        "a red cat (toy) , (soft)",
        "",
        42,
    ),
    f"Negative prompt: dog\n{SETTINGS}": ("", "dog", 42),
    "Steps: 20, Seed: -1": ("", "", None),
    "Steps: up the hill\nSteps: 9, Seed: 7": ("Steps: up the hill", "", 7),
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_automatic1111(text):
    found = parse_info({"parameters": text})
    assert (found.program, found.prompt, found.negative, found.seed) == (KIN, *TEXTS[text])


def test_what_is_not_taken_is_named():
    found = parse_info({"parameters": f"a cat <lora:toys:1>\n{SETTINGS}"})
    assert found.others[:3] == ("Steps 20", "Sampler Euler a", "CFG scale 7")
    assert found.others[3:] == ('Model "a, b"', "Version v1.9", "<lora:toys:1>")


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (
            {
                "invokeai_metadata": json.dumps(
                    {"positive_prompt": "a cat", "negative_prompt": "dog", "seed": 3, "steps": 9}
                )
            },
            ForeignParams("InvokeAI", "a cat", "dog", 3, ("steps",)),
        ),
        (
            {
                "Software": "NovelAI",
                "Comment": json.dumps({"prompt": "a cat", "uc": "dog", "seed": 3, "scale": 5}),
            },
            ForeignParams("NovelAI", "a cat", "dog", 3, ("scale",)),
        ),
        (
            {"parameters": json.dumps({"prompt": "a cat", "negative_prompt": "", "seed": "3"})},
            ForeignParams("Fooocus", "a cat", "", 3),
        ),
        (
            {"parameters": json.dumps({"sui_image_params": {"prompt": "a cat", "seed": 3}})},
            ForeignParams("SwarmUI", "a cat", "", 3),
        ),
        (
            {"prompt": json.dumps({"3": {"class_type": "KSampler", "inputs": {}}})},
            ForeignParams("ComfyUI", "", others=("workflow",)),
        ),
        ({"Title": "a holiday", "Software": "GIMP", "Comment": "{}"}, None),
        ({}, None),
    ],
)
def test_other_programs(info, expected):
    assert parse_info(info) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_CHARACTERS + 1),
        "{" * 100_000,
        '{"a":' * 50_000,
        "[1, 2]",
        '{"prompt": ["a"], "seed": {}, "negative_prompt": 3}',
        "(" * 100_000,
        "(a:" * 50_000,
        "<lora:" * 30_000,
        "a\nSteps: 1, " + 'k: "' * 40_000,
        "a\nSteps: 1, " + "k " * 90_000,
        "Steps: 1\n" * 20_000,
    ],
)
def test_a_strangers_text_takes_no_time_and_raises_nothing(text):
    started = time.monotonic()
    for info in ({"parameters": text}, {"invokeai_metadata": text}, {"workflow": text}):
        parse_info(info)
    parse_info({}, text)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("kind", ["WEBP", "JPEG"])
@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "a café\nSteps: 2, Seed: 5".encode("utf-16-be"),
        b"UNICODE\0" + "a café\nSteps: 2, Seed: 5".encode("utf-16-le"),
        b"ASCII\0\0\0" + "a café\nSteps: 2, Seed: 5".encode(),
    ],
)
def test_exif_holds_what_png_has_in_a_chunk(tmp_path, kind, comment):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    path = tmp_path / "picture"
    Image.new("RGB", (16, 16)).save(path, kind, exif=exif)
    found = read_foreign_params(path)
    assert (found.prompt, found.seed) == ("a café", 5)


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0"])
def test_broken_exif_says_nothing(tmp_path, exif):
    Image.new("RGB", (16, 16)).save(tmp_path / "picture.jpg", exif=exif)
    assert read_foreign_params(tmp_path / "picture.jpg") is None


def test_a_png_without_text_says_nothing(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Author", "somebody")
    Image.new("RGB", (16, 16)).save(tmp_path / "picture.png", pnginfo=chunks)
    assert read_foreign_params(tmp_path / "picture.png") is None
