"""StickerBench's protocols for what is taught, over drawings of our own.

What is asked, what counts, what is not made twice.
"""

from collections import defaultdict

import numpy as np
import pytest
import torch

from examples.experiments.bench import protocol_items, protocol_training, protocols
from examples.recipes.mini.art import Subject
from examples.recipes.mini.settings import SPRITE_PIXELS, STYLES
from examples.recipes.mini.world import World

HELD = ("llama", "tulip", "axe", "tent", "canoe", "flamingo")
NAMES = (
    *HELD,
    "cat face",
    "house",
    "crown",
    "glasses",
    "astronaut",
    "fox",
    "lion",
    "bear",
    "frog",
    "panda",
    "rose",
    "carrot",
    "rocket",
)


@pytest.fixture(autouse=True)
def small_protocols(monkeypatch, tmp_path):
    """Few held-out subjects, styles of few drawings."""
    held_out = tmp_path / "held.tsv"
    rows = [f"{i:x}\t{name}\tthings\n" for i, name in enumerate(HELD)]
    held_out.write_text("".join(["codepoints\tname\tgroup\n", *rows]))
    monkeypatch.setattr(protocol_items, "HELD_OUT", {2: held_out})
    monkeypatch.setattr(protocol_training, "STYLE_DRAWINGS", 3)
    monkeypatch.setattr(protocols, "STYLE_DRAWINGS", 3)
    monkeypatch.setattr(protocols, "STYLE_SUBJECTS", 4)


@pytest.fixture
def scenes():
    subjects = [
        Subject(i, f"{i:x}", name, ("thing",), "" if name in HELD else "thing")
        for i, name in enumerate(NAMES)
    ]
    rows, columns = np.mgrid[:SPRITE_PIXELS, :SPRITE_PIXELS] - SPRITE_PIXELS / 2
    sprites = np.zeros((len(NAMES), len(STYLES), SPRITE_PIXELS, SPRITE_PIXELS, 4), np.uint8)
    for i in range(len(NAMES)):
        for k in range(len(STYLES)):
            sprites[i, k][np.hypot(rows, columns) < (0.3 + 0.008 * i) * SPRITE_PIXELS] = (
                12 * i,
                255 - 12 * i,
                60 * k,
                255,
            )
    return World(subjects, sprites)


def test_lists_are_fixed_and_disjoint(scenes):
    dev, test = (
        protocol_items.held_out_subjects(scenes, "dev", 12),
        protocol_items.held_out_subjects(scenes, "test", 2),
    )
    assert (
        len(dev) == 4
        and dev[0].name == "flamingo"
        and not {s.name for s in dev} & {s.name for s in test}
    )
    assert {s.name for s in protocol_items.held_out_subjects(scenes, "test", 60)} | {
        s.name for s in dev
    } == set(HELD)
    assert not {s.name for s in protocol_items.learned_subjects(scenes)} & set(HELD)


def test_a_subject_is_asked_for_in_the_style_it_was_not_shown_in_and_in_ten_scenes(scenes):
    subject = scenes.by_name["tulip"]
    for held in range(4):
        found = protocol_items.scene_items(subject, scenes, "<tulip>", held, "m")
        assert len(found) == 11 * protocol_items.TIMES and all(
            "<tulip>" in item.prompt and "<tulip>s" not in item.prompt for item in found
        )
        assert found[0].truth.style == STYLES[held] and all(
            item.truth.style != STYLES[held] for item in found[protocol_items.TIMES :]
        )
        assert len({item.id for item in found}) == len(found)
    plain = protocol_items.scene_items(subject, scenes, "tulip", 0, "m")
    assert any(item.prompt.startswith("three tulips") for item in plain) and any(
        "wearing a crown" in item.prompt for item in plain
    )


def test_each_arm_is_made_by_commands_and_nothing_is_taught_twice(scenes, monkeypatch, tmp_path):
    called = []

    def run(home, *command):
        called.append(command)
        if command[0] in ("customize", "merge"):
            name = command[
                command.index(
                    "--name"
                    if command[0] == "merge"
                    else "--subject"
                    if "--subject" in command
                    else "--style"
                )
                + 1
            ]
            (home / "adapters" / name).mkdir(parents=True)
            (home / "adapters" / name / "adapter.json").write_text("{}")

    for module in (protocol_training, protocols):
        monkeypatch.setattr(module, "run_command", run)
    monkeypatch.setattr(protocols, "STYLE_NAMES", {"zorn": "noto", "quill": "flat"})
    subjects, home = protocol_items.held_out_subjects(scenes, "test", 2), tmp_path / "out" / "home"
    arms = protocols.subject_arms(home, scenes, subjects, []) + protocols.merge_arms(
        home, scenes, subjects, []
    )
    assert [command[0] for command in called].count("customize") == 4 and [
        command[0] for command in called
    ].count("merge") == 4
    assert {arm.kind for arm in arms} - {"merged, new"} == {"taught", "untaught", "merged, shown"}
    assert len(list((tmp_path / "out" / "shown" / "zorn").glob("*.png"))) == 3
    shown = {path.stem for path in (tmp_path / "out" / "shown" / subjects[0].name).glob("*.png")}
    assert len(shown) == 3 and arms[0].items[0].truth.style not in shown
    untaught = [item.prompt for arm in arms if arm.kind == "untaught" for item in arm.items]
    assert not any("<" in prompt for prompt in untaught)
    protocols.subject_arms(home, scenes, subjects, [])
    protocols.merge_arms(home, scenes, subjects, [])
    assert len(called) == 8


def test_scores_stand_beside_what_the_judge_finds_in_real_renders(scenes):
    from stickerforge.models.judge.network import Readings

    class Judge:
        labels, styles = (
            (*NAMES, "x", *map(str, range(30))),
            ("noto", "twemoji", "fluent", "flat", "high-contrast"),
        )
        colours = ("red", "green", "blue", "orange", "purple", "pink", "yellow")
        label_of = defaultdict(lambda: "x", {name: name for name in NAMES})

        def pictures(self, pictures):
            return pictures

        def read(self, pictures):
            found = Readings(
                *(
                    torch.zeros(len(pictures), size)
                    for size in (len(self.labels), len(self.labels), 5, 7, 5)
                )
            )
            for row, picture in enumerate(pictures):
                if picture.getbbox():  # sees the right thing in everything that is not empty
                    found.subject[row, NAMES.index("tulip")] = found.presence[
                        row, NAMES.index("tulip")
                    ] = 1
                    found.style[row, 1] = 1
            return found

    subject = scenes.by_name["tulip"]
    items = tuple(protocol_items.scene_items(subject, scenes, "<tulip>", 1, "m"))
    arm = protocol_items.Arm("m", "taught", (), items)
    rows = protocols.score_arms(
        [arm], lambda arm, item: protocol_items.render_target(item, scenes), scenes, Judge()
    )
    for name in ("subject", "style", "subject in scenes"):
        assert rows[f"taught: {name}"]["made"] == rows[f"taught: {name}"]["real"] == 1, name
    half = protocols.score_arms(
        [arm],
        lambda arm, item: protocol_items.render_target(item, scenes) if item.seed % 2 else None,
        scenes,
        Judge(),
    )
    assert half["taught: subject"]["made"] == half["taught: subject in scenes"]["made"] == 0.5
    rows = protocols.score_arms([arm], lambda arm, item: None, scenes, Judge())
    assert rows["taught: subject"]["made"] == 0 and rows["taught: subject"]["real"] == 1


def test_other_settings_need_another_folder(tmp_path):
    protocols.check_settings(tmp_path / "out", ["training.steps=5"])
    protocols.check_settings(tmp_path / "out", ["training.steps=5"])
    with pytest.raises(SystemExit, match="another --out"):
        protocols.check_settings(tmp_path / "out", [])
