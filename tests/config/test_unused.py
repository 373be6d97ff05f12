"""Settings that do nothing beside the others are named."""

import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CustomizeConfig, GenerateConfig
from stickerforge.config.unused import unused_in_customize, unused_in_generate


@pytest.mark.parametrize(
    ("idle", "at_work", "said"),
    [
        ({"training.text_lr": 1e-4}, {"training.text_rank": 4}, "training.text_lr"),
        ({"training.prior_count": 10}, {"training.prior_weight": 1.0}, "training.prior_count"),
        (
            {"training.beta": 4.0, "training.objective": "plain"},
            {"training.objective": "dco"},
            "training.beta",
        ),
        (
            {"training.reduction": "batch", "training.objective": "plain"},
            {"training.objective": "dco"},
            "training.reduction",
        ),
        (
            {"training.token_lr": 0.1, "style": "ink"},
            {"style": "", "subject": "dog"},
            "training.token_lr",
        ),
        ({"validation.encoder": "clip"}, {"keep": "best"}, "validation.encoder"),
        ({"validation.encoder": "clip"}, {"validation.every": 10}, "validation.encoder"),
        ({"preview.style": "flat", "preview.count": 0}, {"preview.count": 1}, "preview.style"),
    ],
)
def test_of_customize(idle, at_work, said):
    (line,) = unused_in_customize(resolve(CustomizeConfig, idle))
    assert line.startswith(said)
    assert not list(unused_in_customize(resolve(CustomizeConfig, idle | at_work)))


@pytest.mark.parametrize(
    ("idle", "at_work", "said"),
    [
        ({"negative": "grass", "sampling.guidance": 1.0}, {"sampling.guidance": 2.0}, "--negative"),
        (
            {"sampling.guidance_rescale": 0.5, "sampling.guidance": 1.0},
            {"sampling.guidance": 2.0},
            "sampling.guidance_rescale",
        ),
        ({"output.columns": 3, "output.sheet": False}, {"output.sheet": True}, "output.columns"),
        ({"init.file": "a.png", "init.strength": 1.0}, {"init.mask": "b.png"}, "--init"),
    ],
)
def test_of_generate(idle, at_work, said):
    (line,) = unused_in_generate(resolve(GenerateConfig, idle))
    assert line.startswith(said)
    assert not list(unused_in_generate(resolve(GenerateConfig, idle | at_work)))


def test_what_works_is_not_remarked_on():
    assert not list(unused_in_customize(CustomizeConfig())) and not list(
        unused_in_generate(GenerateConfig())
    )
