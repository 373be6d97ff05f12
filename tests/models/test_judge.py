"""Small random networks of the judges; and the judges that ship, on drawings made here."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.judge import model
from stickerforge.models.judge.model import fit_square, load_judge
from stickerforge.models.judge.network import (
    BINS,
    COUNTS,
    JudgeNet,
    JudgeShape,
    drawing_features,
    fold,
    pad_tokens,
)
from tests.tiny import edit_json

SMALL = JudgeShape((8, 12, 16), (1, 1, 1), 8, 32, 1, 50, 20, 7, 3, 4, 32)


@pytest.fixture
def small():
    torch.manual_seed(0)
    return JudgeNet(SMALL).eval()


def drawn(kind, colour, size=128):
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    if kind == "circle":
        pen.ellipse((size * 0.1, size * 0.1, size * 0.9, size * 0.9), fill=colour)
    else:
        pen.rectangle((size * 0.12, size * 0.12, size * 0.88, size * 0.88), fill=colour)
    return picture


def test_towers_give_unit_vectors_and_heads_their_shapes(small):
    pictures = torch.rand(5, 4, 32, 32)
    images = small.encode_image(pictures)
    texts = small.encode_text(*pad_tokens([[1, 2, 3], [4]], SMALL.length))
    for vectors, count in ((images, 5), (texts, 2)):
        assert vectors.shape == (count, 8)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(count))
    read = small.read(small.features(pictures))
    assert [tuple(part.shape) for part in vars(read).values()] == [
        (5, 7),
        (5, 7),
        (5, 3),
        (5, 4),
        (5, COUNTS),
    ]


def test_folding_changes_no_figure(small):
    pictures = torch.rand(4, 4, 32, 32)
    small.train()
    for _ in range(3):
        small.features(
            torch.rand(8, 4, 32, 32)
        )  # means and variances that are not those of the start
    before = small.eval().read(small.features(pictures))
    after = fold(small).read(small.features(pictures))
    for name, value in vars(before).items():
        torch.testing.assert_close(getattr(after, name), value, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in small.modules())


def test_the_look_is_that_of_the_figure_alone_and_of_all_its_colours(small):
    """Against a count pixel by pixel; the ground, and where the figure lies, make no difference."""
    rng = np.random.default_rng(0)
    planes = torch.from_numpy(rng.random((1, 3, 8, 8)).astype(np.float32))
    solid = torch.from_numpy(rng.random((1, 8, 8)) < 0.6)
    found = drawing_features(planes, solid)[0]
    expected = np.zeros((BINS, BINS, BINS))
    for y, x in zip(*np.nonzero(solid[0].numpy()), strict=True):
        place = planes[0, :, y, x].numpy() * (BINS - 1)
        for corner in np.ndindex(2, 2, 2):
            bins = np.minimum(np.floor(place), BINS - 2).astype(int)
            expected[tuple(bins + corner)] += np.prod(
                [f if c else 1 - f for f, c in zip(place - bins, corner, strict=True)]
            )
    np.testing.assert_allclose(
        found[: BINS**3].numpy(), 8 * np.sqrt(expected.ravel() / solid.sum().item()), atol=2e-3
    )
    elsewhere = planes.clone()
    elsewhere[:, :, ~solid[0]] = 0.7
    torch.testing.assert_close(drawing_features(elsewhere, solid), drawing_features(planes, solid))
    torch.testing.assert_close(
        drawing_features(planes.roll(3, 3), torch.ones(1, 8, 8) > 0)[0, : BINS**3],
        drawing_features(planes, torch.ones(1, 8, 8) > 0)[0, : BINS**3],
    )
    assert drawing_features(planes, torch.zeros(1, 8, 8) > 0).abs().sum() == 0


def test_padding_and_company_change_nothing(small):
    alone = small.encode_text(*pad_tokens([[5, 6, 7]], SMALL.length))
    beside = small.encode_text(*pad_tokens([[5, 6, 7], list(range(1, 18))], SMALL.length))
    torch.testing.assert_close(beside[:1], alone, rtol=1e-5, atol=1e-6)


def test_a_text_that_is_too_long_is_cut():
    tokens, mask = pad_tokens([list(range(40)), []], 20)
    assert tokens.shape == (2, 20) and mask.tolist() == [[True] * 20, [True] + [False] * 19]


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 4, 31, 32), (4, 32, 32)])
def test_pictures_of_another_shape_are_refused(small, shape):
    with pytest.raises(ValueError, match=r"not \(B, 4, 32, 32\)"):
        small.features(torch.zeros(shape))


@pytest.mark.parametrize("size", [(64, 64), (300, 200), (33, 90), (1, 1)])
@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "P", "LA"])
def test_any_size_and_mode_is_laid_on_the_ground(size, mode):
    planes = fit_square(Image.new("RGBA", size, (200, 10, 10, 255)).convert(mode), 64, (0, 0, 255))
    assert planes.shape == (4, 64, 64) and 0 <= float(planes.min()) and float(planes.max()) <= 1
    if max(size) > 2 * min(size):
        torch.testing.assert_close(
            planes[:, 0, 0], torch.tensor([0.0, 0.0, 1.0, 0.0])
        )  # what is not square is laid in the middle


def test_what_is_transparent_shows_the_ground():
    rgba = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
    picture = Image.fromarray(rgba)
    expected = Image.alpha_composite(
        Image.new("RGBA", (64, 64), (10, 200, 30, 255)), picture
    ).convert("RGB")
    planes = fit_square(picture, 64, (10, 200, 30)).permute(1, 2, 0) * 255
    assert np.abs(planes[..., :3].numpy() - np.asarray(expected, np.float32)).max() < 2
    assert np.abs(planes[..., 3].numpy() - rgba[..., 3]).max() < 1e-3


@pytest.mark.parametrize("name", ["judge", "second"])
@pytest.mark.parametrize(
    "colour, rgb", [("red", (226, 40, 40)), ("blue", (60, 120, 230)), ("green", (80, 180, 80))]
)
def test_the_judges_know_a_circle_and_its_colour(name, colour, rgb):
    judge = load_judge(name)
    read = judge.read(judge.pictures([drawn("circle", rgb)]))
    best = [judge.labels[i] for i in read.subject[0].topk(3).indices]
    assert "circle" in best
    assert float(read.colours[0, judge.colours.index(colour)].sigmoid()) > 0.5
    assert int(read.count[0].argmax()) == 0


@pytest.mark.parametrize("name", ["judge", "second"])
def test_the_sentence_that_fits_scores_higher(name):
    judge = load_judge(name)
    texts = [
        f"{colour} {kind}, flat style"
        for colour in ("red", "blue")
        for kind in ("circle", "square")
    ]
    pictures = [
        drawn(kind, rgb) for rgb in ((226, 40, 40), (60, 120, 230)) for kind in ("circle", "square")
    ]
    scores = judge.encode_image(judge.pictures(pictures)) @ judge.encode_text(texts).T
    assert float((scores.argmax(1) == torch.arange(4)).float().mean()) >= 0.5


def test_an_empty_text_is_refused():
    with pytest.raises(InputError, match="empty text"):
        load_judge("second").encode_text(["a cat", " "])


def test_no_pictures_are_no_pictures():
    judge = load_judge("second")
    assert judge.pictures([]).shape == (0, 4, 64, 64)


@pytest.mark.parametrize("harm", ["flip", "missing", "card", "unlisted", "null", "deep"])
def test_damaged_judges_say_so(tmp_path, harm):
    folder = tmp_path / "judge"
    shutil.copytree(model.FOLDER, folder)
    path = folder / "second.safetensors"
    if harm == "flip":
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(bytes(content))
    elif harm == "missing":
        path.unlink()
    elif harm == "unlisted":  # so that nobody would notice other weights
        card = json.loads((folder / "card.json").read_text())
        del card["files"]["second.safetensors"]
        (folder / "card.json").write_text(json.dumps(card))
        path.write_bytes(b"other")
    elif harm == "null":
        edit_json(folder / "card.json", labels=None)
    elif harm == "deep":
        (folder / "card.json").write_text("[" * 50_000)
    else:
        (folder / "card.json").write_text(json.dumps({"files": {}})[:-3])
    with pytest.raises(EnvironmentFault) as error:
        load_judge("second", folder)
    assert str(folder) in error.value.message and "install stickerforge again" in error.value.hint


def test_the_judges_fit_the_limit():
    sizes = [path.stat().st_size for path in model.FOLDER.glob("*.safetensors")]
    assert len(sizes) == 2 and sum(sizes) <= 8e6


@pytest.mark.parametrize(("odds", "said"), [(0.75, True), (0.65, False), (0.25, False)])
def test_a_style_is_named_where_it_is_sure(odds, said):
    judge = load_judge("second")
    rest = (1 - odds) / (len(judge.styles) - 1)
    logits = torch.tensor([rest, odds] + [rest] * (len(judge.styles) - 2)).log()
    assert judge.sure_style(logits) == (judge.styles[1] if said else "")
