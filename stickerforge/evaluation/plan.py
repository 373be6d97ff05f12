"""Everything about a call of `evaluate` that is known before a picture is read."""

from dataclasses import dataclass
from pathlib import Path

from stickerforge.evaluation.limits import Limit
from stickerforge.evaluation.prompt_matching import PromptFile


@dataclass(frozen=True)
class EvaluationPlan:
    """Everything that is known before a picture is read.

    Args:
        folders: as the user named them, by role: "pictures", and those that were given of
            "reference", "style_reference" and "baseline".
        paths: of what may be pictures, by role.
        skipped: names of what is none, by the folder.
        encoder: its name, or a folder.
        rewards: {kind: folder, file or hub repository}.
        metrics: names of those that are wanted.
        is_selection: whether the user named them; all are meant otherwise.
        settings: the configuration as TOML, which lies beside the report.
        replaced: the other folder whose report lies where this one goes, or "".
    """

    folders: dict[str, str]
    paths: dict[str, list[Path]]
    skipped: dict[str, list[str]]
    prompts: PromptFile
    encoder: str
    device: str
    rewards: dict[str, str]
    metrics: set[str]
    is_selection: bool
    allow_small: bool
    limits: list[Limit]
    settings: str
    out: Path
    replaced: str
