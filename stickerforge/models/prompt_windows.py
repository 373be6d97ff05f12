"""Prompts of any length through text encoders that read so many tokens at a time.

A longer prompt is divided into windows, each of which is encoded with its own start of text. The
states of its words are put one after another, and denoisers attend to them as to those of a shorter
prompt.

Shapes: B texts; L tokens of a window, 77 in CLIP; D width of the states.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from stickerforge.errors import InputError
from stickerforge.models.clip_text import ClipTextEncoder
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.prompt_segments import fit, official_sentences, sentences, windows

# B texts of at most one window -> "hidden" (B, L, D), perhaps "pooled" (B, P)
EncodeWindows = Callable[[Sequence[str]], Conditioning]
PAD_STATES = 60  # of the empty prompt, over which the released LongAlign takes the mean


class PromptWindows:
    """Divides prompts for encoders that read them side by side, and puts them together again.

    Args:
        length: tokens of a window, with the start and the end of the text.
    """

    def __init__(self, encoders: Sequence[ClipTextEncoder]) -> None:
        self.encoders = encoders
        self.length = min(encoder.length for encoder in encoders)

    @property
    def room(self) -> int:
        """Tokens of a text that fit into a window."""
        return self.length - 2

    def count(self, text: str) -> int:
        """The tokens of a text, of the encoder that needs most."""
        return max(len(encoder.token_ends(text)) for encoder in self.encoders)

    def divide(self, text: str, rule: LongPrompts) -> list[str]:
        """The windows of a text, at least one; one that fits is left as it stands."""
        whole = self.encoders[0].placeholders
        if rule.mode == "longalign":
            official = rule.splitter == "official"
            parts = official_sentences(text) if official else sentences(text, whole)
            return fit(parts, self.count, self.room, whole) or [""]
        if rule.mode == "cut" or self.count(text) <= self.room:
            return [text]
        return windows(text, self.count, self.room, whole)

    def context_windows(self, text: str, rule: LongPrompts) -> int:
        """How many windows long the states of a text are; 1 where all texts are equally long."""
        return 1 if rule.mode == "longalign" else self.joined_windows(self.divide(text, rule))

    def joined_windows(self, parts: Sequence[str]) -> int:
        """How many windows long the states of some windows are once they are joined."""
        states = sum(self.count(part) + 1 for part in parts[:-1]) + self.length
        return -(-states // self.length)

    def unread(self, text: str, rule: LongPrompts) -> str:
        """The end of a text that is not read; "" where all of it is."""
        if rule.mode == "compat":
            return ""
        if rule.mode == "cut":
            return self.beyond(text, self.room)
        parts, left = self.divide(text, rule), rule.length
        for at, part in enumerate(parts):
            if rest := self.beyond(part, left - 1):
                return " ".join([rest, *parts[at + 1 :]])
            left -= self.count(part) + 1
        return ""

    def beyond(self, text: str, tokens: int) -> str:
        """What of a text comes after so many tokens, of the encoder that needs most."""
        ends = max((encoder.token_ends(text) for encoder in self.encoders), key=len)
        if len(ends) <= max(0, tokens):
            return ""
        return text[ends[tokens - 1] :].strip() if tokens > 0 else text

    def encode(
        self, encode: EncodeWindows, texts: Sequence[str], rule: LongPrompts, least: int = 1
    ) -> Conditioning:
        """The texts with states of one length, "hidden" (B, that length, D).

        Texts that fit are what `encode` makes of them. The first window decides what else there is,
        such as "pooled".

        Args:
            least: windows that the states are long, of a mode that has no length of its own: the
                longest text may need more.

        Raises:
            InputError: `rule` was made for states of another width.
        """
        parts = [self.divide(text, rule) for text in texts]
        if rule.mode == "longalign":
            return self.encode_sentences(encode, texts, parts, rule)
        total = max(least, *map(self.joined_windows, parts))
        if total == 1:
            return encode(texts)
        passes = encode_passes(encode, parts)
        empty = encode([""] * len(texts))["hidden"]
        rows = []
        for row, own in enumerate(parts):
            last = passes[len(own) - 1]["hidden"][row]
            states = torch.cat([*self.words(passes, row, own[:-1]), last])
            rows.append(fill_windows(states, empty[row], total))
        return passes[0].including("hidden", torch.stack(rows))

    def encode_sentences(
        self,
        encode: EncodeWindows,
        texts: Sequence[str],
        parts: Sequence[Sequence[str]],
        rule: LongPrompts,
    ) -> Conditioning:
        """The texts as LongAlign encodes them (arXiv:2410.11817): `rule.length` states each.

        Every sentence keeps the state of its start, and none that of its end.
        """
        passes = encode_passes(encode, parts)
        pad = self.pad_vectors(encode, len(texts), passes[0]["hidden"], rule)
        rows = []
        for row, own in enumerate(parts):
            states = torch.cat(self.words(passes, row, own))[: rule.length]
            rows.append(torch.cat([states, pad[row].expand(rule.length - len(states), -1)]))
        first = passes[0]
        if "pooled" in first:
            compat = LongPrompts("compat")
            begins = [self.divide(text, compat)[0] for text in texts]
            if begins != [own[0] for own in parts]:
                first = encode(begins)
        return first.including("hidden", torch.stack(rows))

    def pad_vectors(
        self, encode: EncodeWindows, count: int, hidden: Tensor, rule: LongPrompts
    ) -> Tensor:
        """The vector that fills up each of so many texts, (count, 1, D)."""
        if not rule.pad:
            empty = encode([""] * count)["hidden"]
            return empty[:, -PAD_STATES:].mean(1, keepdim=True)
        if len(rule.pad) != hidden.shape[-1]:
            raise InputError(
                f"long_prompts.pad has {len(rule.pad)} numbers, and the texts of this model"
                f" {hidden.shape[-1]}",
                "use an adapter of this model",
            )
        return torch.tensor(rule.pad).to(hidden).expand(count, 1, -1)

    def words(self, passes: Sequence[Conditioning], row: int, parts: Sequence[str]) -> list[Tensor]:
        """The states of windows without their ends: start and words, (tokens + 1, D) each."""
        return [
            states["hidden"][row, : self.count(part) + 1]
            for states, part in zip(passes, parts, strict=False)
        ]


def encode_passes(encode: EncodeWindows, parts: Sequence[Sequence[str]]) -> list[Conditioning]:
    """The first windows of all texts, then the second ones, and so on.

    A text keeps its row in all of them, since matrix products round differently from row to row.
    """
    return [encode(list(column)) for column in zip_longest(*parts, fillvalue="")]


def fill_windows(states: Tensor, empty: Tensor, total: int) -> Tensor:
    """States (N, D) with those of the empty prompt (L, D) after them, (total * L, D).

    A window that is not full takes the last ones of them, which are padding.
    """
    length = len(empty)
    missing = -len(states) % length
    further = total - (len(states) + missing) // length
    return torch.cat([states, empty[length - missing :], *([empty] * further)])
