"""Which candidates are to be drawn, under which names, and by what: before a weight is read."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from stickerforge.config.schema import GenerateConfig, OutputConfig, SamplingConfig, WordsConfig
from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation.candidate_tables import Drawn, delete_picture
from stickerforge.data.prompt_bank import BankPrompt, normalize
from stickerforge.errors import InputError
from stickerforge.generation.known_words import KEEP_WORDS
from stickerforge.generation.plan import GenerationPlan, plan_generation
from stickerforge.rating.rating_set import PICTURES, Candidate
from stickerforge.runtime.console import Console
from stickerforge.runtime.seeds import derive_seed
from stickerforge.stickers.image_files import is_truncated, read_params

# Parameters of an image that say what it shows and not by what it was drawn.
OF_ONE_IMAGE = frozenset(
    "prompt negative text avoid base words seed digest subject adapter style".split()
)


def draw_config(
    folder: Path,
    settings: ContentConfig,
    *,
    model: str,
    adapters: tuple[str, ...],
    seed: int,
    device: str,
) -> GenerateConfig:
    """The settings by which `generate` would draw the pictures."""
    return GenerateConfig(
        model=model,
        adapter=adapters,
        seed=seed,
        device=device,
        matting=settings.matting,
        sampling=SamplingConfig(
            steps=settings.steps,
            guidance=settings.guidance,
            batch=settings.batch,
            pixels=settings.pixels,
        ),
        output=OutputConfig(folder=str(folder / PICTURES), size=0, colours="drawn", sheet=False),
        words=WordsConfig(),
    )


def candidate_rows(
    prompts: Sequence[BankPrompt], earlier: Sequence[Drawn], count: int, seed: int
) -> dict[str, Candidate]:
    """{stem of a file: its row without a model} of some pictures of each prompt.

    A picture that is in the set keeps its number, others are given the next ones.

    Args:
        earlier: the pictures of the set.
        count: of pictures a prompt.
        seed: of the call.
    """
    numbers = {(one.row.text, one.row.seed): one.number for one in earlier if one.number}
    following = max(numbers.values(), default=0) + 1
    rows: dict[str, Candidate] = {}
    for prompt in prompts:
        for item in range(count):
            own_seed = derive_seed(seed, f"candidate {prompt.text}", item=item)
            number = numbers.get((prompt.text, own_seed), following)
            following += number == following
            numbers[prompt.text, own_seed] = number
            stem = f"{number:06d}"
            rows[stem] = Candidate(
                f"{PICTURES}/{stem}.png",
                prompt.text,
                normalize(prompt.text) or prompt.text,
                own_seed,
                "",
                prompt.family,
            )
    return rows


def plan_candidates(
    rows: Mapping[str, Candidate],
    config: GenerateConfig,
    prompts_file: str,
    console: Console,
    *,
    offline: bool,
) -> GenerationPlan:
    """What is drawn; a damaged file where a picture belongs is deleted, to be drawn anew.

    Args:
        prompts_file: of the user, for messages; "" where the prompts are those of the bank.

    Raises:
        InputError: a prompt cannot be drawn.
        EnvironmentFault: the model cannot be had here.
    """
    pictures = Path(config.output.folder)
    for stem in rows:
        if is_damaged(path := pictures / f"{stem}.png"):
            delete_picture(path)
    advice = f"change its row in {prompts_file}" if prompts_file else "give others in content.file"
    table = [{"id": stem, "prompt": row.text, "seed": row.seed} for stem, row in rows.items()]
    with TemporaryDirectory() as folder:
        file = Path(folder, "prompts.jsonl")
        file.write_text("".join(json.dumps(line) + "\n" for line in table), encoding="utf-8")
        try:
            plan = plan_generation(
                replace(config, prompts=str(file)), console, offline=offline, force=True
            )
        except InputError as error:
            raise InputError(error.message, error.hint.replace(KEEP_WORDS, advice)) from None
    refused = tuple(dict.fromkeys(line.replace(KEEP_WORDS, advice) for line in plan.refused))
    return replace(plan, refused=refused)


def is_damaged(path: Path) -> bool:
    """Whether a picture's file is there and cannot be one; a broken copy leaves such files."""
    try:
        if not is_truncated(path):
            read_params(path)
            return False
    except OSError:  # it is not there, or whoever reads it says why it cannot be read
        return False
    except ValueError:
        pass
    return True


def model_digest(params: Mapping[str, object]) -> str:
    """Hash of the model, its adapters and the settings that drew an image."""
    own = {key: value for key, value in params.items() if key not in OF_ONE_IMAGE}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]
