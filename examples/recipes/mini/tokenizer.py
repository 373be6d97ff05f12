"""Train the tokenizer: CLIP's byte-pair encoding over the words of our captions.

All 256 bytes are in the vocabulary, with and without the end-of-word mark, so no text at all yields
the unknown token (which in CLIP is the end-of-text token). The end-of-text id is the last of the
vocabulary, never 2: with 2, transformers pools at the largest id instead of at the end of the text.
"""

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTokenizer

from examples.recipes.mini.settings import DEVICE

TEXT_LENGTH = 77  # tokens, as every CLIP text encoder has it
START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(captions: Iterable[str], pieces: int = 2600) -> CLIPTokenizer:
    """A CLIP tokenizer of at most `pieces` tokens, in which the words of the captions are whole."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    shape = CLIPTokenizer()._tokenizer  # its normalizer and its way of splitting text
    bpe.normalizer, bpe.pre_tokenizer = shape.normalizer, shape.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        min_frequency=3,
        show_progress=False,
    )
    bpe.train_from_iterator(captions, trainer)
    result = bpe.get_vocab()
    bytes_first = [*alphabet, *(character + "</w>" for character in alphabet)]
    merges = [tuple(pair) for pair in _merges(bpe)]
    order = [*bytes_first, *("".join(pair) for pair in merges)]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(order))}
    assert set(result) <= set(vocabulary), sorted(set(result) - set(vocabulary))[:5]
    vocabulary |= {START: len(vocabulary), END: len(vocabulary) + 1}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_LENGTH)


def tokenize(words: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Captions as the text encoder takes them, (B, TEXT_LENGTH), on the device of the recipe."""
    result: Tensor = words(
        list(captions),
        padding="max_length",
        truncation=True,
        max_length=TEXT_LENGTH,
        return_tensors="pt",
    ).input_ids
    return result.to(DEVICE)


def _merges(bpe: Tokenizer) -> list[list[str]]:
    import json

    pairs = json.loads(bpe.to_str())["model"]["merges"]
    return [pair if isinstance(pair, list) else pair.split(" ") for pair in pairs]
