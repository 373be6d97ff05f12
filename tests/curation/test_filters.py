"""The filters of the domain stage: what each removes, what it says, and its page."""

import gc
import json
import re
import sys
import weakref
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stickerforge.config.schema.picture_sets import DomainConfig
from stickerforge.curation import screening
from stickerforge.curation.filters import filter_pictures
from stickerforge.curation.report import SAMPLES
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.encoders import load_encoder
from stickerforge.runtime.console import Console
from tests.curation.conftest import sticker

PLAIN = DomainConfig(prompt_score=-1.0, text="off")  # without a network


def kept(filtered):
    return [picture.path.name for picture, _ in filtered.pictures.pictures]


def removed(filtered):
    return {one.path.name: one.name for one in filtered.report.removed}


def test_every_filter_that_needs_no_network(captioned, quiet):
    empty = Image.new("RGBA", (100, 100))
    empty.putpixel((50, 50), (255, 0, 0, 255))
    full = Image.new("RGBA", (100, 100), "red")
    full.putpixel((50, 50), (0, 0, 0, 0))
    data = captioned(
        {
            "a.png": (sticker(1), "a ball"),
            "small.png": (sticker(2, 40), "a ball"),
            "copy.webp": (sticker(1).resize((200, 200)), "another ball"),
            "empty.png": (empty, "a dot"),
            "full.png": (full, "a red thing"),
            "place.png": (full.resize((90, 90)), "a cat on a beach"),
            "photo.png": (Image.new("RGB", (90, 90), "blue"), "a blue square"),
            "z.png": (sticker(3), "a ball"),
        }
    )
    filtered = filter_pictures(data, replace(PLAIN, border=0.6, coverage_max=0.99), quiet)
    assert removed(filtered) == {
        "small.png": "size",
        "a.png": "duplicate",  # the copy has more pixels
        "empty.png": "coverage",
        "full.png": "coverage",
    }
    assert kept(filtered) == ["copy.webp", "place.png", "photo.png", "z.png"]
    first = filter_pictures(data, replace(PLAIN, keep="first", alpha="required"), quiet)
    assert removed(first)["copy.webp"] == "duplicate" and "a.png" in kept(first)
    assert removed(first)["photo.png"] == "alpha"
    off = filter_pictures(data, replace(PLAIN, duplicates="off"), quiet)
    assert {"a.png", "copy.webp"} <= set(kept(off))


def test_the_score_of_a_prompt_is_the_cosine_of_the_judge(captioned, quiet):
    data = captioned(
        {
            f"{at}.png": (sticker(at), caption)
            for at, caption in enumerate(["a ball", "dots", "a cat"])
        }
    )
    encoder = load_encoder("judge")
    images = [Image.open(picture.path) for picture, _ in data.pictures]
    vectors = encoder.images(images, (255, 255, 255)).astype(float)
    cosines = (vectors * encoder.texts(data.captions)).sum(1)
    limit = float(np.sort(cosines)[:2].mean())
    filtered = filter_pictures(data, replace(PLAIN, prompt_score=limit), quiet)
    (one,) = filtered.report.removed
    assert one.name == "prompt" and one.path.name == f"{int(np.argmin(cosines))}.png"
    assert one.value == pytest.approx(cosines.min(), abs=1e-5) and one.limit == limit
    share = filter_pictures(data, replace(PLAIN, prompt_share=0.7), quiet)
    assert [int(name[0]) for name in kept(share)] == [int(np.argmax(cosines))]


def test_a_judge_has_a_limit_of_its_own_and_other_encoders_have_none():
    assert screening.score_limit(DomainConfig()) == screening.JUDGE_SCORE
    assert screening.score_limit(DomainConfig(encoder="clip")) is None
    assert screening.score_limit(DomainConfig(prompt_score=-1.0)) is None
    assert screening.score_limit(DomainConfig(encoder="clip", prompt_score=0.3)) == 0.3


def test_an_encoder_that_reads_no_text_finds_duplicates_alone(captioned, quiet, dinov2):
    data = captioned({"a.png": (sticker(1), "x"), "b.png": (sticker(1), "y")})
    alone = DomainConfig(text="off", encoder=str(dinov2), duplicates="encoder", keep="first")
    assert removed(filter_pictures(data, alone, quiet)) == {"b.png": "duplicate"}
    with pytest.raises(InputError, match="reads no text"):
        filter_pictures(data, replace(alone, prompt_score=0.1), quiet)


def test_an_encoder_that_nothing_asks_for_is_said_and_must_be_one(captioned, quiet, dinov2, capsys):
    data = captioned({"a.png": (sticker(1), "a ball")})
    idle = replace(PLAIN, prompt_score=None, encoder=str(dinov2))
    console = Console()
    filter_pictures(data, idle, console)
    assert "compares nothing" in capsys.readouterr().err
    assert len(console.warnings) == 1 and "compares nothing" in console.warnings[0]
    for name in ("nope", "nowhere/at all"):
        with pytest.raises(InputError, match=name):
            filter_pictures(data, replace(idle, encoder=name), quiet)


def test_unreadable_pictures_are_listed_and_those_that_go_meanwhile(captioned, quiet):
    data = captioned(
        {"a.png": (sticker(1), "x"), "broken.png": (b"?", "y"), "gone.png": (sticker(2), "z")}
    )
    data.pictures[1][0].path.unlink()
    filtered = filter_pictures(data, PLAIN, quiet)
    assert kept(filtered) == ["a.png"]
    assert [line.partition(":")[0] for line in filtered.pictures.unreadable] == [
        "broken.png",
        "gone.png",
    ]
    assert filtered.report.total == 3


def test_one_picture_and_none(captioned, quiet):
    data = captioned({"a.png": (sticker(1), "a ball")})
    filtered = filter_pictures(data, replace(PLAIN, prompt_share=0.9, duplicates="both"), quiet)
    assert kept(filtered) == ["a.png"]
    filtered.report.check()
    with pytest.raises(InputError, match="no picture to filter"):
        filter_pictures(CaptionedPictures(), PLAIN, quiet).report.check()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (replace(PLAIN, min_side=500), r"the filter size removed all 3; change domain.min_side"),
        (
            replace(PLAIN, coverage_min=0.9),
            r"the filter coverage removed all 3; change domain.coverage_min",
        ),
        (
            replace(PLAIN, prompt_score=0.99),
            r"the filter prompt removed all 3; change domain.prompt_score; .*p.html shows them",
        ),
    ],
)
def test_a_filter_that_removes_all_is_named_with_its_setting(
    captioned, quiet, settings, line, tmp_path
):
    data = captioned({f"{at}.png": (sticker(at), "a ball") for at in range(3)})
    filtered = filter_pictures(data, settings, quiet)
    with pytest.raises(InputError, match=line):
        filtered.report.check(tmp_path / "p.html" if "p.html" in line else None)


def test_filters_that_remove_all_together_are_all_named(captioned, quiet):
    data = captioned({"a.png": (sticker(1, 30), "x"), "b.png": (Image.new("RGB", (99, 99)), "y")})
    report = filter_pictures(data, replace(PLAIN, alpha="required"), quiet).report
    with pytest.raises(InputError, match="removed 1 of 2, alpha 1; change domain"):
        report.check()


def test_report_and_page(captioned, quiet, tmp_path):
    hostile = '<script>alert("x")</script> & a cat'
    pictures = {f"{at}.png": (sticker(at), hostile) for at in range(3)}
    pictures |= {f"s{at}.png": (sticker(at, 20), hostile) for at in range(SAMPLES + 10)}
    report = filter_pictures(captioned(pictures), PLAIN, quiet).report
    page = report.write(tmp_path / "out").read_text()
    assert page.count("<img") == SAMPLES + 3
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page) and "url(" not in page
    record = json.loads((tmp_path / "out" / "filters.json").read_text())
    assert record["kept"] == 3 and record["removed"] == {"size": SAMPLES + 10}
    assert {row["filter"] for row in record["pictures_removed"]} == {"size"}
    assert all(row["value"] == 20 and row["limit"] == 64 for row in record["pictures_removed"])
    assert record["settings"]["domain"]["min_side"] == 64


def test_text_is_measured_only_where_it_is_asked_for(captioned, quiet, monkeypatch):
    data = captioned({f"{at}.png": (sticker(at), "a ball") for at in range(4)})
    areas = iter([0.0, 0.079, 0.081, 0.5])
    monkeypatch.setattr(screening, "can_find_text", lambda: True)
    monkeypatch.setattr(screening, "load_text_area", lambda: lambda image: next(areas))
    filtered = filter_pictures(data, replace(PLAIN, text="auto"), quiet)
    assert removed(filtered) == {"2.png": "text", "3.png": "text"}
    monkeypatch.setattr(screening, "can_find_text", lambda: False)
    assert len(kept(filter_pictures(data, replace(PLAIN, text="auto"), quiet))) == 4
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(EnvironmentFault, match="-m pip install"):
        filter_pictures(data, replace(PLAIN, text="on"), quiet)


def test_one_large_picture_is_in_memory_at_a_time(captioned, quiet, monkeypatch):
    data = captioned({f"{at}.png": (sticker(at, 1400), "a ball") for at in range(4)})
    alive, most = set(), []
    original = screening.load_picture

    def watched(path):
        gc.collect()
        picture, image = original(path)
        alive.add(id(image))
        weakref.finalize(image, alive.discard, id(image))
        most.append(len(alive))
        return picture, image

    monkeypatch.setattr(screening, "load_picture", watched)
    filter_pictures(data, PLAIN, quiet)
    assert most == [1, 1, 1, 1]
