"""A set that tests draw into, and its tables."""

import json

from stickerforge.config.schema.picture_sets import ContentConfig, GatesConfig
from stickerforge.curation.gates import gate_candidates
from stickerforge.curation.screening import load_screens
from stickerforge.data.prompt_bank import BankPrompt

PROMPTS = [BankPrompt("a cat", "file"), BankPrompt("a dog, and a fox", "pair")]
SETTINGS = ContentConfig(count=3, steps=1, matting="none")


def rows(folder, table="drawn.jsonl"):
    path = folder / table
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def files(folder):
    """All files of a set, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def gate(folder, quiet, prompt_share=0.5):
    """Let gates judge a set: they take half of it by default."""
    settings = GatesConfig(
        prompt_score=-1.0,
        prompt_share=prompt_share,
        text="off",
        border=1.0,
        coverage_min=0.0,
        duplicates="off",
    )
    return gate_candidates(folder, settings, load_screens(settings, quiet), quiet)


def content(folder):
    return {path.name: path.read_bytes() for path in (folder / "pictures").glob("*.png")}
