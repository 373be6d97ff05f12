"""The embedded captioner on painted pictures, and what it says of what it sees."""

import numpy as np
import pytest
from PIL import Image

from stickerforge.captioning.captioner import CaptionRequest
from stickerforge.captioning.embedded import Analysis, EmbeddedCaptioner, compose_caption
from stickerforge.captioning.image_analysis import Background
from tests.photographs import photograph

CLEAR = Background("clear", (), np.ones((4, 4), bool))


def ground(kind, *colors):
    return Background(kind, colors, np.ones((4, 4), bool))


def seen(**changes):
    known = {
        "things": ("cat",),
        "count": 1,
        "style": "flat",
        "drawing": True,
        "colors": ("brown", "white"),
        "background": CLEAR,
    }
    return Analysis(**known | {"size": "", "position": ""} | changes)


@pytest.mark.parametrize(
    ("one", "words", "form", "said"),
    [
        (seen(), "", "long", "a brown and white cat, in flat style"),
        (seen(), "", "short", "a cat, in flat style"),
        (seen(), "", "tags", "cat, brown, white, flat style"),
        (
            seen(background=ground("plain", "pale blue")),
            "dog",
            "long",
            "a brown and white dog, on a pale blue background, in flat style",
        ),
        (
            seen(count=3, background=ground("fading", "red", "pink"), style=""),
            "",
            "long",
            "three cats, on a background that fades from red to pink",
        ),
        (seen(things=("cat", "house"), count=2), "", "long", "a cat and a house, in flat style"),
        (
            seen(size="small", position="at the top left", colors=()),
            "apple",
            "long",
            "a small apple at the top left, in flat style",
        ),
        (
            seen(drawing=False, style="", background=ground("busy", "green", "grey"), colors=()),
            "dog",
            "long",
            "a photo of a dog, on a green and grey background",
        ),
        (
            seen(drawing=False, style="", size="close-up", colors=("orange",)),
            "dog",
            "long",
            "a close-up photo of an orange dog",
        ),
        (
            seen(drawing=False, style="", size="close-up", background=ground("busy", "green")),
            "dog",
            "tags",
            "dog, brown, white, close-up, green background, photo",
        ),
    ],
)
def test_what_is_said_of_what_is_seen(one, words, form, said):
    assert compose_caption(one, CaptionRequest(words, "", form), one.colors) == said
    if words:
        assert compose_caption(one, CaptionRequest(words, "<x>", form), one.colors) == said.replace(
            words, "<x>"
        )


def test_the_new_word_stands_for_the_thing_and_not_for_its_colour():
    one = seen(colors=("orange", "green"))
    assert (
        compose_caption(one, CaptionRequest("orange", "<rex>", "long"), one.colors)
        == "an orange and green <rex>, in flat style"
    )
    assert (
        compose_caption(seen(colors=()), CaptionRequest("unicorn", "<rex>", "long"), ())
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


@pytest.mark.parametrize("opaque", [True, False])
def test_a_photograph_is_in_no_style_of_drawings(opaque):
    """Cut out or not, and whatever the judge makes of its colours."""
    seen = np.hypot(*(np.mgrid[:160, :160] - 80)) < (200 if opaque else 70)
    for seed in range(4):
        planes = np.dstack([photograph(160, 160, seed), np.where(seen, 255, 0)]).astype(np.uint8)
        analysis = EmbeddedCaptioner().analyze(Image.fromarray(planes))
        assert not analysis.drawing and analysis.style == ""


def test_what_is_known_of_a_picture_counts_more_than_its_pixels():
    picture = Image.fromarray(photograph(160, 160)).convert("RGBA")
    captioner = EmbeddedCaptioner()
    one, two = (
        next(captioner.captions([picture], [0], CaptionRequest("toy", "", "long", [known])))
        for known in (True, False)
    )
    assert "photo of" in one and "photo" not in two
