"""Long captions of StickerWorld's scenes: whole sentences, true of the picture, among others.

A caption says two to six facts (things, colours, numbers, relations, what is worn, style, ground)
in an order that varies; between them stand remarks that say nothing about the picture, so that its
length does not follow from what it says. In half of the captions the thing is named behind the 75th
token, where CLIP's window ends. Tokens are those of sticker-mini, without start and end.

There are two designs. The remarks of the first are `remarks.txt`, and a late thing is named right
behind the window. In the second most are WordNet's, the thing stands anywhere, and the sentences
that name it are more varied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from transformers import CLIPTokenizer

from examples.experiments.longalign.outline import MORE_OPENINGS, Outline, outline
from examples.experiments.longalign.remarks import Part, fill_template, remark_templates
from examples.experiments.longalign.wordnet_remarks import wordnet_remarks
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.settings import MODEL

Source = Literal["own", "wordnet"]
WINDOW = 75  # tokens that sticker-mini's text encoder reads of a prompt
SHORTEST, LONGEST = 80, 240
# A late thing needs so many tokens behind the window.
ROOM_FOR_LATE = 30
ATTEMPTS = 60
EXTRA_SHARE, LEAD_SHARE = 0.25, 0.4
WORDNET_SHARE, ANY_LEAD_SHARE = 0.7, 0.7
DRAWN_REMARKS = 80  # of WordNet's sentences, for one caption


@dataclass(frozen=True)
class LongCaption:
    """A caption of a scene.

    Args:
        tokens: of sticker-mini.
        named_at: tokens before the sentence that names the first thing.
        facts: what kinds of facts it says: "thing", "colour", "style" …
    """

    text: str
    tokens: int
    named_at: int
    facts: tuple[str, ...]


@cache
def mini_tokenizer() -> CLIPTokenizer:
    """The tokenizer of sticker-mini."""
    return CLIPTokenizer.from_pretrained(MODEL / "tokenizer", model_max_length=10**6)


@cache
def count_tokens(text: str) -> int:
    """How many tokens sticker-mini makes of a text."""
    return len(mini_tokenizer()(text, add_special_tokens=False).input_ids)


class Writer:
    """Puts the sentences of one caption in order, up to a number of tokens."""

    def __init__(
        self, result: Outline, part: Part, rng: np.random.Generator, source: Source = "own"
    ) -> None:
        self.outline, self.rng, self.source = result, rng, source
        self.remarks = self.shuffle(remark_templates(part))
        self.strange: list[str] = []
        if source == "wordnet":
            texts = wordnet_remarks(part)
            drawn = rng.choice(len(texts), DRAWN_REMARKS, replace=False)
            self.strange = [texts[number] for number in drawn]
            self.remarks = [] if part == "evaluation" else self.remarks

    def shuffle(self, texts: Sequence[str]) -> list[str]:
        """The texts in another order."""
        return [texts[number] for number in self.rng.permutation(len(texts))]

    def pools(self) -> list[list[str]]:
        """Where the next remark comes from, and where else if none there is short enough."""
        if not self.strange:
            return [self.remarks]
        pools = [self.remarks, self.strange]
        return pools[::-1] if self.rng.random() < WORDNET_SHARE else pools

    def remark(self, room: float = np.inf) -> str:
        """A remark that is not there yet, of at most `room` tokens; "" where there is none."""
        for pool in self.pools():
            for template in pool:
                text = fill_template(template, self.rng)
                if count_tokens(text) <= room:
                    pool.remove(template)
                    return text
        return ""

    def lead(self, target: int, late: bool) -> list[str]:
        """The sentences before a thing is named: more than a window, a few, or none."""
        if not late:
            return self.early_lead(target)
        free = self.outline.free
        result = [free.pop() for _ in range(len(free)) if self.rng.random() < 0.4]
        least = WINDOW
        if self.source == "wordnet":
            least = int(self.rng.integers(WINDOW, target - ROOM_FOR_LATE + 1))
        while total_tokens(result) < least:
            result.append(self.remark())
        return self.shuffle(result)

    def early_lead(self, target: int) -> list[str]:
        """One or two remarks or none; in the second design as many as go into the window."""
        if self.source == "own":
            number = int(self.rng.integers(1, 3)) if self.rng.random() < LEAD_SHARE else 0
            return [self.remark() for _ in range(number)]
        room, result = min(WINDOW, target - ROOM_FOR_LATE), []
        if room > 0 and self.rng.random() < ANY_LEAD_SHARE:
            room = int(self.rng.integers(room + 1))
            while text := self.remark(room):
                result.append(text)
                room -= count_tokens(text)
        return result

    def write(self, target: int, late: bool) -> LongCaption:
        """The caption, of `target` tokens or a few less where that can be."""
        lead = self.lead(target, late)
        rest = self.shuffle([*self.outline.free, *self.outline.behind])
        extra, naming = self.shuffle(self.outline.extra), self.outline.naming
        room = target - total_tokens([*lead, *naming, *rest])
        while room > 0:
            if extra and self.rng.random() < EXTRA_SHARE and count_tokens(extra[-1]) <= room:
                text = extra.pop()
            else:
                text = self.remark(room)
            if not text:
                break
            rest.insert(int(self.rng.integers(len(rest) + 1)), text)
            room -= count_tokens(text)
        text = " ".join([*lead, *naming, *rest])
        return LongCaption(text, count_tokens(text), total_tokens(lead), tuple(self.outline.facts))


def total_tokens(texts: Sequence[str]) -> int:
    """Tokens of all of them together."""
    return sum(count_tokens(text) for text in texts)


def long_caption(
    truth: Truth,
    rng: np.random.Generator,
    *,
    part: Part = "training",
    source: Source = "own",
    tokens: tuple[int, int] = (SHORTEST, LONGEST),
) -> LongCaption:
    """A caption of at least and at most so many tokens, all lengths equally likely.

    Args:
        part: whose remarks it is made of.
        source: "wordnet" is the second design; its evaluation prompts hold no other remarks.

    Raises:
        RuntimeError: what is to be said does not fit.
    """
    shortest, longest = tokens
    for _ in range(ATTEMPTS):
        target = int(rng.integers(shortest, longest + 1))
        late = bool(target >= WINDOW + ROOM_FOR_LATE and rng.random() < 0.6)
        more = MORE_OPENINGS if source == "wordnet" and part == "training" else ()
        said = outline(truth, late, rng, more)
        result = Writer(said, part, rng, source).write(target, late)
        if shortest <= result.tokens <= longest:
            return result
    raise RuntimeError(f"no caption of {shortest} to {longest} tokens in {ATTEMPTS} attempts")
