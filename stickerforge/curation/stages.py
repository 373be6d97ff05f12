"""What `tailor style` draws for people to decide about, and what it filters."""

from pathlib import Path

from stickerforge.config.schema import TailorStyleConfig
from stickerforge.curation.candidate_tables import read_drawn
from stickerforge.curation.candidates import draw_candidates
from stickerforge.curation.content_prompts import content_prompts
from stickerforge.curation.filters import filter_pictures
from stickerforge.curation.gates import gate_candidates
from stickerforge.curation.screening import load_screens
from stickerforge.curation.style_pictures import Gathered
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.models.card import ModelCard
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.rating_set import (
    OUTCOMES,
    SetInfo,
    read_accepted,
    set_folder,
    write_accepted,
)
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural


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
    # Loaded first, so that what cannot be used is said before hours of drawing.
    screens = load_screens(config.gates, console, device=config.device, offline=offline)
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
    before = read_drawn(folder)
    shown = {one.row.file_name for one in before if not one.gated and not one.ungated}
    report = gate_candidates(folder, config.gates, screens, console)
    withdraw_gated(folder, shown, console)
    page = report.write(folder)
    report.check(page)
    damaged = [f"{line}; the same call draws it anew" for line in report.unreadable]
    return Gathered(folder, drawn.made, drawn.kept, report.counts, page, [*drawn.failed, *damaged])


def withdraw_gated(folder: Path, shown: set[str], console: Console) -> None:
    """Take what gates took out of a set out of what people passed, too; warns of it.

    Answers about it stay: they count again where other gates let it pass.

    Args:
        shown: names of the pictures that were shown to people before.

    Raises:
        InputError: a table, or the answers, cannot be read.
        EnvironmentFault: the disk is full.
    """
    gated = {one.row.file_name for one in read_drawn(folder) if one.gated}
    if (folder / STORE).exists():
        with AnswerStore(folder / STORE) as store:
            rated = {rating.picture for rating in store.ratings("match")}
        if count := len(rated & shown & gated):
            console.warn(
                f"the gates took out {plural(count, 'picture')} that people rated: their answers"
                " stay, and count again with looser gates"
            )
    if (folder / OUTCOMES["match"]).exists():
        accepted = read_accepted(folder, "match")
        left = [row for row in accepted if row.file_name not in gated]
        write_accepted(folder, "match", left)


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
