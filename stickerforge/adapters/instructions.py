"""How a LoRA of ours is loaded elsewhere, as its README.md says it."""

import re
from collections.abc import Sequence

from stickerforge.adapters.lora_export import EMBEDDINGS, LORA, public_title

HUB_NAME = re.compile(r"[\w-]+/[\w.-]+")
# Where plain diffusers keeps the text encoder and tokenizer that a row of embeddings is for.
ENCODERS = {
    "clip_l": ("text_encoder", "tokenizer"),
    "clip_g": ("text_encoder_2", "tokenizer_2"),
}
END_OF_TEXT = """\
# The configuration of SDXL's second text encoder says 2 for the end of text. Left so, the encoder
# would take the new word for the end.
pipe.text_encoder_2.text_model.eos_token_id = pipe.tokenizer_2.eos_token_id"""


def readme(
    name: str,
    model: str,
    title: str,
    files: Sequence[str],
    tokens: Sequence[str],
    encoders: Sequence[str],
    phrase: str,
    reading: str = "",
) -> str:
    """The README.md of an adapter.

    Args:
        model: the base model as diffusers may know it.
        title: the same for people.
        files: names of the adapter's files of tensors.
        encoders: names of the text encoders that the tokens have embeddings for.
        phrase: what asks for its style; "" where it is none.
        reading: how it was trained to read prompts; "" for as its model does.
    """
    words = ", ".join([*(f"`{token}`" for token in tokens), *([f"`{phrase}`"] if phrase else [])])
    own = filter(None, ["a " + " and a ".join(tokens) if tokens else "", phrase])
    example = ", ".join(own) or "a cat"
    lines = [
        f"# {name}",
        "",
        f"A LoRA for `{public_title(title)}`, made with StickerForge.",
        f"Words that it knows: {words or 'none'}.",
        "",
        "- `stickerforge generate` takes its name, or this folder as `--adapter`.",
        "- In diffusers, from this folder:",
        "",
        "```python",
        *code(model, files, list(tokens), encoders),
        "```",
        "",
        f"Then `pipe({example!r})` draws with it. The strength 1 is that of its training.",
        "",
    ]
    if reading:
        lines += [
            f"It was trained to read prompts as {reading}, sentence by sentence, as `stickerforge",
            "generate` does with it; diffusers alone gives it the first 75 tokens in another form.",
            "",
        ]
    return "\n".join(lines)


def code(
    model: str, files: Sequence[str], tokens: Sequence[str], encoders: Sequence[str]
) -> list[str]:
    """The lines of Python that load an adapter with plain diffusers."""
    by_start = {name.partition("-")[0]: name for name in files}
    several = len(encoders) > 1 or len(tokens) > 1
    known = model if HUB_NAME.fullmatch(model) else "FOLDER"
    lines = ["from diffusers import DiffusionPipeline"]
    lines += ["from safetensors.torch import load_file"] if several else []
    lines += ["", f'pipe = DiffusionPipeline.from_pretrained("{known}")  # the base model']
    if file := by_start.get(LORA):
        lines += [f'pipe.load_lora_weights(".", weight_name="{file}")']
    if not (file := by_start.get(EMBEDDINGS)):
        return lines
    if not several:
        return [*lines, f'pipe.load_textual_inversion(".", weight_name="{file}")']
    lines += [f'rows = load_file("{file}")']
    if len(encoders) == 1:
        return [
            *lines,
            "for token, row in rows.items():",
            "    pipe.load_textual_inversion(row, token=token)",
        ]
    lines += [f"tokens = {list(tokens)!r}"]
    for encoder in encoders:
        network, tokenizer = ENCODERS.get(encoder, (encoder, encoder))
        lines += [
            "pipe.load_textual_inversion(",
            f'    rows["{encoder}"], token=tokens,',
            f"    text_encoder=pipe.{network}, tokenizer=pipe.{tokenizer},",
            ")",
        ]
    return [*lines, END_OF_TEXT]
