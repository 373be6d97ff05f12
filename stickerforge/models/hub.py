"""Models on the hub: their names, and fetching them."""

import contextlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from stickerforge.config.user_paths import user_path
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.files import home

VARIANTS, NEVER = ("*.fp16.*", "*.fp16-*"), ("*.non_ema.*", "*.non_ema-*")
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
KNOWN_ON_HUB = {  # name: (licence, what it is)
    "stable-diffusion-v1-5/stable-diffusion-v1-5": (
        "CreativeML Open RAIL-M",
        "Stable Diffusion 1.5, 512 px",
    ),
    "stabilityai/stable-diffusion-xl-base-1.0": (
        "CreativeML Open RAIL++-M",
        "Stable Diffusion XL, 1024 px",
    ),
}
JUDGES = ("judge", "second")  # encoders that ship
ENCODERS = {
    "clip": "openai/clip-vit-large-patch14",
    "siglip": "google/siglip2-base-patch16-224",
    "dinov2": "facebook/dinov2-large",
}
# Models of what people like, and of what is true of an image; "" where the hub has no safetensors
# of it.
REWARDS = {
    "pickscore": "yuvalkirstain/PickScore_v1",
    "hpsv2": "",
    "aesthetic": "shunk031/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE",
    "vqascore": "llava-hf/llava-interleave-qwen-0.5b-hf",
    "lpips": "",
}


def download(
    name: str, *, offline: bool, say: Callable[[str], None], patterns: Sequence[str]
) -> Path:
    """The folder of a hub model, from the cache or the network.

    Args:
        patterns: of the files that are needed.

    Raises:
        EnvironmentFault: it is not in the cache and cannot be fetched.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    cache = home() / "hub"
    fetch = partial(
        huggingface_hub.snapshot_download,
        name,
        cache_dir=cache,
    )
    try:
        with contextlib.suppress(LocalEntryNotFoundError):
            return whole_snapshot(partial(fetch, local_files_only=True), patterns)
        if offline:
            raise EnvironmentFault(
                f"{name} is not in the cache {cache} and nothing may be fetched",
                "use it once without --offline and --dry-run, or give a folder",
            )
        say(f"fetching {name} into {cache}")
        return whole_snapshot(fetch, patterns)
    except HFValidationError:
        raise InputError(
            f"{name!r} is no name of the hub", "give owner/name, or a folder that exists"
        ) from None
    except LocalEntryNotFoundError:
        raise EnvironmentFault(
            f"{name} is not in the cache {cache} and the hub cannot be reached",
            "check the connection, or give a folder",
        ) from None
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EnvironmentFault(
            f"cannot fetch {name}: {reason}", "check the name and the connection, or give a folder"
        ) from None


def whole_snapshot(fetch: Callable[..., str], patterns: Sequence[str]) -> Path:
    """The folder that `fetch` gives, with 16-bit variants of weights where there are no others.

    Args:
        fetch: takes `allow_patterns` and `ignore_patterns` of files.
        patterns: of the files that are needed.
    """
    ignored = [*VARIANTS, *NEVER]  # else the same weights twice
    folder = Path(fetch(allow_patterns=list(patterns), ignore_patterns=ignored))
    if not any(pattern.endswith(".safetensors") for pattern in patterns):
        return folder
    parts = sorted({config.parent for config in folder.rglob("config.json")})
    if lacking := [part.relative_to(folder) for part in parts if lacks_weights(part)]:
        names = [str(part / "*") for part in lacking]
        more = [f"{name}.{kind}" for name in names for kind in ("safetensors", "json")]
        folder = Path(fetch(allow_patterns=more, ignore_patterns=list(NEVER)))
    return folder


def lacks_weights(folder: Path) -> bool:
    """Whether there are no safetensors in a folder."""
    return next(folder.glob("*.safetensors"), None) is None


def encoder_repository(name: str) -> str:
    """The hub repository of an encoder for `evaluate`; "" for a judge and for a folder.

    Raises:
        InputError: nothing is called that.
    """
    if name in JUDGES or (name not in ENCODERS and Path(name).is_dir()):
        return ""
    repository = ENCODERS.get(name, name)
    if not HUB_NAME.fullmatch(repository) or name.startswith("."):
        raise InputError(
            f"unknown encoder {name!r}", f"give {', '.join([*JUDGES, *ENCODERS])}, or a folder"
        )
    return repository


def model_repository(place: str, what: str) -> str:
    """The hub repository of a model that a setting names; "" where it names a folder.

    Args:
        what: it is to be, for messages.

    Raises:
        InputError: it is neither.
    """
    if Path(user_path(place)).is_dir():
        return ""
    if not HUB_NAME.fullmatch(place) or place.startswith("."):
        raise InputError(
            f"{what}: there is no folder {place!r}", "give a folder, or owner/name of the hub"
        )
    return place


def reward_place(text: str) -> tuple[str, str]:
    """(kind, folder or hub repository) of KIND or KIND=PLACE, as --reward takes it.

    Raises:
        InputError: there is no such kind, or it needs a place.
    """
    kind, _, place = text.partition("=")
    if kind not in REWARDS:
        raise InputError(
            f"unknown reward {kind!r}",
            f"give {', '.join(REWARDS)}, each with =FOLDER for other weights",
        )
    place = user_path(place) or REWARDS[kind]
    if not place:
        what = (
            "a safetensors file (the README says how to make one)"
            if kind == "lpips"
            else "a folder in the format of transformers"
        )
        raise InputError(f"the weights of {kind} must be given", f"--reward {kind}=PLACE, {what}")
    if not Path(place).exists() and (
        kind == "lpips" or not HUB_NAME.fullmatch(place) or place.startswith(".")
    ):
        raise InputError(
            f"--reward {kind}: there is no {place}",
            "give a folder, a file for lpips, or owner/name of the hub",
        )
    return kind, place
