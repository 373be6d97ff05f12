"""Image-text models of transformers against their own generation."""

import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from stickerforge.captioning.captioner import CaptionRequest
from stickerforge.captioning.image_text import ImageTextCaptioner, clean_caption
from stickerforge.captioning.loading import load_captioner
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console


@pytest.mark.parametrize("kind", ["vlm", "blip", "florence"])
def test_an_image_text_model_says_what_it_generates(kind, request):
    folder = request.getfixturevalue(kind)
    used = load_captioner(str(folder), device="cpu", offline=True, console=Console(quiet=True))
    assert isinstance(used, ImageTextCaptioner) and used.name == folder.name
    assert used.kind == {"vlm": "chat", "blip": "blip", "florence": "florence2"}[kind]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
    said = used.answer(picture, "cat", "short")
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

    def answer(picture, class_words, form):
        text = next(answers)
        if isinstance(text, Exception):
            raise text
        return text

    monkeypatch.setattr(used, "answer", answer)
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
        (
            "A dog (with Mr. Fox). It is 3.5 m tall. The gr",
            "A dog (with Mr. Fox). It is 3.5 m tall",
        ),
        ("一只红色的猫。它坐在桌子上。背景是", "一只红色的猫。它坐在桌子上。"),
        ("a dog; a cat", "a dog; a cat"),
        ("Is it a dog? It is! And th", "Is it a dog? It is!"),
        ("", ""),
    ],
)
def test_answers_are_tidied(said, clean):
    assert clean_caption(said, "long") == clean


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        ("A dog sits. It is brown.", "A dog sits"),
        ("A dog beside Dr. Fox. It is brown.", "A dog beside Dr. Fox"),
        ("红猫。它坐着。", "红猫。"),
        ("a dog beh", "a dog beh"),
    ],
)
def test_a_short_answer_is_its_first_sentence(said, clean):
    assert clean_caption(said, "short") == clean
