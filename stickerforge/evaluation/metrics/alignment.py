"""How well pictures fit their prompts, by an encoder that reads both."""

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import MetricInput, NotMeasured, metric
from stickerforge.sampling.prompt_segments import fit, sentences

BATCH = 64  # texts that are encoded together


@metric(
    "alignment",
    group="prompt",
    better="higher",
    about="cosine of picture and prompt; mean over the sentences of a long one",
    needs=("prompt",),
    encoded=True,
    paired=True,
    axis=True,
)
def alignment(data: MetricInput) -> NDArray[np.float64]:
    """Cosine of each picture with its prompt; of one with several sentences the mean over them.

    The mean over sentences is that of LongAlign (arXiv:2410.11817).
    """
    if not data.encoder.reads_text:
        raise NotMeasured(f"{data.encoder.name} reads no text")
    count, limit = data.encoder.count_tokens, data.encoder.text_tokens
    parts = {prompt: fit(segments(prompt), count, limit) for prompt in data.texts if prompt}
    texts = list(dict.fromkeys(part for own in parts.values() for part in own))
    batches = [data.encoder.texts(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
    vectors = dict(zip(texts, np.concatenate(batches), strict=True))
    return np.array(
        [
            np.mean([float(item.full @ vectors[part]) for part in parts[prompt]])
            if prompt
            else np.nan
            for item, prompt in zip(data.pictures, data.texts, strict=True)
        ]
    )


def segments(text: str) -> list[str]:
    """The sentences of a long prompt; a short one is a segment by itself."""
    parts = [part.strip(" .;!?。；！？") for part in sentences(text)]
    return [part for part in parts if part] or [text.strip()]
