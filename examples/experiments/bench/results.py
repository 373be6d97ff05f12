"""Rewrite the tables of the version that ships in RESULTS.md, from what the benches saved.

python -m examples.experiments.bench.results --bench bench/bench-dev.json
    [--eye WORK/by-eye.json] [--wishes WORK/wish-list.json]
    [--beside LABEL=bench-other/bench-dev.json ...] [--into FILE]

--beside adds a column: what the version that ships is better or worse, by paired differences over
the prompts of both; for an earlier version, or pictures that were finished otherwise. All else of
the file stays as it is.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.experiments.bench.bench_compare import changes, interval_text, read_scores
from examples.experiments.bench.by_eye_score import QUOTABLE

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
BEGIN = "<!-- begin: written by results.py -->"
END = "<!-- end: written by results.py -->"
Record = Mapping[str, Any]
COLUMNS = {
    "right": "right",
    "near": "drawn as a near thing",
    "wrong": "wrong",
    "none": "no picture",
}
STORIES = {  # one a table
    "things": "Is the thing there, and is it as it was asked for?",
    "style": "Is the style drawn, or printed? Of styles without shading the same pictures three "
    "times; chance are other pictures, in the inks that are claimed.",
    "wording": "Does it draw what people ask for in words of their own?",
}
READER, JUDGE = "the reader names", "the judge passes"
GAINS = ("right", "right or near")


def replace_block(text: str, block: str) -> str:
    """A text with another block between the markers.

    Raises:
        SystemExit: it has no markers, or several.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise SystemExit(f"there must be one line {BEGIN!r} and after it one {END!r}")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{block.strip()}\n\n{END}{rest.split(END)[1]}"


def share_text(value: float | None) -> str:
    """A share in percent, "-" for none."""
    return "-" if value is None else f"{100 * value:.1f} %"


def change_text(change: Mapping[str, float | None] | None) -> str:
    """A paired difference in points with its interval."""
    if not change or change["change"] is None:
        return "-"
    spread = interval_text(change["low"], change["high"], "+")
    return f"{100 * change['change']:+.1f} ({spread})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def read_record(path: Path) -> Record:
    """What a bench saved.

    Raises:
        SystemExit: it is missing or something else.
    """
    try:
        record: Record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot read {path}: {error}") from None
    return record


def group_map(record: Record) -> dict[str, str]:
    """{id: group} of a record's pictures.

    Raises:
        SystemExit: it was saved by an older bench.
    """
    groups: dict[str, str] | None = record.get("groups")
    if groups is None:
        raise SystemExit("the record says nothing of groups: run the bench again")
    return groups


def bench_block(record: Record, beside: Mapping[str, Path]) -> str:
    """The table of StickerBench, and how it came about."""
    others = {
        label: changes(record["scores"], read_scores(path, record), group_map(record))
        for label, path in beside.items()
    }
    parts = [call_text(record)]
    for story in STORIES:
        rows = [
            [
                name,
                share_text(row["made"]),
                interval_text(row["low"], row["high"]),
                share_text(row["chance"]),
                share_text(row["real"]),
                prompts_text(row),
                *(change_text(found.get(name)) for found in others.values()),
            ]
            for name, row in record["figures"].items()
            if story_of(name) == story
        ]
        head = ["", "share", "95 % interval", "chance", "real renders", "prompts"]
        lines = table([*head, *(f"than {each}" for each in others)], rows)
        parts += [STORIES[story], lines] if rows else []
    return "\n\n".join(parts)


def story_of(name: str) -> str:
    """The story that a row belongs to."""
    if "style" in name:
        return "style"
    return "wording" if name.startswith(("wording", "plain name")) else "things"


def prompts_text(row: Mapping[str, float]) -> str:
    """How many prompts there are, and pictures where these are more."""
    prompts, pictures = int(row["prompts"]), int(row["pictures"])
    return str(prompts) if prompts == pictures else f"{prompts} ({pictures} pictures)"


def model_name(model: str) -> str:
    """A model's name, its label, or the last part of its folder: no place on this machine."""
    return Path(model).name


def call_text(record: Record) -> str:
    """The call that a record comes from, and by whom it was judged."""
    options = ["--world", str(record["world"]), "--lists", record["lists"]]
    options += ["--quick"] if record["quick"] else []
    model = model_name(record["model"])
    options += ["--model", model] if model != "sticker-mini" else []
    options += [part for name in record["adapters"] for part in ("--adapter", model_name(name))]
    options += [part for text in record["settings"] for part in ("--set", text)]
    call = f"python -m examples.experiments.bench.sticker_bench {' '.join(options)}"
    text = f"`{call}`, judge {record['judge'][:16]}."
    if grey := record.get("grey"):
        right = float(np.mean(list(grey["accuracy"].values())))
        text += (
            f" In grey styles are read rightly in {right:.0%} of {grey['tested']} other renders."
        )
    return text


def eye_block(results: Mapping[str, Any]) -> str:
    """What a reader names, beside the judge: of each model a table and the confusion of both."""
    parts = []
    for model, result in results.items():
        rows = [
            [name, share_text(row["share"]), interval_text(row["low"], row["high"]), of_text(row)]
            for name, row in result["shares"].items()
        ]
        rows.append(["answers of other pictures: chance", share_text(result["chance"]), "-", "-"])
        counts = [
            [name, *(str(count) for count in row.values())]
            for name, row in result["confusion"].items()
        ]
        parts += [
            f"By eye, {model_name(model)}: pictures without labels, named by a reader who knows "
            "nothing (`by_eye.py`).",
            table(["", "share", "95 % interval", "pictures"], rows),
            table(["", "reader right", "reader wrong"], counts),
        ]
        eye, judge = (result["shares"][name]["share"] for name in (READER, JUDGE))
        if abs(eye - judge) > QUOTABLE:
            parts.append(
                "They differ by more than 10 points: the judge's share is not quoted without the "
                "reader's."
            )
    return "\n\n".join(parts)


def wishes_block(record: Mapping[str, Any]) -> str:
    """How many wishes each version fulfils, and what the later ones gained."""
    versions, changes = record["versions"], record["changes"]
    kinds = list(next(iter(versions.values()))["shares"])
    rows = []
    for model, result in versions.items():
        shares = [result["shares"][kind] for kind in kinds]
        cells = [f"{of_text(row)} ({interval_text(row['low'], row['high'])})" for row in shares]
        found = changes.get(model, {})
        rows.append([model_name(model), *cells, *(change_text(found.get(name)) for name in GAINS)])
    first = model_name(next(iter(versions)))
    head = ["", *(COLUMNS[kind] for kind in kinds), *(f"{name}, than {first}" for name in GAINS)]
    return (
        "The wish list: pictures of all versions mixed, named by a reader who does not know which "
        f"is which (`wish_list.py`), with 95 % intervals.\n\n{table(head, rows)}"
    )


def of_text(row: Mapping[str, float]) -> str:
    """How many of how many."""
    return f"{row['passed']} of {row['of']}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--eye", type=Path)
    parser.add_argument("--wishes", type=Path)
    parser.add_argument("--beside", action="append", default=[], metavar="LABEL=JSON")
    parser.add_argument("--into", type=Path, default=RESULTS)
    args = parser.parse_args()
    beside = {label: Path(path) for label, _, path in (text.partition("=") for text in args.beside)}
    blocks = [bench_block(read_record(args.bench), beside)]
    blocks += [eye_block(read_record(args.eye))] if args.eye else []
    blocks += [wishes_block(read_record(args.wishes))] if args.wishes else []
    args.into.write_text(replace_block(args.into.read_text(), "\n\n".join(blocks)))
    print(f"{args.into}: {len(blocks)} tables")


if __name__ == "__main__":
    main()
