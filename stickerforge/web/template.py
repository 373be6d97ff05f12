"""Pages that are one file: a template filled in, with the style sheet that all of them share."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def fill_template(package: str, name: str, parts: Mapping[str, str]) -> str:
    """A page with every <!--part--> replaced by its text, and <!--style--> by the style sheet.

    Args:
        package: that the template `name` is a resource of.
        parts: texts that are safe where they stand, by the names of their parts.
    """
    page = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    style = resources.files("stickerforge.web").joinpath("style.css").read_text(encoding="utf-8")
    for part, text in {"style": style, **parts}.items():
        page = page.replace(f"<!--{part}-->", text)
    return page


def script_safe(value: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    return (
        json.dumps(value, ensure_ascii=True, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace("&", "\\u0026")
    )
