"""The embedded captioner on painted pictures, and image-text models of transformers against their own generation."""

import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from stickerforge.captioning.captioner import CaptionRequest
from stickerforge.captioning.embedded import Analysis, EmbeddedCaptioner, compose_caption
from stickerforge.captioning.image_analysis import Background
from stickerforge.captioning.image_text import ImageTextCaptioner, clean_caption
from stickerforge.captioning.loading import load_captioner
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.console import Console

CLEAR = Background("clear", (), np.ones((4, 4), bool))


def ground(kind, *colours):
    return Background(kind, colours, np.ones((4, 4), bool))


def seen(**changes):
    known = {
        "things": ("cat",),
        "count": 1,
        "style": "flat",
        "drawn": True,
        "colours": ("brown", "white"),
        "ground": CLEAR,
    }
    return Analysis(**known | {"size": "", "place": ""} | changes)


@pytest.mark.parametrize(
    ("one", "words", "form", "said"),
    [
        (seen(), "", "long", "a brown and white cat, in flat style"),
        (seen(), "", "short", "a cat, in flat style"),
        (seen(), "", "tags", "cat, brown, white, flat style"),
        (
            seen(ground=ground("plain", "pale blue")),
            "dog",
            "long",
            "a brown and white dog, on a pale blue background, in flat style",
        ),
        (
            seen(count=3, ground=ground("fading", "red", "pink"), style=""),
            "",
            "long",
            "three cats, on a background that fades from red to pink",
        ),
        (seen(things=("cat", "house"), count=2), "", "long", "a cat and a house, in flat style"),
        (
            seen(size="small", place="at the top left", colours=()),
            "apple",
            "long",
            "a small apple at the top left, in flat style",
        ),
        (
            seen(drawn=False, style="", ground=ground("busy", "green", "grey"), colours=()),
            "dog",
            "long",
            "a photo of a dog, on a green and grey background",
        ),
        (
            seen(drawn=False, style="", size="close-up", colours=("orange",)),
            "dog",
            "long",
            "a close-up photo of an orange dog",
        ),
        (
            seen(drawn=False, style="", size="close-up", ground=ground("busy", "green")),
            "dog",
            "tags",
            "dog, brown, white, close-up, green background, photo",
        ),
    ],
)
def test_what_is_said_of_what_is_seen(one, words, form, said):
    assert compose_caption(one, CaptionRequest(words, "", form), one.colours) == said
    if words:
        assert compose_caption(
            one, CaptionRequest(words, "<x>", form), one.colours
        ) == said.replace(words, "<x>")


def test_the_new_word_stands_for_the_thing_and_not_for_its_colour():
    one = seen(colours=("orange", "green"))
    assert (
        compose_caption(one, CaptionRequest("orange", "<rex>", "long"), one.colours)
        == "an orange and green <rex>, in flat style"
    )
    assert (
        compose_caption(seen(colours=()), CaptionRequest("unicorn", "<rex>", "long"), ())
        == "a <rex>, in flat style"
    )


def test_colours_that_all_pictures_share_belong_to_the_subject():
    blue, red = (Image.new("RGB", (64, 64), ground) for ground in ("#4a86e2", "#e23c3c"))
    for picture in (blue, red):
        picture.paste("#fcd450", (16, 16, 48, 48))
    busy = Image.effect_noise((64, 64), 90).convert("RGB")  # nobody knows the colours of its figure
    first, second, _ = EmbeddedCaptioner().captions(
        [blue, red, busy], range(3), CaptionRequest("toy", "", "long")
    )
    assert (
        "yellow" not in first + second
        and "on a blue background" in first
        and "on a red background" in second
    )
    (later,) = EmbeddedCaptioner().captions(
        [blue, red, busy], [0], CaptionRequest("toy", "", "long")
    )
    assert later == first, "one picture that came later is told like the others"
    (alone,) = EmbeddedCaptioner().captions([blue], [0], CaptionRequest("toy", "", "long"))
    assert "yellow toy" in alone, "of one picture nobody knows what belongs to it"


@pytest.mark.parametrize("kind", ["vlm", "blip", "florence"])
def test_an_image_text_model_says_what_it_generates(kind, request):
    folder = request.getfixturevalue(kind)
    used = load_captioner(str(folder), device="cpu", offline=True, console=Console(quiet=True))
    assert isinstance(used, ImageTextCaptioner) and used.name == folder.name
    assert used.kind == {"vlm": "chat", "blip": "blip", "florence": "florence2"}[kind]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
    said = used.said(picture, "cat", "short")
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder).eval()
    if kind == "vlm":
        text = "USER: <image> Describe the cat in this picture in at most eight words. ASSISTANT:"
        inputs = processor(images=picture, text=text, return_tensors="pt")
    else:
        inputs = processor(
            images=picture,
            return_tensors="pt",
            **({"text": "<CAPTION>"} if kind == "florence" else {}),
        )
    with torch.no_grad():
        made = model.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=24)[0]
    made = made[inputs["input_ids"].shape[1] :] if kind == "vlm" else made
    assert said == processor.tokenizer.decode(made, skip_special_tokens=True)
    assert list(used.captions([picture], [0], CaptionRequest("cat", "<cat>", "short"))) == [
        clean_caption(said, "short")
    ]


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m['content'].strip() }}{% endfor %}",
        "{{ raise_exception('no pictures') }}",
    ],
)
def test_a_template_that_takes_no_pictures_is_no_captioner(vlm, tmp_path, template):
    folder = tmp_path / "talker"
    shutil.copytree(vlm, folder)
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(InputError, match="talker"):
        load_captioner(str(folder), device="cpu", offline=True, console=Console(quiet=True))


def test_a_picture_that_a_model_fails_on_is_told_and_the_others_go_on(blip, monkeypatch):
    used = load_captioner(str(blip), device="cpu", offline=True, console=Console(quiet=True))
    answers = iter(["a cat", ValueError("no such size"), "a dog"])

    def said(picture, words, form):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(used, "said", said)
    first, second, third = used.captions(
        [Image.new("RGB", (8, 8))] * 3, range(3), CaptionRequest("", "", "long")
    )
    assert (
        (first, third) == ("a cat", "a dog")
        and isinstance(second, InputError)
        and "no such size" in second.message
    )


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        ("The image shows a brown dog.", "a brown dog"),
        ("This picture depicts  a dog\non grass. ", "a dog on grass"),
        ("Sure, here it is: In this image, we can see a dog", "a dog"),
        ('"a <b> dog"', "a b dog"),
        ("The images show two cats.", "two cats"),
        ("The image is a cartoon illustration of a dog.", "a cartoon illustration of a dog"),
        ("The photo captures a dog", "a dog"),
        ("The picture frame hangs on a wall", "The picture frame hangs on a wall"),
        ('a sign that says " quack "', "a sign that says quack"),
        ("a dog\u200d\u00ad sits", "a dog sits"),
        ("A dog sits. It is brown. The grass beh", "A dog sits. It is brown"),
        ("", ""),
    ],
)
def test_answers_are_tidied(said, clean):
    assert clean_caption(said, "long") == clean


def test_what_is_no_image_text_model(clip, tmp_path):
    quiet = Console(quiet=True)
    with pytest.raises(InputError, match="cannot be read"):
        load_captioner(str(clip), device="cpu", offline=True, console=quiet)
    with pytest.raises(InputError, match="unknown captioner"):
        load_captioner("nonsense", device="cpu", offline=True, console=quiet)
    with pytest.raises(EnvironmentFault, match="not in the cache"):
        load_captioner("somebody/some-model", device="cpu", offline=True, console=quiet)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        load_captioner(str(tmp_path / "file"), device="cpu", offline=True, console=quiet)
