"""`adapters list`, `adapters show`, `adapters remove`."""

from dataclasses import asdict
from typing import Any

from stickerforge.adapters import store
from stickerforge.errors import InputError
from stickerforge.runtime.files import home


def list_adapters() -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): every adapter, also broken ones."""
    rows, lines = [], []
    for name in store.names():
        try:
            adapter = store.find(name)
            rows.append(
                {
                    "name": name,
                    "kind": adapter.kind,
                    "base": adapter.base.title,
                    "tokens": adapter.tokens,
                    "phrase": adapter.phrase,
                }
            )
            said = " ".join(adapter.tokens) or adapter.phrase
            lines.append(f"{name:24} {adapter.kind:8} {adapter.base.title:20} {said}")
        except InputError as error:
            rows.append({"name": name, "kind": "broken", "error": error.message})
            lines.append(f"{name:24} broken: {error.message}")
    return {"adapters": rows, "folder": str(home() / "adapters")}, lines or [
        "no adapters yet: make one with stickerforge customize"
    ]


def show_adapter(name: str) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): everything known of one adapter, its file verified."""
    adapter = store.find(store.validate_name(name))
    content = store.read_weights(adapter)
    ranks = sorted({factors.rank for factors in content.lora.values()})
    result = asdict(adapter) | {
        "path": str(adapter.path),
        "megabytes": round(adapter.path.stat().st_size / 1e6, 2),
        "layers": len(content.lora),
        "ranks": ranks,
    }
    lines = [
        f"{'name':12} {adapter.name}",
        f"{'kind':12} {adapter.kind}",
        f"{'base':12} {adapter.base.title}",
        *(f"{'token':12} {token} ({words})" for token, words in adapter.tokens.items()),
        *([f"{'phrase':12} {adapter.phrase}"] if adapter.phrase else []),
        *(f"{'parent':12} {parent['name']} x {parent['weight']}" for parent in adapter.parents),
        f"{'file':12} {adapter.path}, {result['megabytes']} MB, intact",
        f"{'layers':12} {len(content.lora)} of rank {', '.join(map(str, ranks))}",
        *(
            f"{key:12} {value}"
            for key, value in adapter.made.items()
            if key in ("objective", "steps", "batch", "beta", "seed")
        ),
        *(f"{'caption':12} {caption}" for caption in adapter.made.get("captions", [])[:8]),
    ]
    return result, lines


def remove_adapter(name: str, *, dry_run: bool) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): the adapter, removed with its files."""
    place = store.folder(store.validate_name(name))
    if not place.is_dir():
        store.find(name)
    if dry_run:
        files = sorted(path for path in place.rglob("*") if path.is_file())
        return {"dry_run": True, "removes": [str(path) for path in files]}, [
            f"remove  {path}" for path in files
        ]
    files = store.remove(name)
    return {"removed": [str(path) for path in files]}, [
        f"{name} removed: {len(files)} files in {place}"
    ]
