from PIL import Image

from stickerforge.stickers.sheet import contact_sheet


def test_a_sheet_shows_every_picture():
    colours = [(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)]
    page = contact_sheet(
        [Image.new("RGBA", (300, 300), c) for c in colours],
        ["red", "green", "a very long caption " * 9],
    )
    found = {colour for _, colour in page.getcolors(1 << 20)}
    assert {c[:3] for c in colours} <= found
