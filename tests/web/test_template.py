"""Pages that are one file."""

import json

from stickerforge.web.template import fill_template, script_safe


def test_what_is_told_to_a_page_cannot_leave_its_script():
    told = {"caption": "</script><b>&amp; \u2028 é"}
    text = script_safe(told)
    assert not set("<&\u2028é") & set(text) and json.loads(text) == told


def test_a_page_is_filled_with_its_parts_and_the_common_look():
    page = fill_template(
        "stickerforge.captioning", "review_page.html", {"title": "T", "data": "{}"}
    )
    assert "<title>T</title>" in page and "--ink" in page and "<!--" not in page
