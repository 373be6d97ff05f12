"""sticker-judge: what a sticker shows, and how well a sentence fits it.

Two towers in the manner of CLIP (Radford et al., arXiv:2103.00020) and heads that read a picture:
subject, presence of every subject, style, colours, count. Trained on StickerWorld alone
(examples/recipes/judge/train.py), never on a generated picture.

Shapes: B pictures or texts; L labels; D joint width; P side of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

COUNTS = 5  # one to five things
SOLID = 0.95  # alpha from which a pixel shows nothing of the ground
BINS = 8  # steps of each channel in the palette
CHANGES = (
    0.004,
    0.008,
    0.016,
    0.03,
    0.06,
    0.12,
    0.25,
    0.5,
)  # differences between neighbours that are counted
DRAWING_FEATURES = BINS**3 + 2 * len(CHANGES)


@dataclass(frozen=True)
class JudgeShape:
    """How large a judge is.

    Args:
        widths, depths: channels and residual blocks of the stages, at a quarter, an eighth and a
            sixteenth of the side.
        joint: D.
        text_width, text_layers: of the text tower.
        pieces, length: size of its vocabulary, and tokens it reads at most.
        labels, styles, colours: how many there are to tell apart.
        pixels: P.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    joint: int
    text_width: int
    text_layers: int
    pieces: int
    length: int
    labels: int
    styles: int
    colours: int
    pixels: int


@dataclass(frozen=True)
class Readings:
    """What a judge reads in pictures, as logits.

    Args:
        subject: of the one thing that is shown, (B, L).
        presence: of every label by itself, (B, L).
        style: (B, styles).
        colours: of every colour by itself, (B, colours).
        count: of all things, one to five, (B, COUNTS).
    """

    subject: Tensor
    presence: Tensor
    style: Tensor
    colours: Tensor
    count: Tensor


@dataclass(frozen=True)
class Features:
    """What the towers find in pictures.

    Args:
        content: mean and maximum of the last map, (B, 2 C).
        drawing: how they are drawn, by `drawing_features`, (B, DRAWING_FEATURES).
    """

    content: Tensor
    drawing: Tensor


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm: nn.Module = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm: nn.Module = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(inner)))


def image_tower(shape: JudgeShape) -> nn.Sequential:
    """Pictures (B, 3, P, P) in [-1, 1] to a map (B, C, P / 16, P / 16)."""
    layers: list[nn.Module] = []
    before = 3
    for stage, (width, depth) in enumerate(zip(shape.widths, shape.depths, strict=True)):
        kernel, stride, padding = (6, 4, 1) if stage == 0 else (3, 2, 1)
        layers += [
            nn.Conv2d(before, width, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        layers += [Block(width) for _ in range(depth)]
        before = width
    return nn.Sequential(*layers)


@torch.no_grad()
def drawing_features(pictures: Tensor, solid: Tensor) -> Tensor:
    """How figures are drawn: palette and changes of colour, (B, DRAWING_FEATURES).

    The palette is a histogram of BINS³ colours into which every pixel is spread linearly between
    its neighbours, so that a slight change of colour changes it slightly. Styles have palettes of
    their own; steps between neighbours tell shaded ones from flat.

    Args:
        pictures: (B, 3, P, P) in [0, 1].
        solid: whether a pixel belongs to the figure, (B, P, P).
    """
    place = pictures.flatten(2).clamp(0, 1) * (BINS - 1)
    below = place.floor().clamp(max=BINS - 2)
    share, below, weight = place - below, below.long(), solid.flatten(1).float()
    palette = pictures.new_zeros((len(pictures), BINS**3))
    for corner in product((0, 1), repeat=3):
        side = torch.tensor(corner)[:, None]
        red, green, blue = (below + side).unbind(1)
        near = (side * share + (1 - side) * (1 - share)).prod(1)
        palette.scatter_add_(1, (red * BINS + green) * BINS + blue, near * weight)
    changes = []
    for dim in (2, 3):
        step = pictures.diff(dim=dim).abs().amax(1)
        both = (
            solid.narrow(dim - 1, 1, solid.shape[dim - 1] - 1)
            & solid.narrow(dim - 1, 0, solid.shape[dim - 1] - 1)
        ).float()
        pairs = both.sum((1, 2)).clamp(min=1)
        changes += [((step > threshold) * both).sum((1, 2)) / pairs for threshold in CHANGES]
    shares = palette / weight.sum(1, keepdim=True).clamp(min=1)
    return torch.cat([8 * shares.sqrt(), 4 * torch.stack(changes, 1)], 1)


class TextTower(nn.Module):
    """Tokens to one vector: a small transformer, averaged over the text."""

    def __init__(self, shape: JudgeShape) -> None:
        super().__init__()
        width = shape.text_width
        self.pieces = nn.Embedding(shape.pieces, width)
        self.positions = nn.Parameter(torch.randn(shape.length, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, width // 32, 4 * width, 0.0, F.gelu, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, shape.text_layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.out = nn.Linear(width, shape.joint, bias=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, N) tokens, and where they are text and not padding, to (B, D)."""
        states = self.pieces(tokens) + self.positions[: tokens.shape[1]]
        states = self.layers(states, src_key_padding_mask=~mask)
        weights = mask[..., None].to(states.dtype)
        mean: Tensor = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        return self.out(mean)  # type: ignore[no-any-return]


class JudgeNet(nn.Module):
    """Both towers and the heads."""

    def __init__(self, shape: JudgeShape) -> None:
        super().__init__()
        self.shape = shape
        self.image = image_tower(shape)
        self.text = TextTower(shape)
        features, width = 2 * shape.widths[-1], shape.widths[-1]
        self.joint = nn.Linear(features, shape.joint, bias=False)
        self.one = nn.Linear(features, width)  # what tells a single subject
        self.many = nn.Linear(features, width)  # what tells all that are there
        self.labels = nn.Parameter(
            torch.randn(shape.labels, width) * width**-0.5
        )  # shared by both questions
        self.presence_bias = nn.Parameter(torch.full((shape.labels,), -6.0))
        self.style = nn.Sequential(
            nn.Linear(DRAWING_FEATURES, 32), nn.ReLU(), nn.Linear(32, shape.styles)
        )
        self.colours = nn.Linear(features, shape.colours)
        self.count = nn.Linear(features, COUNTS)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))  # log of 1 / temperature

    def features(self, pictures: Tensor) -> Features:
        """The features of pictures.

        Args:
            pictures: (B, 4, P, P) in [0, 1]: colours laid on a ground, and alpha, which tells the
                figure from the ground.

        Raises:
            ValueError: they have another shape.
        """
        side = self.shape.pixels
        if pictures.shape[1:] != (4, side, side):
            raise ValueError(f"pictures are {tuple(pictures.shape)}, not (B, 4, {side}, {side})")
        rgb, solid = pictures[:, :3], pictures[:, 3] > SOLID
        return Features(self.content(rgb), drawing_features(rgb, solid))

    def content(self, rgb: Tensor) -> Tensor:
        """What pictures (B, 3, P, P) in [0, 1] show: see `Features`."""
        last = self.image(rgb * 2 - 1).flatten(2)
        return torch.cat([last.mean(2), last.amax(2)], 1)

    def read(self, features: Features) -> Readings:
        """What the heads say."""
        return Readings(
            self.one(features.content) @ self.labels.T,
            self.many(features.content) @ self.labels.T + self.presence_bias,
            self.style(features.drawing),
            self.colours(features.content),
            self.count(features.content),
        )

    def encode_image(self, pictures: Tensor) -> Tensor:
        """Unit vectors (B, D)."""
        return F.normalize(self.joint(self.features(pictures).content), dim=-1)

    def encode_text(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors (B, D)."""
        return F.normalize(self.text(tokens, mask), dim=-1)


def fold(judge: JudgeNet) -> JudgeNet:
    """Fold the batch norms of a judge into its convolutions, in place: smaller, a little faster.

    Returns:
        The same judge, in evaluation.
    """
    judge.eval()
    tower = judge.image
    for place, layer in enumerate(tower):
        if isinstance(layer, Block):
            layer.first, layer.first_norm = fuse(layer.first, layer.first_norm)
            layer.second, layer.second_norm = fuse(layer.second, layer.second_norm)
        elif isinstance(layer, nn.Conv2d):
            tower[place], tower[place + 1] = fuse(layer, tower[place + 1])
    return judge


def fuse(convolution: nn.Conv2d, norm: nn.Module) -> tuple[nn.Conv2d, nn.Module]:
    """Both in one; what was folded already stays."""
    if not isinstance(norm, nn.BatchNorm2d):
        return convolution, norm
    return fuse_conv_bn_eval(convolution, norm), nn.Identity()


def pad_tokens(texts: Sequence[Sequence[int]], length: int) -> tuple[Tensor, Tensor]:
    """Tokens (B, N) cut to `length` and padded to the longest, and where they are text."""
    longest = max(1, min(length, max((len(text) for text in texts), default=1)))
    tokens = torch.zeros((len(texts), longest), dtype=torch.long)
    mask = torch.zeros((len(texts), longest), dtype=torch.bool)
    for row, text in enumerate(texts):
        kept = torch.tensor(list(text[:longest]) or [0])
        tokens[row, : len(kept)], mask[row, : len(kept)] = kept, True
    return tokens, mask
