"""`doctor`: what this installation has, and what is missing and how to get it."""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from stickerforge.errors import CheckFailed, StickerforgeError
from stickerforge.models.card import read_card
from stickerforge.models.checksums import published_sums, verify
from stickerforge.models.registry import EMBEDDED
from stickerforge.runtime.files import home
from stickerforge.runtime.install_hints import install_command
from stickerforge.version import __version__

LIBRARIES = (
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "accelerate",
    "huggingface-hub",
    "safetensors",
    "pillow",
    "numpy",
    "scipy",
    "typer",
    "rich",
    "rembg",
)
NO_TORCH = "torch cannot be imported"


def examine() -> tuple[dict[str, Any], list[str], str, CheckFailed | None]:
    """(result for the JSON, lines for people, "", what the default commands need and is broken)."""
    result: dict[str, Any] = {
        "stickerforge": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "libraries": {name: library_version(name) for name in LIBRARIES},
        "devices": devices(),
        "memory_mb": memory_mb(),
        "home": str(home()),
        "home_free_mb": shutil.disk_usage(existing_folder(home())).free // 1_000_000,
        "weights": {name: model_state(name) for name in EMBEDDED} | {"judges": judges_state()},
        "matting": matting_states(),
    }
    lines = [f"{key:13} {value}" for key, value in result.items() if not isinstance(value, dict)]
    for key in ("libraries", "weights", "matting"):
        lines += [f"{key:13} {name} {state}" for name, state in result[key].items()]
    problems = [
        f"{name}: {state}"
        for name, state in result["weights"].items()
        if not state.startswith("intact")
    ]
    problems += [result["devices"]] if result["devices"].startswith(NO_TORCH) else []
    problems += [
        f"{name} is missing"
        for name, version in result["libraries"].items()
        if version.startswith("missing") and name != "rembg"
    ]
    error = CheckFailed("; ".join(problems), "install stickerforge again") if problems else None
    return result, lines, "", error


def library_version(name: str) -> str:
    """The installed version, or how to get one."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if name != "rembg":
            return f"missing: {install_command(name)}"
        from stickerforge.models.matting import REQUIREMENT

        need = "only needed to cut out pictures of models without alpha"
        return f"missing ({need}): {install_command(REQUIREMENT)}"


def devices() -> str:
    """What torch can compute on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"{NO_TORCH}: {str(error)[:160]}"
    names = ["cpu"]
    names += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    names += ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join(names)


def memory_mb() -> int:
    """Physical memory, 0 where the system does not say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def existing_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return folder if folder.exists() else existing_folder(folder.parent)


def model_state(name: str) -> str:
    """Whether an embedded model is as it was published."""
    folder = EMBEDDED[name]
    try:
        verify(folder)
    except StickerforgeError as error:
        return str(error)
    if not published_sums(folder):
        return f"{folder} has no card: install stickerforge again"
    return f"intact ({len(published_sums(folder))} files, {read_card(folder, name).title})"


def judges_state() -> str:
    """Whether the judges of `evaluate`, `caption` and `customize` are as they were published."""
    try:
        from stickerforge.models.judge import model

        card = model.read_card(model.FOLDER)
    except (StickerforgeError, ImportError, OSError) as error:
        return str(error)[:160]
    return f"intact ({len(card['files'])} files)"


def matting_states() -> dict[str, str]:
    """{matting model: whether its weights are here, and the published ones}."""
    from stickerforge.models.matting import MODELS, weights_state

    return {model.name: f"({model.licence}) {weights_state(model)}" for model in MODELS.values()}
