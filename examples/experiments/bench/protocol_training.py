"""Training the adapters of the protocols, with the commands of a user."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from examples.experiments.bench.protocol_items import (
    STYLE_DRAWINGS,
    drawing_of,
    learned_subjects,
    slug,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.vocabulary import short_name
from examples.recipes.mini.world import World


def run_command(home: Path, *command: str) -> None:
    """One command of stickerforge, as a user would type it."""
    environment = os.environ | {"STICKERFORGE_HOME": str(home.resolve())}
    subprocess.run(
        [sys.executable, "-m", "stickerforge", *command],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )


def customize_once(
    home: Path, name: str, pictures: dict[str, Image.Image], options: Sequence[str]
) -> None:
    """`customize` with default settings, unless it was done."""
    if (home / "adapters" / name / "adapter.json").exists():
        return
    folder = home.parent / "shown" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, picture in pictures.items():
        picture.save(folder / f"{stem}.png")
    print(f"teaching {name}", flush=True)
    run_command(
        home, "customize", str(folder), *options, "--set", "preview.count=0", "--force", "--quiet"
    )


def customize_subject(
    home: Path, scenes: World, subject: Subject, held: int, extra: Sequence[str]
) -> str:
    """Its adapter, from three styles; returns the name."""
    drawings = {
        style: drawing_of(scenes, subject, style) for k, style in enumerate(STYLES) if k != held
    }
    customize_once(
        home,
        slug(subject.name),
        drawings,
        ["--subject", slug(subject.name), "--class", short_name(subject.name), *extra],
    )
    return slug(subject.name)


def customize_style(home: Path, scenes: World, name: str, style: str, extra: Sequence[str]) -> None:
    """A style adapter from drawings of learned subjects, which their files name."""
    drawings = {
        slug(s.name): drawing_of(scenes, s, style)
        for s in learned_subjects(scenes)[:STYLE_DRAWINGS]
    }
    customize_once(home, name, drawings, ["--style", name, *extra])
