"""The recipe of sticker-mini 2.1 and 3: words that change nothing, scenes that are kept, trainings that go on."""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.experiments.bench import (
    bench_items,
    sticker_bench,
    user_prompts,
    wording_items,
    wordings,
)
from examples.recipes.mini import (
    art,
    background,
    caption_sampler,
    dataset_3,
    denoiser,
    gpu_lap_training,
    latent_buffer,
    latent_cache,
    networks,
    paraphrases,
    phrase_lists,
    weights,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.scene import Thing, Truth, combinations, is_withheld
from examples.recipes.mini.settings import HERE, STYLES

COMMON = set(
    "a an and for me my i is it in on of the to with can you just do image high about how".split()
)


def subject(name, codepoints="1f408", keywords=("pet",), kind="animal"):
    return Subject(0, codepoints, name, keywords, kind)


def truths():
    """One of each kind of scene."""

    clear, cat, dog = Ground("transparent"), subject("cat face"), subject("dog face", "1f436")
    return {
        "plain": Truth("flat", (Thing(cat),), "", clear),
        "colour": Truth("", (Thing(cat, colour="purple"),), "", clear),
        "count": Truth("noto", (Thing(cat, count=3, size="medium"),), "", clear),
        "small": Truth(
            "noto", (Thing(cat, size="small", x=0.2, y=0.2),), "", Ground("plain", "", ("red",))
        ),
        "crown": Truth("twemoji", (Thing(cat, wears="crown"),), "", clear),
        "suit": Truth("twemoji", (Thing(cat, wears="space suit"),), "", clear),
        "pair": Truth(
            "fluent", (Thing(cat), Thing(dog)), "to the left of", Ground("place", "beach")
        ),
        "mirrored": Truth("fluent", (Thing(cat, mirrored=True),), "", clear),
    }


def test_no_word_of_the_wordings_that_are_never_taught_is_taught():
    rows = [
        line.split("\t")
        for line in (HERE / "wordings.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    never = [wording for name, wording in rows if name != "common"]
    assert len(never) == 24 and len(rows) > 60
    for wording in never:
        own = set(re.findall(r"[\w']+", wording.replace("{}", "").lower()))
        assert own - phrase_lists.listed_words() - COMMON or wording == "how about a {}", wording
    taught = phrase_lists.listed_words()
    assert not taught & {
        "gimme",
        "lovely",
        "awesome",
        "endearing",
        "conjure",
        "coworkers",
        "precious",
        "gorgeous",
        "about",
        "how",
    }


def test_words_around_a_thing_leave_what_changes_a_picture(monkeypatch):
    monkeypatch.setattr(paraphrases, "TYPO_SHARE", 0.0)
    kept = {
        "colour": ["purple cat"],
        "count": ["3|three"],
        "small": ["small", "at the top left", "red (ground|background)"],
        "crown": ["crown"],
        "suit": ["astronaut|space suit"],
        "pair": ["cat", "to the left of", "dog", "on a beach"],
        "mirrored": ["|".join(phrase_lists.MIRROR_PHRASES)],
    }
    for kind, truth in truths().items():
        said = [
            paraphrases.paraphrase(truth, np.random.default_rng(i)).said.lower() for i in range(60)
        ]
        assert len(set(said)) > 50  # told anew each time
        for words in said:
            assert "cat" in words and all(re.search(part, words) for part in kept.get(kind, [])), (
                words
            )
            assert kind == "small" or "small" not in words
        share = np.mean([f"{truth.style} style" in words for words in said]) if truth.style else 0.0
        assert (
            (0.5 < share < 0.95)
            if truth.style
            else not any(
                " in " in words and " style" in words for words in said if "cute style" not in words
            )
        )


def test_a_slip_changes_one_word_a_little():
    for i in range(40):
        before, after = (
            "a purple elephant",
            paraphrases.add_typo("a purple elephant", np.random.default_rng(i)),
        )
        changed = [
            pair for pair in zip(before.split(), after.split(), strict=True) if pair[0] != pair[1]
        ]
        assert len(changed) <= 1 and all(
            abs(len(a) - len(b)) <= 1 and a[0] == b[0] for a, b in changed
        )


def test_a_scene_is_the_same_after_it_was_kept():
    for truth in truths().values():
        subjects = {thing.subject.codepoints: thing.subject for thing in truth.things}
        assert latent_cache.truth_from_json(latent_cache.truth_to_json(truth), subjects) == truth


def test_a_bank_that_was_interrupted_goes_on(tmp_path):
    kinds, fails = list(truths().values()), [150]

    class Scenes:
        def __getitem__(self, index):
            if index in fails:
                raise KeyboardInterrupt
            return np.full((128, 128, 4), index % 251, np.uint8), kinds[index % len(kinds)]

    encode = lambda pixels: torch.nn.functional.avg_pool2d(pixels, 8).repeat(1, 2, 1, 1)  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        latent_cache.write_latent_cache(tmp_path, Scenes, 200, encode)
    assert not (tmp_path / "truths.jsonl").exists()
    fails[:] = [3]  # is behind it now
    latent_cache.write_latent_cache(tmp_path, Scenes, 200, encode)
    latents, found = latent_cache.read_latent_cache(
        tmp_path, [thing.subject for thing in kinds[6].things]
    )
    assert found == [kinds[i % len(kinds)] for i in range(200)]
    np.testing.assert_allclose(
        latents[:, 0, 0, 0], [np.float16(i % 251 / 127.5 - 1) for i in range(200)]
    )


def test_version_3_learns_what_was_held_out_and_keeps_its_own_apart():
    learned, before, hidden = art.learned_kinds(3), art.learned_kinds(2), art.withheld_names(3)
    assert set(before) < set(learned) and 400 < len(learned) < 500 and not set(learned) & hidden
    rows = (HERE / "held_out_subjects_3.tsv").read_text().splitlines()[1:]
    assert len(rows) == 30 and {row.split("\t")[1] for row in rows} <= hidden < art.withheld_names(
        2
    )
    assert {"whale", "banana", "party popper"} <= set(learned)


def test_what_people_type_names_learned_things():
    table = caption_sampler.everyday_words()
    assert set(table) <= set(art.learned_kinds(3))
    assert "corgi" in table["dog face"][0] and "thanks" in table["folded hands"][1]
    assert not any(
        word != word.lower() for both in table.values() for words in both for word in words
    )


def test_a_scene_is_told_by_the_words_that_people_use():
    subjects = [
        subject("cat face", keywords=("whiskers", "pet", "jar", "lovely")),
        subject("dog face", "1f436", ("pet", "woof")),
    ]
    subjects += [subject(f"thing {i}", f"{i:x}", ("pet",)) for i in range(3)]
    assert caption_sampler.distinctive_keywords(subjects, {"Cat", "jar"})["cat face"] == (
        "whiskers",
    )
    tell, scene = caption_sampler.CaptionSampler(subjects, {"jar"}), truths()["plain"]
    said = [tell(scene, np.random.default_rng(i)).lower() for i in range(400)]
    for words in ("kitty", "whiskers", "cat face", "cat"):
        assert any(words in each for each in said), words
    assert 0.05 < np.mean([each == "" for each in said]) < 0.16


def test_the_combinations_of_version_3_are_other_ones():
    names = [(f"1f4{i:02x}", style) for i in range(256) for style in ("noto", "flat")]
    both = [[is_withheld(part, *each) for each in names] for part in ("generator", "generator3")]
    assert (
        all(0.03 < np.mean(each) < 0.1 for each in both) and np.mean(np.logical_and(*both)) < 0.02
    )


def test_lists_of_version_3_hold_only_what_version_2_was_not_shown(monkeypatch):
    learned, new, worn = (
        subject(*each) for each in (("cat face",), ("banana", "1f34c"), ("crown", "1f451"))
    )
    for each in (learned, new, worn):
        for number in range(400):
            truth = Truth(f"style {number}", (Thing(each),), "", Ground("transparent"))
            names = (each.codepoints, truth.style)
            wanted = (
                is_withheld("generator3", *names)
                and each is not worn
                and (each is new or is_withheld("generator", *names))
            )
            assert bench_items.is_unseen(truth, names, 3) == wanted


def test_what_cannot_be_named_is_not_diverse(monkeypatch):
    from types import SimpleNamespace

    truth = truths()["plain"]
    items = [
        bench_items.Item(f"{i}", "diversity", "cat", i, "cat", truth, ("cat",)) for i in range(4)
    ]
    subject = torch.eye(3)[[0, 1, 2, 2]]  # a cat's face, a whole cat, twice something else
    judge = SimpleNamespace(
        labels=["cat face", "cat", "dog"],
        label_of={name: name for name in ("cat face", "cat", "dog")},
        pictures=lambda pictures: pictures,
        encode_image=lambda pictures: torch.eye(4),
        read=lambda pictures: SimpleNamespace(subject=subject),
    )
    assert sticker_bench.pairwise_diversity(items, [None] * 4, judge, 2) == {"cat": 1.0}
    assert sticker_bench.pairwise_diversity(items, [None] * 4, judge, 3) == {
        "cat": pytest.approx(1 / 6)
    }  # one of six pairs shows cats


def test_the_sealed_wishes_are_those_that_were_sealed(monkeypatch):
    assert len(user_prompts.read_prompts("dev")) == len(user_prompts.read_prompts("test")) == 75
    assert not set(user_prompts.read_prompts("dev")) & set(user_prompts.read_prompts("test"))


def test_a_share_of_wordings_is_paired_by_subject(monkeypatch):
    asked = [
        wording_items.WordingItem(f"{row}-{name}-{worded}", row, worded, "", "sticker", 1, name)
        for name in ("cat", "dog")
        for row, worded in (
            ("wording: {}", "{}"),
            ("wording: gimme a {}", "gimme a {}"),
            ("small", "{}"),
            ("small", "lovely {}"),
        )
    ]
    found = {each.id: float(each.worded == "{}" or each.subject == "cat") for each in asked}
    lines = {line["row"]: line["model 0"] for line in wordings.score_table(asked, [found], "dev")}
    assert set(lines) == {"wording: gimme a {}", "wording: never taught, all", "small"}
    assert lines["small"]["share"] == (0.5, 0.0, 1.0) and lines["small"]["plain"] == 1.0


def test_no_scene_of_version_3_shows_what_is_withheld_from_it(monkeypatch):
    names = [
        "cat face",
        "dog face",
        "fox",
        "robot",
        "key",
        "basket",
        "astronaut",
        "crown",
        "glasses",
        "top hat",
        "whale",
        "llama",
    ]
    subjects = [
        Subject(i, f"{i:x}", name, (), "" if name == "whale" else "thing")
        for i, name in enumerate(names)
    ]
    sprites = np.zeros((len(names), len(STYLES), 192, 192, 4), np.uint8)
    sprites[:, :, 40:150, 40:150] = (200, 60, 30, 255)
    monkeypatch.setattr(dataset_3, "load_subjects", lambda version: (subjects, sprites))
    scenes = dataset_3.training_world_3()
    assert [s.name for s in scenes.subjects] == names[
        :-2
    ]  # without what is held out, and what nobody asks for
    assert [s.name for s in dataset_3.training_world_3(everything=True).subjects] == names[:-1]
    monkeypatch.setattr(dataset_3.World3, "draw", lambda self, truth: (None, truth, 1.0))
    shown = [scenes[index][1] for index in range(1500)]
    assert not any(
        is_withheld("generator3", *each) for truth in shown for each in combinations(truth)
    )
    worn = {
        (scenes.by_name[thing.wears].codepoints, truth.style)
        for truth in shown
        for thing in truth.things
        if thing.wears in names
    }
    assert len(worn) > 6 and not any(is_withheld("generator3", *each) for each in worn)
    hidden = [scenes.truth(np.random.default_rng(index)) for index in range(1500)]
    assert 30 < sum(truth is not None and scenes.shows_withheld(truth) for truth in hidden) < 800


def test_what_is_told_of_a_place_or_a_mirror_is_told_always():
    tell = caption_sampler.CaptionSampler(
        [thing.subject for thing in truths()["pair"].things], set()
    )
    said = {
        kind: [tell(truths()[kind], np.random.default_rng(i)).lower() for i in range(300)]
        for kind in ("small", "mirrored")
    }
    assert all("left" in each or "small" in each for each in said["small"] if each)
    assert (
        np.mean(
            [
                any(words in each for words in phrase_lists.MIRROR_PHRASES)
                for each in said["mirrored"]
                if each
            ]
        )
        > 0.9
    )  # but for slips


def test_weights_travel_in_two_files_of_one_size(tmp_path):
    from safetensors.torch import load_file

    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"unet": torch.nn.Linear(30, 40), "text": torch.nn.Linear(40, 30)})
    weights.write_halves(model, tmp_path, 77)
    files = sorted(tmp_path.glob("*.safetensors"))
    both = [load_file(path) for path in files]
    assert json.loads((tmp_path / "step.json").read_text()) == {"step": 77} and len(files) == 2
    together = both[0] | both[1]
    assert 0.4 < files[0].stat().st_size / sum(path.stat().st_size for path in files) < 0.6
    assert set(together) == set(model.state_dict()) and all(
        value.dtype == torch.float16 for value in together.values()
    )
    torch.testing.assert_close(
        together["text.weight"].float(), model["text"].weight, atol=1e-3, rtol=1e-3
    )


def test_weights_of_two_steps_are_no_candidate(tmp_path):
    model = torch.nn.ModuleDict({"unet": torch.nn.Linear(30, 40), "text": torch.nn.Linear(40, 30)})
    weights.write_halves(model, tmp_path, 77)
    kept = (tmp_path / "weights-1.safetensors").read_bytes()
    weights.write_halves(model, tmp_path, 78)
    assert weights.load_candidate(tmp_path, model) is model
    (tmp_path / "weights-1.safetensors").write_bytes(kept)
    with pytest.raises(SystemExit, match="of different steps"):
        weights.load_candidate(tmp_path, model)


def test_the_bank_of_a_lap_forgets_the_oldest():
    import queue

    bank, handed = (
        latent_buffer.LatentBuffer(
            lambda pixels: pixels[:, :1, ::8, ::8].repeat(1, 8, 1, 1), "cpu", 6
        ),
        queue.Queue(),
    )
    for value in (10, 20):
        handed.put(
            (
                np.full((4, 128, 128, 4), value, np.uint8),
                np.full((4, latent_buffer.CAPTIONS_EACH, 77), value, np.int16),
            )
        )
    bank.take(handed, most=1)
    assert bank.seen == 4 and handed.qsize() == 1
    bank.take(handed)
    assert bank.seen == 8 and bank.tokens[:, 0, 0].tolist() == [20, 20, 10, 10, 20, 20]
    latents, tokens = bank.some(50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(latents[:, 0, 0, 0], tokens[:, 0] / 127.5 - 1, atol=1e-3, rtol=1e-3)


def test_a_lap_follows_the_loss_of_the_denoiser():
    class Net(torch.nn.Module):
        def forward(self, noisy, timesteps, hidden):
            from types import SimpleNamespace

            return SimpleNamespace(
                sample=0.5 * noisy + timesteps[:, None, None, None] / 1000, last_hidden_state=noisy
            )

    class Text(torch.nn.Module):
        def forward(self, tokens):
            from types import SimpleNamespace

            return SimpleNamespace(last_hidden_state=tokens)

    model = torch.nn.ModuleDict({"unet": Net(), "text": Text()})
    latents, tokens, weight = torch.randn(4096, 8, 2, 2), torch.zeros(4096, 77), torch.ones(8, 1, 1)
    scheduler = networks.build_scheduler()
    ours = gpu_lap_training.lap_loss(
        model, scheduler.alphas_cumprod, latents, tokens, weight, torch.Generator().manual_seed(1)
    )
    theirs = denoiser.velocity_loss(
        model["unet"], model["text"], scheduler, latents, tokens, 1, weight
    )
    assert abs(float(ours) / float(theirs) - 1) < 0.03  # other noise, the same expectation


def test_the_rate_of_a_lap_ends_at_nothing():
    assert (
        gpu_lap_training.lap_lr(0.0, 0) == gpu_lap_training.RATE / gpu_lap_training.WARMUP
        and gpu_lap_training.lap_lr(0.5, 500) == gpu_lap_training.RATE
    )
    assert gpu_lap_training.lap_lr(1.0, 500) == 0 and gpu_lap_training.lap_lr(
        0.8, 500
    ) == pytest.approx(gpu_lap_training.RATE / 2)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_the_background_training_is_started_once_and_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(background, "PID", tmp_path / "pid")
    assert background.running_pid() == 0
    (tmp_path / "pid").write_text("999999999")
    assert background.running_pid() == 0  # of a machine that is gone
    import subprocess

    waiter = tmp_path / "background.py"
    waiter.write_text("import time; time.sleep(60)")
    process = subprocess.Popen([sys.executable, str(waiter)])
    (tmp_path / "pid").write_text(str(process.pid))
    time.sleep(0.3)
    assert background.running_pid() == process.pid
    background.start()
    assert "runs already" in capsys.readouterr().out
    process.kill()
    process.wait()
    assert background.running_pid() == 0
