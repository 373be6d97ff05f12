"""What `tailor style` draws for people to decide about, and what it filters."""

from pathlib import Path

from stickerforge.config.schema import TailorStyleConfig
from stickerforge.curation.candidates import draw_candidates
from stickerforge.curation.content_prompts import content_prompts
from stickerforge.curation.filters import filter_pictures
from stickerforge.curation.gates import gate_candidates
from stickerforge.curation.style_pictures import Gathered
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.models.card import ModelCard
from stickerforge.rating.rating_set import SetInfo, set_folder
from stickerforge.runtime.console import Console


def gather_content(
    config: TailorStyleConfig,
    card: ModelCard,
    adapters: tuple[str, ...],
    console: Console,
    *,
    offline: bool,
    force: bool,
) -> Gathered:
    """Draw candidates of the content stage, and take out what the gates reject.

    Args:
        adapters: that the model draws with.
        force: draw anew what another model or other settings drew.

    Raises:
        InputError: a setting cannot be used, or no picture passes the gates.
        EnvironmentFault: a model cannot be had here, or the disk is full.
        Interrupted: what was drawn stays, and a further call goes on.
    """
    folder = set_folder(config.name, "match")
    prompts = content_prompts(
        config.content, card, config.seed, console, device=config.device, offline=offline
    )
    drawn = draw_candidates(
        prompts,
        folder,
        config.content,
        console,
        model=config.model,
        adapters=adapters,
        seed=config.seed,
        device=config.device,
        offline=offline,
        force=force,
        info=SetInfo("match", config.content.guideline),
    )
    report = gate_candidates(folder, config.gates, console, device=config.device, offline=offline)
    page = report.write(folder)
    report.check(page)
    return Gathered(folder, drawn.made, drawn.kept, report.counts, page, drawn.failed)


def filter_domain(
    config: TailorStyleConfig,
    pictures: CaptionedPictures,
    folder: Path,
    console: Console,
    *,
    offline: bool,
) -> tuple[CaptionedPictures, Path]:
    """(the pictures that the filters of the domain leave, the page that shows the others).

    Args:
        folder: where the report is written.

    Raises:
        InputError: none is left, or a model that the settings name cannot be used.
        EnvironmentFault: something that they ask for is missing, or the disk is full.
    """
    filtered = filter_pictures(
        pictures, config.domain, console, device=config.device, offline=offline
    )
    page = filtered.report.write(folder)
    filtered.report.check(page)
    for line in filtered.report.lines():
        console.say(line)
    return filtered.pictures, page
