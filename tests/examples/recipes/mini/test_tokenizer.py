"""The tokenizer of captions."""

from examples.recipes.mini.tokenizer import train_tokenizer


def test_the_tokenizer_keeps_words_whole_and_knows_every_byte():
    words = train_tokenizer(["cat astronaut in flat style", "cat face, pet"] * 5)
    assert words.tokenize("Cat astronaut") == ["cat</w>", "astronaut</w>"]
    odd = "".join(map(chr, range(1, 0x250))) + "猫🐱"
    assert words.unk_token_id not in words(odd, add_special_tokens=False, verbose=False).input_ids
    assert words.eos_token_id == len(words) - 1 != 2
