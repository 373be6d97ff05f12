"""Captions that customize gives to photographs, drawings, and what was cut out."""

import json
from pathlib import Path

from PIL import Image

from tests.commands.conftest import save_cut_outs, sticker
from tests.photographs import photograph

SHORT = ("--steps", 2, "--batch", 1, "--rank", 2, "--set", "preview.count=0", "--quiet")


def captions(name):
    path = Path("home/adapters") / name / "captions.jsonl"
    rows = map(json.loads, path.read_text().splitlines())
    return {Path(row["picture"]).stem: row["caption"] for row in rows}


def test_a_photograph_that_was_cut_out_is_of_no_set_of_drawings(cli, tmp_path):
    folder = save_cut_outs(tmp_path / "cut")
    cli("customize", folder, "--subject", "plush", *SHORT)
    assert set(captions("plush").values()) == {"a <plush>"}


def test_an_opaque_drawing_is_no_photo(cli, tmp_path, tiny_sd):
    folder = tmp_path / "pages"
    folder.mkdir()
    page = Image.new("RGBA", (160, 160), "white")
    page.alpha_composite(sticker("#c03a2b"))
    page.convert("RGB").save(folder / "page.png")
    Image.fromarray(photograph(160, 160)).save(folder / "snap.jpg")
    cli("customize", folder, "--subject", "blob", "--model", tiny_sd, *SHORT)
    assert captions("blob") == {"page": "a <blob>", "snap": "a photo of a <blob>"}
