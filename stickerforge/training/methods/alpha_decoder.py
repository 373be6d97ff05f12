"""Training of a decoder with alpha on stickers whose alpha is known (arXiv:2311.10794).

The encoder stays as it is: it sees a sticker on the ground that the model draws on, and the decoder
learns to take that ground away.

Shapes: B pictures of S x S pixels.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from stickerforge.adapters.decoder_weights import DecoderWeights
from stickerforge.adapters.kinds import DECODER, AdapterKind
from stickerforge.config.schema import AlphaLossConfig, CanvasConfig, TrainingConfig
from stickerforge.models.alpha_decoder import AlphaDecoder, encoder_digest
from stickerforge.objectives.alpha import alpha_errors, composite
from stickerforge.objectives.grounds import random_grounds
from stickerforge.runtime.seeds import generator
from stickerforge.training.methods.base import ParameterGroup, StepOutput
from stickerforge.training.sticker_pictures import Stickers

DECAY = 0.995  # of the mean of the weights over steps: it remembers about two hundred
MEAN, UPDATES = "mean.", "updates"  # in a checkpoint: the mean, and how many steps are in it


@dataclass(frozen=True)
class AlphaBatch:
    """Stickers on a canvas.

    Args:
        target: (B, 4, S, S), premultiplied.
        grounds: (B, 3, S, S), over which the decoded ones are compared with these.
    """

    target: Tensor
    grounds: Tensor


class Canvas:
    """Where stickers are put, and on what."""

    def __init__(self, config: CanvasConfig, side: int) -> None:
        """Args:
        side: of the canvas in pixels.
        """
        self.low, self.high, self.side = config.scale_low, config.scale_high, side
        channels = [int(config.color[start : start + 2], 16) / 255 for start in (0, 2, 4)]
        self.color = torch.tensor(channels)[:, None, None]

    def place(self, stickers: Sequence[Tensor], random: torch.Generator) -> Tensor:
        """Stickers of a random scale anywhere on a clear canvas, (B, 4, S, S), premultiplied.

        Args:
            stickers: planes (4, h, w) in [0, 1], premultiplied, max(h, w) = S.
        """
        canvas = torch.zeros(len(stickers), 4, self.side, self.side)
        for row, sticker in zip(canvas, stickers, strict=True):
            share, down, right = torch.rand(3, generator=random).tolist()
            scale = self.low + share * (self.high - self.low)
            high, wide = (max(1, round(scale * length)) for length in sticker.shape[-2:])
            small = F.interpolate(sticker[None], (high, wide), mode="bilinear", antialias=True)[0]
            top, left = round(down * (self.side - high)), round(right * (self.side - wide))
            row[:, top : top + high, left : left + wide] = small.clamp(0, 1)
        return canvas

    def cover(self, pictures: Tensor) -> Tensor:
        """Premultiplied pictures (B, 4, S, S) on the colour of the canvas, (B, 3, S, S)."""
        return composite(pictures, self.color.to(pictures.device))


@torch.no_grad()
def encode_mode(vae: AutoencoderKL, seen: Tensor) -> Tensor:
    """Latents of pictures (B, 3, S, S), (B, c, h, w): the mode of what the encoder says."""
    latents: Tensor = vae.encode(seen * 2 - 1).latent_dist.mode()
    return latents


def decode_alpha(decoder: AlphaDecoder, latents: Tensor) -> Tensor:
    """What a decoder makes of latents: (B, 4, S, S), straight, in about [0, 1]."""
    decoded: Tensor = decoder(latents) / 2 + 0.5
    return decoded


class AlphaDecoderTuning:
    """Minimizes the errors of decoded alpha, and of colours over random grounds.

    What is measured and kept is a moving mean of the weights: before the learning rate has fallen
    the last steps would be seen in edges.
    """

    kind: AdapterKind = DECODER

    def __init__(
        self,
        vae: AutoencoderKL,
        decoder: AlphaDecoder,
        stickers: Stickers,
        config: TrainingConfig,
        *,
        canvas: Canvas,
        weights: AlphaLossConfig,
        photos: Sequence[Tensor],
        seed: int,
        part: int,
    ) -> None:
        """Args:
        vae: frozen; its encoder makes the latents.
        decoder: on the same device, trained in place.
        canvas: as large as the stickers' longer side.
        weights: of the errors.
        photos: for grounds, uint8; none for scenes that are made up.
        part: pictures that are computed at once; the batch is so many or a multiple.
        """
        self.vae, self.decoder, self.stickers, self.config = vae, decoder, stickers, config
        self.canvas, self.loss_weights, self.photos = canvas, weights, photos
        self.seed, self.part = seed, part
        self.encoder = encoder_digest(vae.state_dict())
        decoder.requires_grad_(True)
        self.mean = copy.deepcopy(decoder).eval().requires_grad_(False)
        self.updates = 0

    def parameter_groups(self) -> list[ParameterGroup]:
        """All of the decoder."""
        parameters = list(self.decoder.parameters())
        lr, decay = self.config.lr, self.config.weight_decay
        return [{"params": parameters, "lr": lr, "weight_decay": decay}]

    def batch(self, step: int) -> AlphaBatch:
        """Stickers in an order that is drawn anew for each round through all of them."""
        count, size = len(self.stickers.pictures), self.config.batch
        chosen = []
        for number in range(step * size, (step + 1) * size):
            order = torch.randperm(
                count, generator=generator(self.seed, "order of stickers", number // count)
            )
            planes = self.stickers.planes(int(order[number % count]))
            chosen.append(torch.from_numpy(planes).float() / 255)
        target = self.canvas.place(chosen, generator(self.seed, "canvas", step))
        grounds = random_grounds(
            size, self.canvas.side, generator(self.seed, "grounds", step), self.photos
        )
        device = self.vae.device
        return AlphaBatch(target.to(device), grounds.to(device))

    def split(self, batch: AlphaBatch) -> Sequence[AlphaBatch]:
        """As many pictures at once as were asked for."""
        size = len(batch.target)
        if size <= self.part:
            return [batch]
        rows = [slice(start, start + self.part) for start in range(0, size, self.part)]
        return [AlphaBatch(batch.target[part], batch.grounds[part]) for part in rows]

    def loss(self, batch: AlphaBatch, step: int) -> StepOutput:
        """The weighted sum of the errors."""
        seen = self.canvas.cover(batch.target)
        decoded = decode_alpha(self.decoder, encode_mode(self.vae, seen))
        errors, weights = alpha_errors(decoded, batch.target, batch.grounds), self.loss_weights
        loss = (
            weights.composite * errors.composite
            + weights.alpha * errors.alpha
            + weights.gradient * errors.gradient
        )
        return StepOutput(
            loss,
            {
                "composite": errors.composite.detach(),
                "alpha": errors.alpha.detach(),
                "gradient": errors.gradient.detach(),
            },
        )

    @torch.no_grad()
    def after_step(self, output: StepOutput) -> None:
        """Take the new weights into the mean; the first ones count little once there are more."""
        self.updates += 1
        pull = 1 - min(DECAY, self.updates / (self.updates + 9))
        for mean, now in zip(self.mean.parameters(), self.decoder.parameters(), strict=True):
            mean.lerp_(now, pull)

    def state(self) -> dict[str, Tensor]:
        """The decoder, and the mean of its weights."""
        mean = {MEAN + name: value for name, value in self.mean.tensors().items()}
        return self.decoder.tensors() | mean | {UPDATES: torch.tensor(self.updates)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put both back."""
        self.updates = int(tensors[UPDATES])
        for network, start in ((self.decoder, ""), (self.mean, MEAN)):
            own = {name: tensors[start + name] for name in network.state_dict()}
            network.load_state_dict(own)

    def weights(self) -> DecoderWeights:
        """The mean of the decoder's weights."""
        config = {key: value for key, value in self.vae.config.items() if not key.startswith("_")}
        return DecoderWeights(self.mean.tensors(), config | {"out_channels": 4}, self.encoder)
