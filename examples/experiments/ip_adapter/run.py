"""Whether image prompts do what IP-Adapter claims, on what sticker-mini never saw.

python -m examples.experiments.ip_adapter.run curves OUT [--adapter FILE]
python -m examples.experiments.ip_adapter.run reuse OUT [--adapter FILE]
python -m examples.experiments.ip_adapter.run ablation OUT PAIRS

curves: likeness, fit and style by scale, beside text alone; reuse: the same adapter after a LoRA is
merged into the model; ablation: decoupled attention against appended tokens after equal steps.
PAIRS is a folder of examples.recipes.mini.image_pairs. Each part prints its table, and writes its
pictures to OUT. It needs the recipe's art.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from examples.experiments.ip_adapter.ablation import compare_arms
from examples.experiments.ip_adapter.drawing import Prompts, adapter_prompts, draw, no_prompt
from examples.experiments.ip_adapter.measures import Measures, difference, measure
from examples.experiments.ip_adapter.references import Reference, references
from examples.experiments.ip_adapter.reuse import merged_model
from stickerforge.adapters.header import read_file
from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
from stickerforge.adapters.kinds import IMAGE
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.image_encoder import JudgeImageEncoder
from stickerforge.models.registry import find_model, load_model
from stickerforge.stickers.sheet import contact_sheet

COUNT = 64
SCALES = (0.25, 0.5, 0.75, 1.0, 1.5)
MODEL = "sticker-mini"
HEAD = "| prompt | likeness | fit to the words | style, in grey |\n| --- | --- | --- | --- |"
PromptOf = Callable[[Reference], str]


def same_thing(reference: Reference) -> str:
    """Words for what the reference shows."""
    return f"a {reference.name}"


def other_thing(reference: Reference) -> str:
    """Words for another thing."""
    return f"a {reference.other}"


def thing_and_style(reference: Reference) -> str:
    """Words for what the reference shows, and for its style."""
    return f"a {reference.name}, in {reference.style} style"


def no_words(reference: Reference) -> str:
    """What the tool says beside a picture that has no prompt."""
    return find_model(MODEL).image_prompt_words


def empty_text(reference: Reference) -> str:
    """No words at all."""
    return ""


def load() -> DiffusionModel:
    """sticker-mini on the CPU."""
    return load_model(find_model(MODEL), torch.device("cpu"), torch.float32)


def read_adapter(path: Path | None) -> ImagePromptWeights:
    """The image adapter of a file; sticker-mini's own without one."""
    own = find_model(MODEL).image_adapter_file
    if path is None and own is None:
        raise SystemExit("sticker-mini has no image adapter: give --adapter FILE")
    weights: ImagePromptWeights = IMAGE.read(read_file(path or own))
    return weights


class Session:
    """The references, and a table of what is drawn of them."""

    def __init__(self, model: DiffusionModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.references = references(COUNT)
        self.sheets = [[each.picture for each in self.references]]
        folder.mkdir(parents=True, exist_ok=True)

    def row(
        self, title: str, prompt_of: PromptOf, words_of: PromptOf, prompts: Prompts, scale: float
    ) -> Measures:
        """Draw, measure, and print a row of the table."""
        pictures = draw(self.model, self.references, prompt_of, prompts, scale)
        found = measure(pictures, self.references, [words_of(each) for each in self.references])
        self.sheets.append(pictures)
        print(f"| {title} | {' | '.join(found.row())} |", flush=True)
        return found

    def write_sheet(self, name: str, shown: int = 16) -> None:
        """Every fourth reference with what was drawn of it, a row each."""
        pictures: list[Image.Image] = []
        step = max(1, len(self.references) // shown)
        for place in range(0, len(self.references), step):
            pictures += [column[place] for column in self.sheets]
        captions = [""] * len(pictures)
        page = contact_sheet(pictures, captions, columns=len(self.sheets), cell_px=112)
        page.save(self.folder / f"{name}.png")


def curves(folder: Path, weights: ImagePromptWeights) -> None:
    """Likeness, fit and style by scale, beside text alone."""
    session, encoder = Session(load(), folder), JudgeImageEncoder()
    print(HEAD)
    session.row("text alone", same_thing, same_thing, no_prompt, 0)
    session.row("text alone, with the style named", thing_and_style, same_thing, no_prompt, 0)
    other = session.row("text of another thing", other_thing, other_thing, no_prompt, 0)
    with adapter_prompts(session.model, weights, encoder) as prompts:
        session.row("picture alone, 1", no_words, same_thing, prompts, 1.0)
        session.row("picture and an empty text, 1", empty_text, same_thing, prompts, 1.0)
        for scale in SCALES:
            title = f"text and picture, {scale:g}"
            session.row(title, same_thing, same_thing, prompts, scale)
        by_scale = [
            session.row(
                f"text of another thing, and picture, {scale:g}",
                other_thing,
                other_thing,
                prompts,
                scale,
            )
            for scale in SCALES
        ]
    steps = zip([other, *by_scale], by_scale, (0.0, *SCALES), SCALES, strict=False)
    for before, after, low, high in steps:
        print(
            f"scale {low:g} to {high:g}: likeness {difference(after.likeness, before.likeness)},"
            f" fit {difference(after.fit, before.fit)}"
        )
    session.write_sheet("curves")


def reuse(folder: Path, weights: ImagePromptWeights) -> None:
    """The same adapter before and after a LoRA is merged into the model."""
    print(HEAD)
    for title, model in (("as it ships", load()), ("with a LoRA merged", merged_model(folder))):
        session, encoder = Session(model, folder), JudgeImageEncoder()
        plain = session.row(f"{title}: text alone", same_thing, same_thing, no_prompt, 0)
        with adapter_prompts(model, weights, encoder) as prompts:
            both = session.row(
                f"{title}: text and picture, 1", same_thing, same_thing, prompts, 1.0
            )
            session.row(f"{title}: picture alone, 1", no_words, same_thing, prompts, 1.0)
        print(f"{title}: likeness {difference(both.likeness, plain.likeness)} with the picture")
        session.write_sheet(f"reuse-{title.replace(' ', '-')}")


def ablation(folder: Path, pairs: Path) -> None:
    """Decoupled attention and appended tokens after equal steps."""
    session = Session(load(), folder)
    print(HEAD)
    for title, prompts in compare_arms(session.model, pairs):
        session.row(f"{title}: picture and an empty text", empty_text, same_thing, prompts, 1.0)
        session.row(f"{title}: text and picture", same_thing, same_thing, prompts, 1.0)
    session.write_sheet("ablation")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("curves", "reuse", "ablation"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("pairs", type=Path, nargs="?")
    parser.add_argument("--adapter", type=Path)
    args = parser.parse_args()
    if args.part == "ablation":
        if args.pairs is None:
            parser.error("ablation takes a folder of pairs")
        ablation(args.folder, args.pairs)
    else:
        part = curves if args.part == "curves" else reuse
        part(args.folder, read_adapter(args.adapter))
