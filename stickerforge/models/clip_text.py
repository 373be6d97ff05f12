"""A CLIP text encoder with its tokenizer, and tokens of our own spliced into it.

Shapes: B texts; L tokens; D width of the encoder; P width of the pooled text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import AddedToken
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from stickerforge.errors import InputError


class ExtendedEmbedding(nn.Module):
    """A token embedding with rows of its own after those of the base, which it never writes."""

    def __init__(self, base: nn.Embedding) -> None:
        super().__init__()
        self.base, self.rows = base, nn.ParameterList()

    def forward(self, ids: Tensor) -> Tensor:
        """(B, L) to (B, L, D); ids from the size of the base on are ours."""
        size = self.base.num_embeddings
        base: Tensor = self.base(ids.clamp(max=size - 1))
        if not len(self.rows):
            return base
        ours = F.embedding((ids - size).clamp(min=0), torch.stack([*self.rows])).to(base.dtype)
        return torch.where((ids >= size)[..., None], ours, base)


@dataclass(frozen=True)
class TextStates:
    """The output of an encoder for a batch of texts.

    Args:
        last: after the final norm, (B, L, D).
        penultimate: of the layer before the last, without the norm, (B, L, D).
        pooled: at the first end-of-text token, projected where there is a projection, (B, P).
    """

    last: Tensor
    penultimate: Tensor
    pooled: Tensor


class ClipTextEncoder:
    """One encoder of a model; `name` is its key in embedding files: "clip_l" or "clip_g".

    Raises:
        ValueError: it can read no text.
    """

    def __init__(
        self,
        name: str,
        tokenizer: CLIPTokenizer,
        encoder: CLIPTextModel | CLIPTextModelWithProjection,
    ) -> None:
        self.name, self.tokenizer, self.encoder = name, tokenizer, encoder.requires_grad_(False)
        self.placeholders: list[str] = []  # each one token
        self.projection = getattr(encoder, "text_projection", None)
        self.core = encoder.text_model if self.projection is not None else encoder
        self.embedding = ExtendedEmbedding(self.core.embeddings.token_embedding)
        self.core.embeddings.token_embedding = self.embedding
        # Without a length of its own a tokenizer says 10**30.
        positions = int(encoder.config.max_position_embeddings)
        self.length = min(int(tokenizer.model_max_length), positions)
        if self.length < 3:
            raise ValueError("no token fits between the start and the end of a text")

    def ids(self, texts: Sequence[str]) -> Tensor:
        """Token ids padded to the full length, (B, L)."""
        tokens = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )
        ids: Tensor = tokens.input_ids.to(self.embedding.base.weight.device)
        return ids

    def encode(self, texts: Sequence[str]) -> TextStates:
        """Every text through the encoder, as far as it fits.

        The pooled vector is taken at the true end of the text. Left to itself transformers takes it
        at the largest id where the configuration says 2 for the end, and a new token has the
        largest id.
        """
        ids = self.ids(texts)
        output = self.core(input_ids=ids, output_hidden_states=True)
        ends = (ids == self.tokenizer.eos_token_id).int().argmax(-1)
        pooled = output.last_hidden_state[torch.arange(len(ids), device=ids.device), ends]
        if self.projection is not None:
            pooled = self.projection(pooled)
        return TextStates(output.last_hidden_state, output.hidden_states[-2], pooled)

    def token_ends(self, text: str) -> list[int]:
        """Where each token of a text ends in it, start and end of text not among them."""
        tokens = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [end for _, end in tokens.offset_mapping]

    def mean_embedding(self, words: str) -> Tensor:
        """The mean embedding of the tokens of some words, (D,) in float32.

        Where there are no tokens it is the mean of the whole vocabulary.
        """
        ids = self.tokenizer(words, add_special_tokens=False).input_ids
        table = self.embedding.base.weight.detach().float()
        return (table[torch.tensor(ids, device=table.device)] if ids else table).mean(0).clone()

    def add_token(self, placeholder: str, embedding: Tensor) -> nn.Parameter:
        """Make a placeholder one token with this embedding (D,), kept in float32.

        Raises:
            InputError: the tokenizer has that token already.
        """
        self.tokenizer.add_tokens([AddedToken(placeholder, normalized=False, single_word=False)])
        self.placeholders.append(placeholder)
        device = self.embedding.base.weight.device
        parameter = nn.Parameter(embedding.detach().float().to(device).clone(), requires_grad=False)
        self.embedding.rows.append(parameter)
        expected = self.embedding.base.num_embeddings + len(self.embedding.rows) - 1
        if self.tokenizer.convert_tokens_to_ids(placeholder) != expected:
            raise InputError(
                f"the tokenizer of this model knows {placeholder} already, or is not its encoder's",
                "use another name",
            )
        return parameter
