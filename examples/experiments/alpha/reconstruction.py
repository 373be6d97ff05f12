"""(c) Held-out art over white: native alpha beside the same decode, keyed.

Every held-out drawing is laid on white, encoded, and decoded twice: by the decoder of three
channels, whose picture is keyed, and by those with alpha. Intervals and differences are over
subjects, whose four styles are drawn together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from diffusers import AutoencoderKL

from examples.experiments.alpha.art_pictures import (
    Drawing,
    held_out_drawings,
    placed,
    tuning_drawings,
)
from examples.experiments.alpha.cutouts import FINISHED, KEYED, cut_out, decode, encode
from examples.experiments.alpha.keying import Keying, tune_keying
from examples.experiments.alpha.measures import (
    alpha_error,
    difference,
    measure_against_truth,
    over,
    psnr,
    summary,
)
from stickerforge.stickers.alpha import Rgba

TUNED_ON = 60  # drawings
HELD_OUT = 256  # drawings that are measured, four of a subject
DIGITS = {  # that a table shows of each measure
    "alpha error": 4,
    "white enclosed": 3,
    "white open": 3,
    "holes clear": 3,
    "halo": 1,
    "fringe": 1,
    "psnr": 2,
}
MEASURES = tuple(DIGITS)
HIGHER = {"white enclosed", "white open", "holes clear", "psnr"}  # what is better when higher


def on_white(truths: Sequence[Rgba]) -> Rgba:
    """Premultiplied pictures over white, (N, H, W, 3)."""
    return np.stack([over(truth, (255, 255, 255)).round().astype(np.uint8) for truth in truths])


def tuned_keying(vae: AutoencoderKL) -> tuple[Keying, float]:
    """The best key of this decoder's pictures, and its alpha error on what it was tuned on."""
    truths = [placed(drawing) for drawing in tuning_drawings(TUNED_ON)]
    decoded = decode(vae, encode(vae, on_white(truths)))
    alphas = [truth[..., 3].astype(np.float32) / 255 for truth in truths]
    return tune_keying(zip(decoded, alphas, strict=True), alpha_error)


def held_out_cutouts(
    drawings: Sequence[Drawing],
    vae: AutoencoderKL,
    native: Mapping[str, AutoencoderKL],
    keying: Keying,
) -> list[tuple[Rgba, Rgba, dict[str, Rgba]]]:
    """(truth, opaque decode, sticker by arm) of every drawing."""
    truths = [placed(drawing) for drawing in drawings]
    latents = encode(vae, on_white(truths))
    opaque = decode(vae, latents)
    alphas = {name: decode(each, latents) for name, each in native.items()}
    return [
        (truth, rgb, cut_out(rgb, {name: alphas[name][row] for name in alphas}, keying))
        for row, (truth, rgb) in enumerate(zip(truths, opaque, strict=True))
    ]


def measure_reconstruction(
    vae: AutoencoderKL, native: Mapping[str, AutoencoderKL], keying: Keying, count: int = HELD_OUT
) -> dict[str, Any]:
    """The record of part (c).

    Args:
        count: held-out drawings.
    """
    drawings = held_out_drawings()[:count]
    groups = [drawing.name for drawing in drawings]
    cutouts = held_out_cutouts(drawings, vae, native, keying)
    arms = list(cutouts[0][2])
    rows = {
        arm: [measure_against_truth(stickers[arm], truth) for truth, _, stickers in cutouts]
        for arm in arms
    }
    plain = [psnr(rgb, over(truth, (255, 255, 255))) for truth, rgb, _ in cutouts]
    means = {
        arm: {name: summary([row[name] for row in own], groups) for name in MEASURES}
        for arm, own in rows.items()
    }
    gains = {
        arm: {name: gain(rows[arm], rows[keyed_arm(arm)], name, groups) for name in MEASURES}
        for arm in arms
        if not arm.startswith(KEYED)
    }
    losses = {
        arm: difference(plain, [row["psnr"] for row in own], groups) for arm, own in rows.items()
    }
    return {
        "drawings": len(drawings),
        "subjects": len(set(groups)),
        "keying": asdict(keying),
        "plain psnr": summary(plain, groups),
        "arms": means,
        "gains": gains,
        "rgb loss": losses,
    }


def keyed_arm(arm: str) -> str:
    """What an arm is compared with: the key, finished where the arm is."""
    return KEYED + (FINISHED if arm.endswith(FINISHED) else "")


def gain(
    own: Sequence[Mapping[str, float]],
    keyed: Sequence[Mapping[str, float]],
    name: str,
    groups: Sequence[str],
) -> Mapping[str, object]:
    """By how much an arm is better than keying in a measure; above 0 is better."""
    pair = [row[name] for row in own], [row[name] for row in keyed]
    return difference(*(pair if name in HIGHER else pair[::-1]), groups)


def interval_text(mean: float | None, bounds: Sequence[float | None] | None, digits: int) -> str:
    """ "0.020 (0.018 to 0.022)"; without bounds that are known the mean alone."""
    if mean is None:
        return "-"
    low, high = bounds or (None, None)
    if low is None or high is None:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(record: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown: measures by arm, then gains over keying."""
    keying = ", ".join(f"{name} {value}" for name, value in record["keying"].items())
    lines = [
        f"{record['drawings']} drawings of {record['subjects']} subjects; keying: {keying};"
        f" plain decode {record['plain psnr']['mean']:.2f} dB",
        "",
        f"| arm | {' | '.join(MEASURES)} | RGB loss |",
        "| --- |" + " --- |" * (len(MEASURES) + 1),
    ]
    for arm, own in record["arms"].items():
        cells = [
            interval_text(own[name]["mean"], own[name]["interval"], DIGITS[name])
            for name in MEASURES
        ]
        loss = record["rgb loss"][arm]
        cells.append(interval_text(loss["change"], (loss["low"], loss["high"]), 2))
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    lines += ["", f"| better than keying by | {' | '.join(MEASURES)} |"]
    lines.append("| --- |" + " --- |" * len(MEASURES))
    for arm, own in record["gains"].items():
        cells = [
            interval_text(own[name]["change"], (own[name]["low"], own[name]["high"]), DIGITS[name])
            for name in MEASURES
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return lines
