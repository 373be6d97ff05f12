"""What tests of training share: random examples, settings, methods on tiny models."""

import torch

from stickerforge.config.schema import TrainingConfig
from stickerforge.data.captions import Caption
from stickerforge.models.registry import find_model, load_model
from stickerforge.training.batches import TrainingExample
from stickerforge.training.methods import METHODS
from stickerforge.training.state import init_state

SEED = 5
TOKENS = {"<dog>": "dog"}
CONFIG = TrainingConfig(
    steps=3,
    batch=3,
    rank=2,
    layers="attention",
    lr=1e-3,
    token_lr=1e-2,
    beta=700.0,
    objective="dco",
    offset_noise=0.1,
    weight_decay=1e-2,
    clip=1.0,
    save_every=10,
)


def model_of(folder):
    return load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)


def random_examples(model, count=4, caption="a <dog> {}", base="a dog {}"):
    random = torch.Generator().manual_seed(11)
    shape = model.latent_shape(model.pixels)
    return [
        TrainingExample(
            f"{i}",
            Caption(caption.format(i), base.format(i)),
            torch.randn(shape, generator=random),
            torch.rand(shape, generator=random) / 9,
            (40 + i, 50, i, 3, 32, 32),
        )
        for i in range(count)
    ]


def class_examples(model):
    """Examples whose captions hold no new word."""
    return random_examples(model, 3, "a dog", "a dog")[::-1]


def state_of(model, config=CONFIG, tokens=TOKENS):
    return init_state(
        model,
        tokens,
        rank=config.rank,
        layers=config.layers,
        text_rank=config.text_rank,
        seed=SEED,
    )


def method_of(model, config=CONFIG, *, examples=None, prior=(), tokens=TOKENS, changed=False):
    """The method that the settings name, on four random examples.

    Args:
        changed: whether the factors are not those of a new adapter, whose zeros hide gradients.
    """
    state = state_of(model, config, tokens)
    if changed:
        with torch.no_grad():
            for index, parameter in enumerate(state.factors):
                random = torch.Generator().manual_seed(index)
                parameter.add_(torch.randn(parameter.shape, generator=random) / 20)
    reference = random_examples(model) if examples is None else examples
    return METHODS[config.objective](state, reference, config, seed=SEED, prior=prior)
