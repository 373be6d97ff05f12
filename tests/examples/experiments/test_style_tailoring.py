"""The proof of tailor style: what it measures, what its raters say, and what arms are asked for."""

import json
import multiprocessing

import numpy as np
import pytest
from PIL import Image, ImageDraw

from examples.experiments.style_tailoring import (
    arms,
    content,
    domain,
    filters,
    house,
    house_scenes,
    line_features,
    line_style,
    measure,
    pictures,
    raters,
    results,
    rough_lines,
    run,
    tables,
)
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.evaluation.metrics.distances import kernel_distance
from stickerforge.rating.rating_set import Candidate, SetInfo, write_candidates, write_info

WHITE, BLACK = (255, 255, 255), (33, 33, 33, 255)


def drawing(seed, *, lines, fill=(220, 160, 40, 255)):
    """Random ellipses: in black lines with clear insides, or as dark and light areas."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGBA", (128, 128))
    pen = ImageDraw.Draw(page)
    for number in range(3):
        x, y, size = (*rng.integers(12, 60, 2), rng.integers(30, 60))
        box = (int(x), int(y), int(x + size), int(y + size))
        if lines:
            pen.ellipse(box, outline=BLACK, width=5)
        else:
            pen.ellipse(box, fill=fill if number % 2 else (60, 40, 90, 255))
    return page


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def classifier():
    rows, house_style = [], []
    for seed in range(40):
        rows.append(line_features.line_features(drawing(seed, lines=True)))
        house_style.append(True)
        for filtered in filters.FILTERS.values():
            rows.append(line_features.line_features(filtered(drawing(seed, lines=False))))
            house_style.append(False)
    return line_style.fit(np.stack(rows), np.array(house_style))


@pytest.mark.parametrize("fill", [(220, 160, 40, 255), (120, 200, 220, 255), (250, 170, 190, 255)])
def test_no_palette_changes_what_is_read_of_lines(fill):
    plain = line_features.line_features(drawing(3, lines=False))
    assert np.array_equal(line_features.line_features(drawing(3, lines=False, fill=fill)), plain)


@pytest.mark.parametrize("lines", [True, False])
def test_a_threshold_changes_nothing_of_what_is_read(lines):
    picture = drawing(5, lines=lines)
    black = filters.fixed(picture)
    assert set(map(tuple, np.asarray(black).reshape(-1, 4))) <= {(0, 0, 0, 0), BLACK}
    features = line_features.line_features(picture)
    assert np.array_equal(line_features.line_features(black), features)


def test_other_lines_change_what_is_read():
    features = [line_features.line_features(drawing(5, lines=lines)) for lines in (True, False)]
    assert np.abs(features[0] - features[1]).max() > 0.2


@pytest.mark.parametrize("picture", [Image.new("RGBA", (128, 128)), Image.new("L", (128, 128))])
def test_empty_and_full_pictures_have_features(picture):
    assert np.isfinite(line_features.line_features(picture)).all()


@pytest.mark.parametrize("name", list(filters.FILTERS))
def test_the_classifier_is_not_passed_by_a_filter(classifier, name):
    seeds = range(100, 120)
    own = np.stack([line_features.line_features(drawing(each, lines=True)) for each in seeds])
    filtered = [filters.FILTERS[name](drawing(each, lines=False)) for each in seeds]
    other = np.stack([line_features.line_features(each) for each in filtered])
    assert (classifier.chances(own) >= 0.5).mean() > 0.9
    assert (classifier.chances(other) >= 0.5).mean() < 0.1


def test_otsu_parts_two_greys_wherever_they_lie():
    for dark, light in ((0.1, 0.3), (0.55, 0.9)):
        level = filters.otsu_level(np.repeat([dark, light], 50))
        assert dark < level <= light


def test_the_parts_of_a_distance_have_it_as_their_mean():
    rng = np.random.default_rng(0)
    ours, theirs = unit(rng.normal(size=(30, 8))), unit(rng.normal(0.3, 1, size=(50, 8)))
    parts, length = measure.distance_parts(ours, theirs), 8**0.5
    assert parts.mean() == pytest.approx(kernel_distance(length * ours, length * theirs))
    without = [kernel_distance(length * np.delete(ours, i, 0), length * theirs) for i in range(30)]
    # a picture that adds much to the distance is one whose loss lowers it
    assert np.corrcoef(parts, without)[0, 1] < -0.99


def test_values_are_those_of_the_pictures_of_a_prompt():
    features = unit(np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]]))
    values = {name: np.array([1.0, 3, 5, 9]) for name in ("house", "alignment", "facts")}
    found = measure.by_prompt(
        measure.Measured(features, values), np.array([0, 0, 1, 1]), features, 2
    )
    assert found["house"].tolist() == [2, 7]
    assert found["diversity"].tolist() == [0, 1]
    assert set(found) == set(measure.MEASURES)


def test_simulated_raters_err_as_often_as_they_are_told():
    truths = [bool(number % 3) for number in range(4000)]
    exact = raters.simulated_votes(truths, flips=0)
    assert (exact == np.array(truths)[:, None]).all()
    votes = raters.simulated_votes(truths, raters=3, flips=0.1)
    assert (votes != exact).mean() == pytest.approx(0.1, abs=0.01)
    # each errs by himself: a majority of three is wrong in 2.8 %
    assert ((votes.sum(1) >= 2) != truths).mean() == pytest.approx(0.028, abs=0.01)


def test_simulated_ratings_go_by_the_prompt(tmp_path, monkeypatch):
    tables.write_table(tmp_path, "unused.jsonl", [(drawing(1, lines=True), "a bus")] * 2)
    rows = [Candidate(f"pictures/{n:06d}.png", text) for n, text in ((1, "a bus"), (2, "a cat"))]
    write_candidates(tmp_path, rows)
    write_info(tmp_path, SetInfo("match"))
    monkeypatch.setattr(raters, "shows_claims", lambda images, texts: [t == "a bus" for t in texts])
    found = raters.simulated_ratings(tmp_path)
    assert len(found) == 2 * raters.RATERS
    assert sum(row.answer for row in found if row.picture == rows[0].file_name) >= 2
    assert sum(row.answer for row in found if row.picture == rows[1].file_name) <= 1


def test_what_claims_nothing_does_not_pass():
    picture = drawing(1, lines=True)
    assert raters.shows_claims([picture, picture], ["something nice", "four octopuses"]) == [
        False,
        False,
    ]


def test_prompts_of_training_and_evaluation_differ():
    asked, trained = house.evaluation_prompts(), content.content_prompts()
    assert len(set(asked)) == len(asked) == 50
    assert len(set(trained)) == len(trained) == content.PROMPTS + len(content.SINGLE)
    assert not set(asked) & set(trained)
    families = {bank.family: set(bank.prompts) for bank in content.banks()}
    counts = [len(set(trained) & own) for own in families.values()]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("count", [2, 3, 4])
def test_several_things_lie_apart_on_one_page(monkeypatch, count):
    full = Image.new("RGBA", (128, 128), BLACK)
    monkeypatch.setattr(house.HouseThing, "picture", lambda thing: full)
    page = house_scenes.compose([house.HouseThing(None, "bus")] * count)
    figure = np.asarray(page)[..., 3] > 0
    assert figure.sum() == count * house_scenes.SIDE**2
    assert page.size == full.size


@pytest.mark.parametrize(
    ("name", "words"),
    [("wolf", "wolves"), ("grapes", "grapes"), ("bus", "buses"), ("fox", "foxes")],
)
def test_numbers_are_of_plurals(name, words):
    assert house_scenes.plural_of(name) == words


def test_arms_have_adapters_of_their_own():
    trained = [*arms.TRAINED, "domain", *arms.VARIANTS]
    names = [arms.adapter_of(arm, seed) for arm in trained for seed in pictures.SEEDS]
    assert len(set(names)) == len(names)
    assert arms.adapter_of("base", 0) == arms.adapter_of("prompt flat", 1) == ""
    starts = [variant.start for variant in arms.VARIANTS.values() if variant.start]
    assert set(starts) <= set(trained)


def test_every_arm_is_in_the_queue_and_begun_after_what_it_begins_from():
    for seed in pictures.SEEDS:
        queued = [arm for own, arm in run.QUEUE if own == seed]
        assert set(arms.ARMS) | {"base"} <= set(queued)
        for arm in queued:
            start = arms.VARIANTS[arm].start if arm in arms.VARIANTS else ""
            assert not start or queued.index(start) < queued.index(arm)


def test_families_share_the_prompts_out():
    bounds = sorted(house.FAMILIES.values())
    assert [first for first, _ in bounds] == [0, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == len(house.evaluation_prompts())
    first, end = house.FAMILIES["number"]
    numbers = set(house_scenes.NUMBERS.values()) | {"five"}
    assert {text.split()[0] for text in house.evaluation_prompts()[first:end]} <= numbers


@pytest.mark.parametrize("seed", [1, 2])
def test_rough_lines_are_on_a_clean_ground(seed):
    rough = rough_lines.roughen_lines(drawing(4, lines=True), seed)
    assert np.array_equal(
        np.asarray(rough), np.asarray(rough_lines.roughen_lines(drawing(4, lines=True), seed))
    )
    ink = line_features.ink_map(rough)
    exact = line_features.ink_map(drawing(4, lines=True))
    assert 0 < (ink ^ exact).sum() < 0.8 * exact.sum()
    assert (np.asarray(rough)[:4, :4] >= 254).all()


def test_pictures_of_a_prompt_have_different_seeds_in_one_batch():
    shots = [shot for training in pictures.SEEDS for shot in pictures.shots(training)]
    assert len({shot.seed for shot in shots}) == len(shots) == 200
    batches = [shots[first : first + 4] for first in range(0, 100, 4)]
    assert all(len({shot.seed % pictures.TOGETHER for shot in batch}) == 4 for batch in batches)


def test_only_the_prompt_arm_is_told_the_style():
    shot = pictures.shots(0)[0]
    for arm in ("prompt", "prompt flat"):
        assert pictures.prompt_of(shot, arm).startswith(pictures.prompt_of(shot, "joint") + ", ")
    assert pictures.prompt_of(shot, "base") == pictures.prompt_of(shot, "joint")


def test_wrong_captions_are_those_of_other_pictures():
    own = [domain.TaggedPicture(drawing(n, lines=True), str(n)) for n in range(40)]
    exchanged = domain.exchange(own, np.random.default_rng(0))
    assert [each.image for each in exchanged] == [each.image for each in own]
    wrong = [a.text for a, b in zip(exchanged, own, strict=True) if a.text != b.text]
    assert len(wrong) == 4
    assert sorted(each.text for each in exchanged) == sorted(each.text for each in own)


def test_a_table_is_read_as_pictures_with_captions(tmp_path):
    table = tables.write_table(tmp_path, "style.jsonl", [(drawing(1, lines=True), "a cat’s hat")])
    found = read_captioned_pictures(table)
    assert found.captions == ["a cat’s hat"]
    assert json.loads(table.read_text())["passes"] == 1


def test_differences_are_paired_by_prompt():
    rng = np.random.default_rng(1)
    base = rng.normal(size=50)
    low = {name: base for name in measure.MEASURES}
    high = {name: base + 0.5 + rng.normal(0, 0.01, 50) for name in measure.MEASURES}
    found = results.compare([high, high], [low, low])["alignment"]
    assert found["change"] == pytest.approx(0.5, abs=0.01)
    assert 0.45 < found["low"] < 0.5 < found["high"] < 0.55
    unsure = {name: base + rng.normal(0, 1, 50) for name in measure.MEASURES}
    found = results.compare([unsure], [low])["house"]
    assert found["low"] < 0 < found["high"]


def test_prompts_without_claims_are_left_out_of_the_facts():
    values = np.array([0.5] * 20 + [np.nan] * 5 + [1.0] * 20)
    table = dict.fromkeys(measure.MEASURES, values)
    assert results.summary([table])["facts"]["mean"] == 0.75
    assert results.compare([table], [table])["facts"]["prompts"] == 40


def hold(path, begun, end):
    with run.claim(path):
        begun.set()
        end.wait(30)


def test_an_arm_is_begun_by_one_process(tmp_path):
    context = multiprocessing.get_context("fork")
    begun, end = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "joint-0", begun, end))
    other.start()
    assert begun.wait(30)
    with run.claim(tmp_path / "joint-0") as free, run.claim(tmp_path / "joint-1") as other_free:
        assert not free
        assert other_free
    end.set()
    other.join(30)
    with run.claim(tmp_path / "joint-0") as free:
        assert free
