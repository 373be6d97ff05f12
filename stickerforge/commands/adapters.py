"""`adapters list`, `adapters show`, `adapters remove`."""

from dataclasses import asdict
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.decoder_format import autoencoder_name
from stickerforge.adapters.kinds import DECODER, KINDS, LORA, MIXTURE
from stickerforge.adapters.removal import files_of, remove
from stickerforge.errors import InputError, PartlyDone
from stickerforge.runtime.files import home
from stickerforge.runtime.text import plural, shorten_list
from stickerforge.training.run_folder import run_folder

SHOWN = ("objective", "steps", "batch", "beta", "seed")  # of how an adapter was made
MAX_CAPTIONS = 8


def list_adapters() -> tuple[dict[str, Any], list[str], str, PartlyDone | None]:
    """(result for the JSON, lines for people, "", which adapters are broken): every adapter."""
    rows: list[dict[str, Any]] = []
    lines, broken = [], []
    for name in store.names():
        try:
            adapter = store.find(name)
        except InputError as error:
            rows.append({"name": name, "kind": "broken", "error": error.message})
            lines.append(f"{name:24} broken: {error.message}")
            broken.append(name)
            continue
        rows.append(
            {
                "name": name,
                "kind": adapter.kind,
                "base": adapter.base.title,
                "tokens": adapter.tokens,
                "phrase": adapter.phrase,
            }
        )
        use = " ".join(adapter.tokens) or adapter.phrase
        lines.append(f"{name:24} {adapter.kind:8} {adapter.base.title:20} {use}")
    none = "no adapters yet: make one with stickerforge customize"
    result = {"adapters": rows, "folder": str(home() / "adapters")}
    return result, lines or [none], "", unusable(broken)


def unusable(names: list[str]) -> PartlyDone | None:
    """The error of exit code 4 where some adapters are broken; or None."""
    if not names:
        return None
    what = f"{plural(len(names), 'adapter')} cannot be used: {shorten_list(names, 5)}"
    return PartlyDone(what, f"see `stickerforge adapters show {names[0]}`")


def show_adapter(name: str) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): one adapter, its file verified."""
    adapter = store.find(store.validate_name(name))
    weights = store.read_weights(adapter)
    result = asdict(adapter) | {
        **adapter.locations(),
        "megabytes": round(sum(path.stat().st_size for path in adapter.paths) / 1e6, 2),
    }
    paths = adapter.paths
    lines = [
        f"{'name':12} {adapter.name}",
        f"{'kind':12} {adapter.kind}",
        f"{'base':12} {adapter.base.title}",
        *(f"{'token':12} {token} ({words})" for token, words in adapter.tokens.items()),
        *([f"{'phrase':12} {adapter.phrase}"] if adapter.phrase else []),
        *([f"{'prompts':12} {adapter.long_prompts.title}"] if adapter.long_prompts else []),
        *(f"{'parent':12} {parent['name']} x {parent['weight']}" for parent in adapter.parents),
        *(f"{'file':12} {path}, {path.stat().st_size / 1e6:.2f} MB, intact" for path in paths),
    ]
    if KINDS[adapter.kind] is LORA:
        ranks = sorted({factors.rank for factors in weights.lora.values()})
        result |= {"layers": len(weights.lora), "ranks": ranks}
        of_rank = ", ".join(map(str, ranks))
        lines.append(f"{'layers':12} {len(weights.lora)} of rank {of_rank}")
    if KINDS[adapter.kind] is MIXTURE:
        ranks = [max(own.rank for own in lora.values()) for lora in weights.loras]
        result |= {"layers": len(weights.layers), "ranks": ranks}
        result |= {"temperature": weights.temperature}
        of_rank = ", ".join(map(str, ranks))
        lines.append(f"{'layers':12} {len(weights.layers)}, gates for LoRAs of rank {of_rank}")
    if KINDS[adapter.kind] is DECODER:
        place = store.folder(adapter.name) / autoencoder_name(adapter)
        result |= {"autoencoder": str(place)}
        lines.append(f"{'encoder':12} {adapter.encoder}: for every model that has this one")
        lines.append(f"{'vae':12} {place}, as diffusers loads it")
    lines += [f"{key:12} {value}" for key, value in adapter.made.items() if key in SHOWN]
    captions = adapter.made.get("captions", [])[:MAX_CAPTIONS]
    lines += [f"{'caption':12} {caption}" for caption in captions]
    return result, lines


def remove_adapter(name: str, *, dry_run: bool) -> tuple[dict[str, Any], list[str], str]:
    """(result for the JSON, lines for people, what stays): the adapter, removed with its files."""
    folder, run = store.folder(store.validate_name(name)), run_folder(name)
    result: dict[str, Any] = {"run": str(run.path) if run.pointer.exists() else None}
    stays = ""
    if run.pointer.exists():
        stays = (
            f"its run stays in {run.path}, and --resume makes the adapter of it again:"
            " delete that folder, too, if nothing is to stay"
        )
    if dry_run:
        files = files_of(name)
        result |= {"dry_run": True, "removes": [str(path) for path in files]}
        return result, [f"remove  {path}" for path in files], stays
    files = remove(name)
    result["removed"] = [str(path) for path in files]
    what = "the link" if files == [folder] else f"{plural(len(files), 'file')} in"
    return result, [f"{name} removed: {what} {folder}"], stays
