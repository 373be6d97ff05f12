"""Which picture is learned at which noise: Style Tailoring (Sinha et al., arXiv:2311.10794).

The paper learns content where the noise is strong, since the layout of a picture is decided there,
and style where it is weak. Its full text is not public: the direction and the threshold, timestep
900 of 1000, are as they are usually reported, and both can be changed. Style-friendly SNR sampling
(arXiv:2411.14793) finds style at the strong noise.

The threshold is a logarithm of the signal-to-noise ratio, so that it means the same for every
schedule, and for flow matching.
"""

import math
from collections.abc import Callable
from typing import Literal

Content = Literal["noisy", "clean"]
# log(SNR) of timestep 900 of 1000 in Stable Diffusion's schedule.
THRESHOLD = -4.244
ACCURACY = 30  # halvings of the interval in which a threshold is looked for


def is_content(log_snr: float, threshold: float, content: Content) -> bool:
    """Whether a noise level is learned from content pictures; from style pictures otherwise.

    Args:
        log_snr: of the noisy latents; minus infinity for noise alone.
        threshold: in the same unit; a level at the threshold is on its clean side.
        content: the side of the threshold on which content is learned.
    """
    return (log_snr < threshold) == (content == "noisy")


def clean_share(log_snr_at: Callable[[float], float], threshold: float) -> float:
    """The share of the timesteps whose noise is at most that of the threshold, 0 to 1.

    Args:
        log_snr_at: from a position in [0, 1) of the timesteps' distribution function, in which
            noise grows, to log(SNR).
    """
    below, above = 0.0, 1.0
    for _ in range(ACCURACY):
        middle = (below + above) / 2
        if log_snr_at(middle) < threshold:
            above = middle
        else:
            below = middle
    return above


def interval(clean: float, content: Content, *, of_content: bool) -> tuple[float, float]:
    """The positions (from, to) of the timesteps at which one of the sets is learned.

    Args:
        clean: what `clean_share` gives.
        of_content: whether the content set is meant, or the style set.
    """
    return (clean, 1.0) if of_content == (content == "noisy") else (0.0, clean)


def stratified_weight(share: float, pictures: int, batch: int) -> float:
    """Loss weight of each picture of a set that has a fixed number of places in a batch.

    The mean of a batch then has the expectation that it has where places follow the timesteps:
    `pictures` of `batch` with this weight count as much as `share` of `batch` with weight 1.

    Args:
        share: of the timesteps at which the set is learned.
        pictures: of the set in the batch.
    """
    return share * batch / pictures


def log_snr(signal_to_noise: float) -> float:
    """Natural logarithm; minus infinity where there is no signal."""
    return math.log(signal_to_noise) if signal_to_noise > 0 else -math.inf
