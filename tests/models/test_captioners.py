"""The embedded captioner on painted pictures, and image-text models of transformers against their own generation."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.evaluation.appearance import GroundSeen
from stickerforge.models.captioners import Embedded, ImageText, Seen, captioner, tidied, told
from stickerforge.runtime.messages import Messages

CLEAR = GroundSeen("clear", (), np.ones((4, 4), bool))


def ground(kind, *colours):
    return GroundSeen(kind, colours, np.ones((4, 4), bool))


def seen(**changes):
    known = {"things": ("cat face",), "count": 1, "style": "flat", "drawn": True, "colours": ("brown", "white"), "ground": CLEAR}
    return Seen(**known | {"size": "", "place": ""} | changes)


@pytest.mark.parametrize(
    ("one", "words", "form", "said"),
    [
        (seen(), "", "long", "a brown and white cat, in flat style"),
        (seen(), "", "short", "a cat, in flat style"),
        (seen(), "", "tags", "cat, brown, white, flat style"),
        (seen(ground=ground("plain", "pale blue")), "dog", "long", "a brown and white dog, on a pale blue background, in flat style"),
        (seen(count=3, ground=ground("fading", "red", "pink"), style=""), "", "long",
         "three cats, on a background that fades from red to pink"),
        (seen(things=("cat face", "house"), count=2), "", "long", "a cat and a house, in flat style"),
        (seen(size="small", place="at the top left", colours=()), "apple", "long", "a small apple at the top left, in flat style"),
        (seen(drawn=False, style="", ground=ground("busy", "green", "grey"), colours=()), "dog", "long",
         "a photo of a dog, on a green and grey background"),
        (seen(drawn=False, style="", size="close-up", colours=("orange",)), "dog", "long", "a close-up photo of an orange dog"),
        (seen(drawn=False, style="", size="close-up", ground=ground("busy", "green")), "dog", "tags",
         "dog, brown, white, close-up, green background, photo"),
    ],
)  # fmt: skip
def test_what_is_said_of_what_is_seen(one, words, form, said):
    assert told(one, words, form, one.colours) == said


def test_colours_that_all_pictures_share_belong_to_the_subject():
    blue, red = (Image.new("RGB", (64, 64), ground) for ground in ("#4a86e2", "#e23c3c"))
    for picture in (blue, red):
        picture.paste("#fcd450", (16, 16, 48, 48))
    first, second = Embedded().captions([blue, red], "toy", "long")
    assert "yellow" not in first + second and "on a blue background" in first and "on a red background" in second
    (alone,) = Embedded().captions([blue], "toy", "long")
    assert "yellow toy" in alone, "of one picture nobody knows what belongs to it"


@pytest.mark.parametrize("kind", ["vlm", "blip", "florence"])
def test_an_image_text_model_says_what_it_generates(kind, request):
    folder = request.getfixturevalue(kind)
    used = captioner(str(folder), device="cpu", offline=True, messages=Messages(quiet=True))
    assert isinstance(used, ImageText) and used.name == folder.name
    assert used.kind == {"vlm": "chat", "blip": "blip", "florence": "florence2"}[kind]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
    said = used.said(picture, "cat", "short")
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder).eval()
    if kind == "vlm":
        text = "USER: <image> Describe the cat in this picture in at most eight words. ASSISTANT:"
        inputs = processor(images=picture, text=text, return_tensors="pt")
    else:
        inputs = processor(images=picture, return_tensors="pt", **({"text": "<CAPTION>"} if kind == "florence" else {}))
    with torch.no_grad():
        made = model.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=24)[0]
    made = made[inputs["input_ids"].shape[1] :] if kind == "vlm" else made
    assert said == processor.tokenizer.decode(made, skip_special_tokens=True)
    assert list(used.captions([picture], "cat", "short")) == [tidied(said, "short")]


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        ("The image shows a brown dog.", "a brown dog"),
        ("This picture depicts  a dog\non grass. ", "a dog on grass"),
        ("Sure, here it is: In this image, we can see a dog", "a dog"),
        ('"a <b> dog"', "a b dog"),
        ("a dog " + "runs and " * 30 + "ends. Then more.", ("a dog " + "runs and " * 30 + "ends").strip()),
        ("", ""),
    ],
)
def test_answers_are_tidied(said, clean):
    assert tidied(said, "long") == clean


def test_what_is_no_image_text_model(clip, tmp_path):
    quiet = Messages(quiet=True)
    with pytest.raises(InputError, match="cannot be read"):
        captioner(str(clip), device="cpu", offline=True, messages=quiet)
    with pytest.raises(InputError, match="unknown captioner"):
        captioner("nonsense", device="cpu", offline=True, messages=quiet)
    with pytest.raises(EnvironmentFault, match="not in the cache"):
        captioner("somebody/some-model", device="cpu", offline=True, messages=quiet)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        captioner(str(tmp_path / "file"), device="cpu", offline=True, messages=quiet)
