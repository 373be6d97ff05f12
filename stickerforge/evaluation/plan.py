"""Everything about a call of `evaluate` that is known before an image is read."""

from dataclasses import dataclass
from pathlib import Path

from stickerforge.config.schema import EvaluateConfig
from stickerforge.evaluation.limits import Limit
from stickerforge.evaluation.prompt_matching import PromptFile


@dataclass(frozen=True)
class EvaluationPlan:
    """Everything that is known before a picture is read.

    Args:
        paths: of what may be pictures, by role.
        passed_over: names of what is none, by the folder.
        replaced: the other folder whose report lies where this one goes, or "".
    """

    config: EvaluateConfig
    limits: list[Limit]
    wanted: set[str]
    prompts: PromptFile
    paths: dict[str, list[Path]]
    passed_over: dict[str, list[str]]
    out: Path
    replaced: str
