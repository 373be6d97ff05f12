# ruff: noqa: E402 - the modules of examples/mini are found once its folder is on the path
"""What customize and merge are worth, on StickerBench's scale: subjects and a style that the model never saw, taught from a few drawings.

python examples/bench/protocols.py [--protocol subject,style,merge] [--subjects 12] [--lists test|dev] [--out bench-taught]

subject  held-out subjects, each taught from its drawings in three styles (the fourth rotates) and asked for in the fourth and in
         ten scenes; the same with plain words and without adapter
style    Fluent's high contrast, which the model never saw, taught from ten drawings and asked for with thirty other subjects;
         the same without adapter
merge    six of the subjects, each merged with four styles that were taught from ten drawings under made-up names; apart, those
         styles in which the subject itself was shown (reciting is enough there) and those in which it was not

Scores are shares of what the judge finds in real renders of the same scenes; intervals are of the bootstrap over subjects. `--subjects 56`
takes all held-out subjects but those of the list dev. What was taught and drawn lies in the folder and is not made twice, so an
interrupted run goes on; other settings need another folder.
The lists are fixed by hash: `test` is for results, `dev`, four other subjects, for choosing settings. Needs the art of
examples/mini (fetch.py, art.py, judge_pictures.py).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

MINI = Path(__file__).resolve().parent.parent / "mini"
sys.path.insert(0, str(MINI))

from sticker_bench import CLEAR, SEEN, Item, facts, picture_of, prompts_file, render_of, share, show

from art import HELD_OUT, Subject
from backdrops import Ground
from captions import caption, plural
from scenes import HUES, short_name
from settings import DATA, STYLES
from stickerforge.models.checksums import fingerprint
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.models.registry import find_model
from world import Thing, Truth, World, dice, world

DEVELOPMENT = 4  # subjects of the list dev
KNOWN = "flamingo"  # settings were chosen on it before there was this list
NEW_STYLE = "high contrast"
DRAWINGS, ASKED, MERGED = (
    10,
    30,
    6,
)  # a style is taught from, and asked for with, so many; subjects that are merged
MADE_UP = {
    "zorn": NEW_STYLE,
    "quill": "noto",
    "brisk": "twemoji",
    "velvet": "fluent",
}  # adapters' names, which tell nothing
TIMES = 2  # pictures per prompt


@dataclass(frozen=True)
class Arm:
    """Pictures that are made with the same adapters.

    Args:
        name: of its folder.
        kind: what the table calls it.
        items: each with the scene that a perfect model would draw.
    """

    name: str
    kind: str
    options: tuple[str, ...]
    items: tuple[Item, ...]


def held_out(scenes: World, which: str, count: int) -> list[Subject]:
    """Subjects that were never shown, in an order that their names decide: four for `dev`, then those of `test`."""
    names = [line.split("\t")[1] for line in HELD_OUT.read_text().splitlines()[1:]]
    ranked = sorted(names, key=lambda name: (name != KNOWN, dice(f"protocol|{name}")))
    chosen = ranked[:DEVELOPMENT] if which == "dev" else ranked[DEVELOPMENT:][:count]
    return [scenes.by_name[name] for name in chosen]


def slug(name: str) -> str:
    """As the name of an adapter."""
    return "".join(c if c.isalnum() else "-" for c in short_name(name).lower()).strip("-")


def ten_scenes(subject: Subject, scenes: World, style: str) -> list[tuple[str, Truth]]:
    """(which score of StickerBench tells, the scene)."""
    plain = Thing(subject)
    colour = next((hue for hue in HUES if scenes.can_be(subject, hue)), "")
    thing = lambda name: Thing(scenes.by_name[name], size="medium")  # noqa: E731
    left, right = {"size": "medium", "x": 0.27}, {"x": 0.73}
    single = lambda one, ground=CLEAR: Truth(style, (one,), "", ground)  # noqa: E731
    return [
        ("colour" if colour else "single", single(replace(plain, colour=colour))),
        ("worn", single(replace(plain, wears="crown"))),
        ("worn", single(replace(plain, wears="glasses"))),
        ("count", single(replace(plain, count=2, size="medium"))),
        ("count", single(replace(plain, count=3, size="medium"))),
        (
            "pair",
            Truth(
                style,
                (replace(plain, **left), replace(thing("cat face"), **right)),
                "to the left of",
                CLEAR,
            ),
        ),
        (
            "pair",
            Truth(
                style,
                (replace(plain, **left), replace(thing("house"), **right)),
                "to the left of",
                CLEAR,
            ),
        ),
        ("single", single(plain, Ground("plain", "", ("blue",)))),
        ("single", single(plain, Ground("gradient", "", ("yellow", "pink")))),
        ("single", single(replace(plain, size="small", x=0.22, y=0.78))),
    ]


def named(truth: Truth, subject: Subject, word: str, rng: np.random.Generator) -> str:
    """What to ask for: the comprehensive caption, with another word for the subject."""
    renamed = tuple(
        replace(t, subject=replace(t.subject, name=word)) if t.subject == subject else t
        for t in truth.things
    )
    said = caption(replace(truth, things=renamed), "comprehensive", rng).replace(
        f", {truth.style} style", f", in {truth.style} style"
    )
    return said.replace(plural(word), word) if word.startswith("<") else said


def scene_items(subject: Subject, scenes: World, word: str, held: int, mark: str) -> list[Item]:
    """Everything one subject is asked for: first the new style, then the scenes in a style it was shown in."""
    asked = [("new style", Truth(STYLES[held], (Thing(subject),), "", CLEAR))]
    asked += ten_scenes(subject, scenes, STYLES[(held + 1) % len(STYLES)])
    found = []
    for number, (family, truth) in enumerate(asked):
        prompt = named(truth, subject, word, np.random.default_rng(number))
        for seed in range(TIMES):
            found.append(
                Item(
                    f"{mark}-{number:02d}-{seed}", family, prompt, 1000 + seed, subject.name, truth
                )
            )
    return found


def run(home: Path, *command: str) -> None:
    """One command of stickerforge, as a user would type it."""
    environment = os.environ | {"STICKERFORGE_HOME": str(home.resolve())}
    subprocess.run(
        [sys.executable, "-m", "stickerforge", *command],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )


def drawing_of(scenes: World, subject: Subject, style: str) -> Image.Image:
    """A subject by itself in any style, the new one too."""
    if style != NEW_STYLE:
        premultiplied = np.asarray(scenes.sprite(subject.name, style))
    else:
        premultiplied = np.asarray(
            np.load(DATA / "judge" / "high_contrast.npy", mmap_mode="r")[subject.index]
        )
    content = np.ascontiguousarray(premultiplied).tobytes()
    return Image.frombuffer(
        "RGBa", premultiplied.shape[1::-1], content, "raw", "RGBa", 0, 1
    ).convert("RGBA")


def teach(home: Path, name: str, pictures: dict[str, Image.Image], options: Sequence[str]) -> None:
    """`customize` with default settings, unless it was done."""
    if (home / "adapters" / name / "adapter.json").exists():
        return
    folder = home.parent / "shown" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, picture in pictures.items():
        picture.save(folder / f"{stem}.png")
    print(f"teaching {name}", flush=True)
    run(home, "customize", str(folder), *options, "--set", "preview.count=0", "--force", "--quiet")


def teach_subject(
    home: Path, scenes: World, subject: Subject, held: int, extra: Sequence[str]
) -> str:
    """Its adapter, from three styles; returns the name."""
    shown = {
        style: drawing_of(scenes, subject, style) for k, style in enumerate(STYLES) if k != held
    }
    teach(
        home,
        slug(subject.name),
        shown,
        ["--subject", slug(subject.name), "--class", short_name(subject.name), *extra],
    )
    return slug(subject.name)


def teach_style(home: Path, scenes: World, name: str, style: str, extra: Sequence[str]) -> None:
    """A style adapter from drawings of learned subjects, which their files name."""
    shown = {slug(s.name): drawing_of(scenes, s, style) for s in learned(scenes)[:DRAWINGS]}
    teach(home, name, shown, ["--style", name, *extra])


def learned(scenes: World) -> list[Subject]:
    """Subjects that the model knows, in an order that their names decide."""
    return sorted((s for s in scenes.subjects if s.kind), key=lambda s: dice(f"style|{s.name}"))


def subject_arms(
    home: Path, scenes: World, subjects: Sequence[Subject], extra: Sequence[str]
) -> list[Arm]:
    """Each subject with its adapter, and without."""
    arms = []
    for number, subject in enumerate(subjects):
        held, name = (
            number % len(STYLES),
            teach_subject(home, scenes, subject, number % len(STYLES), extra),
        )
        for kind, word, options in (
            ("taught", f"<{name}>", ("--adapter", name)),
            ("untaught", short_name(subject.name), ()),
        ):
            arms.append(
                Arm(
                    f"{kind}-{name}",
                    kind,
                    options,
                    tuple(scene_items(subject, scenes, word, held, f"{kind}-{name}")),
                )
            )
    return arms


def style_arms(home: Path, scenes: World, extra: Sequence[str]) -> list[Arm]:
    """Other subjects in the new style, with its adapter, and by its name."""
    name = next(iter(MADE_UP))
    teach_style(home, scenes, name, MADE_UP[name], extra)
    arms = []
    for kind, options, words in (
        ("taught style", ("--style", name), ""),
        ("untaught style", (), f", in {NEW_STYLE} style"),
    ):
        mark, rows = kind.replace(" ", "-"), []
        for number, subject in enumerate(learned(scenes)[DRAWINGS : DRAWINGS + ASKED]):
            truth = Truth(NEW_STYLE, (Thing(subject),), "", CLEAR)
            rows.append(
                Item(
                    f"{mark}-{number:02d}",
                    "new style",
                    short_name(subject.name) + words,
                    1000,
                    subject.name,
                    truth,
                )
            )
        arms.append(Arm(mark, kind, options, tuple(rows)))
    return arms


def merge_arms(
    home: Path, scenes: World, subjects: Sequence[Subject], extra: Sequence[str]
) -> list[Arm]:
    """Six subjects in four styles."""
    for name, style in MADE_UP.items():
        teach_style(home, scenes, name, style, extra)
    arms = []
    for number, subject in enumerate(subjects[:MERGED]):
        taught = teach_subject(home, scenes, subject, number % len(STYLES), extra)
        for name, style in MADE_UP.items():
            merged = f"{taught}-{name}"
            if not (home / "adapters" / merged / "adapter.json").exists():
                run(home, "merge", taught, name, "--name", merged, "--quiet")
            truth = Truth(style, (Thing(subject),), "", CLEAR)
            rows = [
                Item(
                    f"{merged}-{seed}",
                    "new style",
                    f"<{taught}> in {name} style",
                    1000 + seed,
                    subject.name,
                    truth,
                )
                for seed in range(TIMES)
            ]
            seen = style in STYLES and STYLES.index(style) != number % len(STYLES)
            arms.append(
                Arm(
                    merged,
                    "merged, shown" if seen else "merged, new",
                    ("--adapter", merged),
                    tuple(rows),
                )
            )
    return arms


def make(home: Path, arm: Arm) -> None:
    """Its pictures, those that are missing."""
    folder = home.parent / "made" / arm.name
    folder.mkdir(parents=True, exist_ok=True)
    prompts_file(arm.items, folder / "prompts.jsonl")
    options = [
        "--size",
        "native",
        "--set",
        "output.sheet=false",
        "--force",
        "--quiet",
        *arm.options,
    ]
    run(
        home, "generate", "--prompts", str(folder / "prompts.jsonl"), "--out", str(folder), *options
    )


def told(
    item: Item, read: object, row: int, judge: Judge, twins: dict[str, set[str]]
) -> dict[str, float]:
    """The scores of one picture."""
    subject = item.truth.things[0].subject.name
    rows = {judge.labels.index(judge.label_of[name]) for name in (subject, *twins.get(subject, ()))}
    first = int(read.subject[row].argmax())  # type: ignore[attr-defined]
    if item.family == "new style":
        style = float(
            judge.styles[int(read.style[row].argmax())].replace("-", " ") == item.truth.style
        )  # type: ignore[attr-defined]
        right = float(first == judge.labels.index(judge.label_of[subject]))
        return {
            "subject": right,
            "subject or twin": float(first in rows),
            "style": style,
            "both": right * style,
        }
    present = (
        read.presence[row]
        .topk(SEEN.get(item.family, 1) + len(item.truth.things) - 1)
        .indices.tolist()
    )  # type: ignore[attr-defined]
    claims = facts(item, read, row, judge)  # type: ignore[arg-type]
    return {
        "subject in scenes": float(bool(rows & set(present))),
        f"scenes, {item.family}": float(np.mean(list(claims.values()))),
    }


def twin_names() -> dict[str, set[str]]:
    """{held-out subject: what shows nearly the same}."""
    lines = [
        line.split(": ", 1)
        for line in (MINI / "near_twins.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return {name: {other.strip() for other in others.split(";")} for name, others in lines}


def real(item: Item, scenes: World) -> Image.Image:
    """What a perfect model would have drawn."""
    if item.truth.style != NEW_STYLE:
        return render_of(item, scenes)
    page, piece = (
        Image.new("RGBA", (128, 128)),
        drawing_of(scenes, item.truth.things[0].subject, NEW_STYLE).resize((110, 110)),
    )
    page.paste(piece, (9, 9))
    return page


def rows_of(
    arms: Sequence[Arm],
    open_picture: Callable[[Arm, Item], Image.Image | None],
    scenes: World,
    judge: Judge,
) -> dict[str, dict[str, float]]:
    """{"taught: subject": its share...} over the arms of one kind."""
    twins, found = twin_names(), {}
    for kind in dict.fromkeys(arm.kind for arm in arms):
        pairs = [(arm, item) for arm in arms if arm.kind == kind for item in arm.items]
        scores: list[dict[str, dict[str, list[float]]]] = []
        for pictures in (
            [open_picture(arm, item) or Image.new("RGBA", (64, 64)) for arm, item in pairs],
            [real(item, scenes) for _, item in pairs],
        ):
            read, by_name = judge.read(judge.pictures(pictures)), {}
            for row, (_, item) in enumerate(pairs):
                for name, value in told(item, read, row, judge, twins).items():
                    by_name.setdefault(name, {}).setdefault(item.group, []).append(value)
            scores.append(by_name)
        for name, groups in scores[0].items():
            ours, best = (
                np.array([np.mean(side[name][group]) for group in groups]) for side in scores
            )
            found[f"{kind}: {name}"] = share(ours, best)
    return found


def check_settings(out: Path, settings: Sequence[str]) -> None:
    """Stop where the folder holds what was taught with other settings or by another model."""
    said = {"settings": list(settings), "model": fingerprint(find_model("sticker-mini").folder)}
    file = out / "settings.json"
    if file.exists() and json.loads(file.read_text()) != said:
        raise SystemExit(
            f"{out} holds what was taught with other settings or by another model: give another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(said) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--protocol", default="subject,style,merge")
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--lists", choices=("test", "dev"), default="test")
    parser.add_argument("--out", type=Path, default=Path("bench-taught"))
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="as of stickerforge customize"
    )
    args = parser.parse_args()
    check_settings(args.out, args.settings)
    scenes, judge, started = world("all"), load_judge("judge"), time.monotonic()
    home, extra = args.out / "home", [part for text in args.settings for part in ("--set", text)]
    subjects = held_out(scenes, args.lists, args.subjects)
    makers = {
        "subject": lambda: subject_arms(home, scenes, subjects, extra),
        "style": lambda: style_arms(home, scenes, extra),
        "merge": lambda: merge_arms(home, scenes, subjects, extra),
    }
    results = {}
    for name in args.protocol.split(","):
        arms = makers[name]()
        for arm in arms:
            make(home, arm)
        results |= rows_of(
            arms, lambda arm, item: picture_of(item, args.out / "made" / arm.name), scenes, judge
        )
        show(results)
    said = {
        "lists": args.lists,
        "subjects": [subject.name for subject in subjects],
        "settings": args.settings,
        "judge": judge.sha256,
    }
    said |= {"seconds": round(time.monotonic() - started), "figures": results}
    file = args.out / f"taught-{args.lists}.json"
    before = json.loads(file.read_text())["figures"] if file.exists() else {}
    file.write_text(json.dumps(said | {"figures": before | results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
