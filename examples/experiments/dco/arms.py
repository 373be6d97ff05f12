"""The arms of the experiments, their trials and their lengths."""

from typing import Any

from stickerforge.config.schema import TrainingConfig

LENGTHS, STEPS = (50, 100, 200), 400  # the length axis: 50, 100, 200, 400
DEFAULT_STEPS = 200  # steps where length is no question
TRIAL_STEPS = (50, 100)  # steps after which the settings of the arms are compared
# Weights of consistency guidance at the end, in shares of the guidance scale.
CONSISTENCY_SHARES = (0.25, 0.5, 0.75)
TIMES = 2  # pictures per prompt
CONFIG = TrainingConfig(
    steps=STEPS,
    batch=4,
    rank=16,
    layers="all",
    lr=2e-3,
    token_lr=1e-2,
    beta=8.0,
    objective="dco",
    offset_noise=0.0,
    weight_decay=1e-4,
    clip=1.0,
    save_every=DEFAULT_STEPS,
)
RATES, TOKEN_RATES = (1e-3, 2e-3), (1e-3, 1e-2)
ARM_SETTINGS: dict[str, list[dict[str, Any]]] = {
    "dco": [
        {"objective": "dco", "beta": beta, "lr": rate} for beta in (8.0, 32.0) for rate in RATES
    ],
    "plain": [{"objective": "plain", "lr": rate} for rate in (RATES[0] / 2, *RATES, 2 * RATES[1])],
    "prior": [
        {"objective": "plain", "prior_weight": weight, "lr": rate}
        for weight in (0.5, 1.0)
        for rate in RATES
    ],
}
TRIALS = {
    arm: [one | {"token_lr": rate} for one in own for rate in TOKEN_RATES]
    for arm, own in ARM_SETTINGS.items()
}
# What the card of sticker-mini says of styles.
STYLE_SETTINGS = {"rank": 64, "lr": 1e-3, "offset_noise": 0.1, "beta": 20.0}
LEVELS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # at which two arms are compared
BETAS = (1.0, 8.0, 64.0, 512.0)
DEVIATION_STEPS = 40  # steps after which the deviation is measured
CACHED_NOISE = (0, 64)
