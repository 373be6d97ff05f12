"""The arm without decoupled attention: image tokens follow those of the text, in its attention.

Its projection has a hidden layer, so that as much is trained as with W'_k and W'_v.

Shapes: B pictures, T tokens, D text width, E width of the encoder's features.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from examples.experiments.ip_adapter.drawing import append_tokens
from stickerforge.adapters.image_prompt_weights import BASE_TOKENS, ImagePromptShape
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.training.batches import Batch
from stickerforge.training.methods.image_prompt_tuning import ImagePromptTuning


class WideProjection(nn.Module):
    """From features (B, E) to tokens (B, T, D), with as many weights as an image adapter has."""

    def __init__(self, shape: ImagePromptShape) -> None:
        super().__init__()
        self.tokens, self.width = BASE_TOKENS, shape.width
        outputs = self.tokens * self.width
        whole = (shape.features + 1) * outputs + 2 * sum(
            shape.width * width for width in shape.layers.values()
        )
        hidden = (whole - outputs) // (shape.features + 1 + outputs)
        self.layers = nn.Sequential(
            nn.Linear(shape.features, hidden), nn.GELU(), nn.Linear(hidden, outputs)
        )
        self.norm = nn.LayerNorm(self.width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, E) to (B, T, D)."""
        tokens: Tensor = self.layers(features).reshape(-1, self.tokens, self.width)
        normal: Tensor = self.norm(tokens)
        return normal


class AppendedAdapter:
    """What `ImagePromptTuning` needs of an adapter, with tokens behind those of the text."""

    def __init__(self, shape: ImagePromptShape, seed: int) -> None:
        self.shape = shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.projection = WideProjection(shape)

    def tokens(self, features: Tensor) -> Tensor:
        """(B, 1, T, D) from (B, E)."""
        tokens: Tensor = self.projection(features)
        return tokens[:, None]

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return list(self.projection.parameters())

    def tensors(self) -> dict[str, Tensor]:
        """The projection."""
        return dict(self.projection.state_dict())

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put it back."""
        self.projection.load_state_dict(dict(tensors))


class ConcatenationTuning(ImagePromptTuning):
    """As `ImagePromptTuning`, with an `AppendedAdapter`."""

    def text_errors(self, batch: Batch, text: Conditioning) -> Tensor:
        """See ImagePromptTuning."""
        if "image_tokens" in text:
            rows = [
                append_tokens(text.picked([row]), text["image_tokens"][row])
                for row in range(len(text))
            ]
            hidden = torch.cat([row["hidden"] for row in rows])
            others = {name: part for name, part in text.tensors.items() if name != "image_tokens"}
            text = Conditioning(others | {"hidden": hidden})
        return super().text_errors(batch, text)
