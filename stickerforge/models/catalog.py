"""From the name of a model to a folder that holds it: the embedded one, a folder, or a hub repository.

Imports neither torch nor diffusers, so that names can be checked and listed at once.
"""

import contextlib
import difflib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.files import home

EMBEDDED = {"sticker-mini": Path(__file__).parent / "mini"}
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
KNOWN_ON_HUB = {  # name: (licence, what it is)
    "stable-diffusion-v1-5/stable-diffusion-v1-5": ("CreativeML Open RAIL-M", "Stable Diffusion 1.5, 512 px"),
    "stabilityai/stable-diffusion-xl-base-1.0": ("CreativeML Open RAIL++-M", "Stable Diffusion XL, 1024 px"),
}
JUDGES = ("judge", "second")  # encoders that ship
ENCODERS = {
    "clip": "openai/clip-vit-large-patch14",
    "siglip": "google/siglip2-base-patch16-224",
    "dinov2": "facebook/dinov2-large",
}
REWARDS = {  # models of what people like, and of what is true of a picture; "" where no safetensors of it are known on the hub
    "pickscore": "yuvalkirstain/PickScore_v1",
    "hpsv2": "",
    "aesthetic": "shunk031/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE",
    "vqascore": "llava-hf/llava-interleave-qwen-0.5b-hf",
    "lpips": "",
}
INK = re.compile(r"[0-9a-f]{6}")
CARD = "stickerforge.json"  # what a model folder of ours says about itself
NEEDED = ("model_index.json", "unet", "text_encoder", "tokenizer", "vae", "scheduler")
DICTS = ("sampling", "customizing", "wordings")  # of a card
PIPELINES = {"StableDiffusionPipeline": NEEDED, "StableDiffusionXLPipeline": (*NEEDED, "text_encoder_2", "tokenizer_2")}


@dataclass(frozen=True)
class Card:
    """What is known of a model before its weights are read.

    Args:
        version: of the weights, such as "2.1"; "" where a model has none.
        alpha: "premultiplied" or "straight" where the autoencoder makes RGBA, else "".
        words_file: the words the model was trained on, one a line; "" where unknown.
        sampling: recommended steps, guidance, guidance_rescale and pixels.
        customizing: recommended training of a "subject" and of a "style".
        wordings: {what people say: what the model's captions said instead}.
        inks: {name of a style that has no shading: the colours it is drawn in, as "rrggbb"}.
    """

    name: str
    folder: Path
    version: str
    licence: str
    about: str
    alpha: str
    words_file: str
    sampling: dict[str, Any]
    customizing: dict[str, Any]
    wordings: dict[str, str] = field(default_factory=dict)
    inks: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def spoken(self, text: str) -> str:
        """A prompt as the model's captions would have put it; new words, such as <blue-background>, stay what they are."""
        for said, learned in self.wordings.items():
            parts = re.split(r"(<[^<>\s]+>)", text)
            parts[::2] = [re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", learned, part, flags=re.IGNORECASE) for part in parts[::2]]
            text = "".join(parts)
        return text

    def flat_style(self, text: str) -> str:
        """The style without shading that a prompt names first, as the model is told it ("in flat style"); "" for none."""
        names = "|".join(map(re.escape, self.inks))
        named = re.search(rf"(?:^|[,;.:] ?|\bin )(?:the )?({names}) style\b", text, re.IGNORECASE | re.ASCII) if names else None
        return named[1].lower() if named else ""

    @property
    def title(self) -> str:
        """`sticker-mini@2.1`, or the plain name of a model without versions."""
        return f"{self.name}@{self.version}" if self.version else self.name


def located(name: str, *, offline: bool = False, say: Callable[[str], None] = lambda line: None) -> Card:
    """The card of a model; hub models are fetched where they are not in the cache yet.

    Args:
        name: "sticker-mini", "sticker-mini@2.1", the path of a diffusers folder, or "owner/name" on the hub.
        say: told before gigabytes are fetched.

    Raises:
        InputError: nothing is called that, or the folder holds no model.
        EnvironmentFault: the model is real but cannot be had here.
    """
    if not name.strip():
        raise InputError("the model's name is empty", "give --model sticker-mini")
    plain, _, version = name.partition("@")
    if plain in EMBEDDED:
        card = read_card(EMBEDDED[plain], plain)
        if version and version != card.version:
            raise InputError(f"there is no {name} in this release, only {card.title}", f"give --model {card.title}")
        return card
    path = Path(os.path.expanduser(name))
    if os.path.exists(path):
        return read_card(checked_folder(path), path.resolve().name)
    if HUB_NAME.fullmatch(name) and not name.startswith("."):
        return read_card(checked_folder(fetched(name, offline=offline, say=say, wanted=of_a_pipeline())), name)
    names = [*EMBEDDED, *KNOWN_ON_HUB]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}?" if close else "give sticker-mini, a diffusers folder, or owner/name of a hub model"
    raise InputError(f"unknown model {name!r}", hint)


def checked_folder(path: Path) -> Path:
    """The path, if it is a diffusers folder of a pipeline that can be used.

    Raises:
        InputError: it is a file, something is missing, or it is another kind of pipeline.
    """
    if not path.is_dir():
        raise InputError(f"{path} is a file, not a model folder", "give the folder that holds model_index.json")
    known = (path / NEEDED[0]).exists() and PIPELINES.get(pipeline_of(path)) or NEEDED
    missing = [part for part in known if not (path / part).exists()]
    if missing:
        raise InputError(f"{path} is no diffusers model: it has no {missing[0]}", "give the folder that holds model_index.json")
    kind = pipeline_of(path)
    if kind not in PIPELINES:
        raise InputError(f"{path} holds a {kind or 'nameless pipeline'}", f"{' and '.join(PIPELINES)} folders work as yet")
    return path


def pipeline_of(folder: Path) -> str:
    """The class that a model folder names in its model_index.json."""
    return str(read_json(folder / NEEDED[0]).get("_class_name", ""))


def read_card(folder: Path, name: str) -> Card:
    """What the folder says about itself, with defaults for folders that are not ours."""
    said = read_json(folder / CARD) if (folder / CARD).exists() else {}
    if not isinstance(said.get("version", ""), str | int) or not all(isinstance(said.get(key, {}), dict) for key in DICTS):
        raise InputError(f"{folder / CARD} is broken", "fetch the model again")
    licence, about = KNOWN_ON_HUB.get(name, ("unknown", "a Stable Diffusion folder"))
    return Card(
        name=str(said.get("name", name)),
        folder=folder,
        version=str(said.get("version") or ""),
        licence=str(said.get("licence", licence)),
        about=str(said.get("about", about)),
        alpha=str(said.get("alpha", "")),
        words_file=str(said.get("words", "")),
        sampling=dict(said.get("sampling", {})),
        customizing=dict(said.get("customizing", {})),
        wordings={str(key): str(value) for key, value in said.get("wordings", {}).items()},
        inks=read_inks(folder / Path(str(said["inks"])).name) if said.get("inks") else {},
    )


def read_inks(path: Path) -> dict[str, tuple[str, ...]]:
    """{style in lower case: colours as "rrggbb"}.

    Raises:
        InputError: the file is broken.
    """
    found = {name.lower(): tuple(str(code).lower() for code in codes) for name, codes in read_json(path).items() if isinstance(codes, list)}
    if not found or not all(name.strip() and codes and all(map(INK.fullmatch, codes)) for name, codes in found.items()):
        raise InputError(f"{path} is broken", "fetch the model again")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises:
        InputError: the file is broken.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", "fetch the model again") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object", "fetch the model again")
    return value


def of_a_pipeline() -> tuple[str, ...]:
    """The files of a diffusers pipeline that are needed: safetensors of the known parts only."""
    parts = dict.fromkeys(part for parts in PIPELINES.values() for part in parts[1:])
    return ("model_index.json", *(f"{part}/*.{kind}" for part in parts for kind in ("json", "txt", "safetensors")))


def fetched(name: str, *, offline: bool, say: Callable[[str], None], wanted: Sequence[str]) -> Path:
    """The folder of a hub model, from the cache or the network.

    Args:
        wanted: patterns of the files that are needed.

    Raises:
        EnvironmentFault: it is not in the cache and cannot be fetched.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    unwanted = ["*.fp16.*", "*.non_ema.*"]  # the same weights a second time
    cache = home() / "hub"
    fetch = partial(huggingface_hub.snapshot_download, name, cache_dir=cache, allow_patterns=list(wanted), ignore_patterns=unwanted)
    try:
        with contextlib.suppress(LocalEntryNotFoundError):
            return Path(fetch(local_files_only=True))
        if offline:
            raise EnvironmentFault(
                f"{name} is not in the cache {cache} and nothing may be fetched",
                "use it once without --offline and --dry-run, or give a folder",
            )
        say(f"fetching {name} into {cache}")
        return Path(fetch())
    except HFValidationError:
        raise InputError(f"{name!r} is no name of the hub", "give owner/name, or a folder that exists") from None
    except LocalEntryNotFoundError:
        raise EnvironmentFault(
            f"{name} is not in the cache {cache} and the hub cannot be reached", "check the connection, or give a folder"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EnvironmentFault(f"cannot fetch {name}: {reason}", "check the name and the connection, or give a folder") from None


def encoder_repository(name: str) -> str:
    """The hub repository of an encoder for `evaluate`; "" for a judge and for a folder.

    Raises:
        InputError: nothing is called that.
    """
    if name in JUDGES or (name not in ENCODERS and Path(name).expanduser().is_dir()):
        return ""
    repository = ENCODERS.get(name, name)
    if not HUB_NAME.fullmatch(repository) or name.startswith("."):
        raise InputError(f"unknown encoder {name!r}", f"give {', '.join([*JUDGES, *ENCODERS])}, or a folder")
    return repository


def reward_place(text: str) -> tuple[str, str]:
    """(kind, folder or hub repository) of KIND or KIND=PLACE, as --reward takes it.

    Raises:
        InputError: there is no such kind, or it needs a place.
    """
    kind, _, place = text.partition("=")
    if kind not in REWARDS:
        raise InputError(f"unknown reward {kind!r}", f"give {', '.join(REWARDS)}, each with =FOLDER for other weights")
    place = place or REWARDS[kind]
    if not place:
        what = "a safetensors file (the README says how to make one)" if kind == "lpips" else "a folder in the format of transformers"
        raise InputError(f"the weights of {kind} must be given", f"--reward {kind}=PLACE, {what}")
    if not Path(place).expanduser().exists() and (kind == "lpips" or not HUB_NAME.fullmatch(place) or place.startswith(".")):
        raise InputError(f"--reward {kind}: there is no {place}", "give a folder, a file for lpips, or owner/name of the hub")
    return kind, place


def check_pixels(card: Card, pixels: int, setting: str = "sampling.pixels") -> None:
    """Make sure that a side survives every halving of the autoencoder and of the denoiser.

    Raises:
        InputError: it does not; the multiple that would is named.
    """
    halvings = [len(read_json(card.folder / part / "config.json").get("block_out_channels", [0])) - 1 for part in ("vae", "unet")]
    multiple = 2 ** sum(halvings)
    if pixels % multiple:
        raise InputError(f"{setting} = {pixels} does not suit {card.title}", f"give a multiple of {multiple}")


def has_alpha(card: Card) -> bool:
    """Whether the autoencoder makes four channels, as its configuration says."""
    return bool(read_json(card.folder / "vae" / "config.json").get("out_channels") == 4)
