"""The files of an adapter that is given by a path: one, two that belong together, or a folder.

Folders are those of `save_lora_weights` of diffusers, of `save_pretrained` of peft, and ours.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stickerforge.adapters.decoder_format import AUTOENCODER, is_decoder
from stickerforge.adapters.header import AdapterFile, read_file
from stickerforge.adapters.image_prompt_format import is_image_prompt
from stickerforge.adapters.lora_alphas import METADATA
from stickerforge.adapters.lora_format import FILES, NETWORK, PART_OF, is_lora
from stickerforge.adapters.lora_keys import ALPHA, ENDINGS, PEFT_PREFIX, ending
from stickerforge.adapters.mixture_format import is_mixture
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

PEFT_CONFIG = "adapter_config.json"
PEFT_WEIGHTS = "adapter_model.safetensors"
PICKLED = (".bin", ".pt", ".pth", ".ckpt")
WEIGHTS = ("pytorch_lora_weights.safetensors", PEFT_WEIGHTS)  # as diffusers and peft name them
MAX_CONFIG_BYTES = 4_000_000  # that of a LoRA on every layer of a large model has under one
# The networks that peft adapts, by their class and by the folders of its scripts.
NETWORKS = {
    "UNet2DConditionModel": "unet",
    "CLIPTextModel": "text_encoder",
    "CLIPTextModelWithProjection": "text_encoder_2",
}
GIVE_LORA = "give a LoRA file in safetensors format, or a folder that holds one"


def read_source(path: Path) -> tuple[AdapterFile, ...]:
    """The files of the adapter at a path.

    Raises:
        InputError: there is none, it is broken, or a folder holds more than one.
    """
    check_no_autoencoder(path if path.is_dir() else path.parent)
    if path.is_dir():
        return read_folder(path)
    if path.name == PEFT_WEIGHTS and path.exists():
        return (read_peft(path),)
    file = read_file(path)
    # Beside a file of peft's own name the configuration is that file's.
    is_alone = not path.with_name(PEFT_WEIGHTS).exists()
    if is_of_peft(file) and is_alone and path.with_name(PEFT_CONFIG).exists():
        return (read_peft(path),)
    return file, *others_of(file)


def check_no_autoencoder(folder: Path) -> None:
    """Make sure that a folder is not what lies beside a decoder for diffusers.

    Raises:
        InputError: it is; the decoder is named.
    """
    decoder = folder.absolute().parent
    if folder.name.startswith(f"{AUTOENCODER}-") and any(
        (header := read_header(path)) and is_decoder(header)
        for path in decoder.glob("*.safetensors")
    ):
        raise InputError(
            f"{folder} is an autoencoder as diffusers loads it", f"give --adapter {decoder}"
        )


def is_of_peft(file: AdapterFile) -> bool:
    """Whether peft wrote a file, by whatever name, and nothing in it says how strong it is."""
    written = any(key.startswith(PEFT_PREFIX) for key in file.header)
    return (
        written
        and METADATA not in file.metadata
        and not any(ENDINGS.get(ending(key)) == ALPHA for key in file.header)
    )


def strength_remark(files: Sequence[AdapterFile]) -> str:
    """A line about a file whose strength nobody says, and which is taken for 1; or ""."""
    if not (unsaid := [file.path for file in files if is_of_peft(file)]):
        return ""
    return (
        f"{unsaid[0]} is a file of peft without its {PEFT_CONFIG}, which says how strong it is: "
        "it is taken as alpha = rank; put that file beside it"
    )


def others_of(file: AdapterFile) -> list[AdapterFile]:
    """The files beside one of ours that belong to the same adapter.

    Raises:
        InputError: they are not there.
    """
    digest = file.metadata.get(PART_OF)
    if not digest:
        return []
    beside = [path for path in sorted(file.path.parent.glob("*.safetensors")) if path != file.path]
    headers = [header for path in beside if (header := read_header(path))]
    others = [header.path for header in headers if header.metadata.get(PART_OF) == digest]
    if file.metadata.get(FILES, "1") != str(1 + len(others)):
        raise InputError(
            f"{file.path} is one of the two files of an adapter, and the other is not beside it",
            "copy both into one folder",
        )
    return [read_file(other) for other in others]


def read_header(path: Path) -> AdapterFile | None:
    """A file without its tensors; None for one that cannot be an adapter's."""
    try:
        return read_file(path, tensors=False) if path.is_file() else None
    except InputError:
        return None


def looks_like_adapter(folder: Path) -> bool:
    """Whether a path is a folder with files such as adapters have."""
    if not os.path.isdir(folder):  # noqa: PTH112 - which no name is too long for
        return False
    return any(folder.glob("*.safetensors")) or any(folder.glob(f"*/{PEFT_CONFIG}"))


def read_folder(folder: Path) -> tuple[AdapterFile, ...]:
    """The files of the adapter in a folder.

    Raises:
        InputError: it holds no adapter, or more than one.
    """
    if (folder / "model_index.json").exists():
        raise InputError(f"{folder} is a folder of a whole model", "give it as --model")
    parts = [folder / name for name in sorted(set(NETWORKS.values()))]
    if found := [part for part in parts if (part / PEFT_CONFIG).exists()]:
        return tuple(read_peft(part / PEFT_WEIGHTS, network=part.name) for part in found)
    paths = sorted(folder.glob("*.safetensors"))
    named = next((folder / name for name in WEIGHTS if folder / name in paths), None)
    if named:
        return read_source(named)
    readable = [header for path in paths if (header := read_header(path))]
    # Beside a mixture lies a plain LoRA, its average.
    headers = [header for header in readable if is_mixture(header)] or [
        header for header in readable if is_lora(header) or is_image_prompt(header)
    ]
    adapters = {header.metadata.get(PART_OF, str(header.path)) for header in headers}
    if len(adapters) > 1:
        names = ", ".join(header.path.name for header in headers[:4])
        raise InputError(f"{folder} holds more than one adapter: {names}", "give one of the files")
    if not headers:
        if paths:
            return (read_file(paths[0]),)  # whoever reads its tensors says what it is
        pickled = next((path for end in PICKLED for path in sorted(folder.glob(f"*{end}"))), None)
        instead = f" but {pickled.name}, which is pickled" if pickled else ""
        raise InputError(f"{folder} holds no LoRA file{instead}", GIVE_LORA)
    return read_source(headers[0].path)


def read_peft(path: Path, network: str = "") -> AdapterFile:
    """A file of peft, with what the configuration beside it says as diffusers' metadata says it.

    Args:
        network: that it is for, where its folder says so.

    Raises:
        InputError: the file or the configuration is missing or broken.
    """
    config = read_config(path.with_name(PEFT_CONFIG))
    mapping = config.get("auto_mapping")
    kind = mapping.get("base_model_class") if isinstance(mapping, dict) else None
    network = network or NETWORKS.get(str(kind), "")
    file = read_file(path)
    own = {METADATA: json.dumps(config)} | ({NETWORK: network} if network else {})
    beside = json.dumps(config, sort_keys=True).encode()
    return replace(file, metadata=file.metadata | own, beside=beside)


def read_config(path: Path) -> dict[str, Any]:
    """peft's configuration.

    Raises:
        InputError: it is missing or broken.
    """
    try:
        config = parse_json(read_text(path, MAX_CONFIG_BYTES))
        if not isinstance(config, dict):
            raise ValueError(path)
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing, where peft writes how strong {PEFT_WEIGHTS} is",
            "put it beside that file",
        ) from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", GIVE_LORA) from None
    except ValueError:
        raise InputError(f"{path} is no configuration of peft", "fetch the folder again") from None
    return config
