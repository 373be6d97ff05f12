"""Combining the predictions with and without the prompt.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from torch import Tensor


def classifier_free_guidance(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (arXiv:2207.12598, Equation 6), (B, C, H, W).

    Args:
        scale: 1 gives the conditional prediction, larger values exaggerate what the prompt changes.
    """
    return unconditional + scale * (conditional - unconditional)


def consistency_guidance(guided: Tensor, base: Tensor, personal: Tensor, weight: float) -> Tensor:
    """Consistency guidance (arXiv:2402.12004, Equation 13), (B, C, H, W).

    Args:
        guided: the base's prediction under classifier-free guidance, for the prompt without the new word.
        base: the base's prediction for that prompt, without guidance.
        personal: the adapted model's prediction for the prompt with the new word.
        weight: 0 gives the base model, larger values follow what was taught more closely.
    """
    return guided + weight * (personal - base)


def rescale_guidance(guided: Tensor, conditional: Tensor, share: float) -> Tensor:
    """The guided prediction with the spread of the conditional one (arXiv:2305.08891, Equations 15 and 16).

    Args:
        share: how much of the correction is applied, 0 to 1; guidance raises the contrast, this lowers it.
    """
    if share == 0:
        return guided
    spread = conditional.std(dim=(1, 2, 3), keepdim=True) / guided.std(dim=(1, 2, 3), keepdim=True)
    return share * guided * spread + (1 - share) * guided
