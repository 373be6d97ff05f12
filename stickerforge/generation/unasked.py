"""What an image that is repeated may bring about by itself: no download, and little work.

It may be a stranger's; what costs more must be asked for by the call.
"""

from collections.abc import Callable

from stickerforge.config.schema import GenerateConfig
from stickerforge.data.init_pictures import has_ground, load_init
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.active_adapters import AdapterLookup
from stickerforge.generation.decoders import draws_alpha
from stickerforge.generation.plan import select_matting
from stickerforge.generation.requests import find_common
from stickerforge.models.matting import MODELS, weights_file
from stickerforge.models.registry import find_model

MAX_STEPS = 150
MAX_BATCH = 16
MAX_SIDE = 1024  # pixels, sampled and of the file


def check_work(config: GenerateConfig, asked: GenerateConfig) -> None:
    """Make sure that an image asks for no more work than images usually take.

    Args:
        config: the settings in force.
        asked: those of the call alone.

    Raises:
        InputError: it does, and the call does not say the same.
    """
    for name, value, own, limit in (
        ("sampling.steps", config.sampling.steps, asked.sampling.steps, MAX_STEPS),
        ("sampling.batch", config.sampling.batch, asked.sampling.batch, MAX_BATCH),
        ("sampling.pixels", config.sampling.pixels, asked.sampling.pixels, MAX_SIDE),
        ("output.size", config.output.size, asked.output.size, MAX_SIDE),
    ):
        if value is not None and value > limit and value != own:
            raise InputError(
                f"the picture asks for {name} = {value}, over {limit}",
                f"add --set {name}={value} where you want that",
            )


def check_weights(
    config: GenerateConfig, asked: GenerateConfig, *, offline: bool, say: Callable[[str], None]
) -> None:
    """Make sure that an image brings no weights about that are not here yet.

    Args:
        config, asked: see `check_work`.
        offline, say: see `find_model`.

    Raises:
        InputError: there is no such model or adapter.
        EnvironmentFault: it would, or the model that the call asks for cannot be had.
    """
    name = config.model or "sticker-mini"
    try:
        card = find_model(name, offline=offline or not asked.model, say=say)
    except EnvironmentFault:
        if asked.model:
            raise
        raise EnvironmentFault(
            f"the picture was made with {name}, which is not here",
            f"add --model {name} to fetch it",
        ) from None
    if config.matting == asked.matting and (asked.matting != "auto" or asked.model):
        return
    adapters = tuple(find_common(config.adapter, (), AdapterLookup()).values())
    init = load_init(config.init.file, config.init.strength, config.init.mask)
    alpha, ground = draws_alpha(adapters, card), has_ground(init)
    matting = select_matting(config.matting, draws_alpha=alpha, keeps_ground=ground)
    if matting != "none" and not weights_file(MODELS[matting]).exists():
        raise EnvironmentFault(
            f"the picture needs the weights of {matting} for cutting out, which are not here",
            f"add --set matting={matting} to fetch them ({MODELS[matting].megabytes} MB),"
            " or --set matting=none",
        )
