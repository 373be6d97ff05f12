"""`tailor style` as people use it: the stages that train, on tiny models and on sticker-mini."""

import json

import numpy as np
import pytest
from PIL import Image

import stickerforge
from stickerforge.adapters import store
from stickerforge.rating.rating_set import Accepted, set_folder, write_accepted
from stickerforge.training.run_folder import run_folder
from tests.conftest import one_line

SHORT = ("--batch", 4, "--rank", 2, "--quiet")
QUIET = ("--set", "validation.every=0")
FROM_MODEL = ("--init-from", "model")


def save_set(name, question, count, size=(40, 40)):
    """A set of so many pictures that people took."""
    folder = set_folder(name, question)
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for number in range(count):
        rng = np.random.default_rng([number, question == "style"])
        planes = rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(planes).save(folder / "pictures" / f"{number}.png")
        rows.append(Accepted(f"pictures/{number}.png", f"a cat number {number}", 1, 0))
    write_accepted(folder, question, rows)
    return folder


@pytest.fixture
def sets(cli):
    """Five content pictures and three of another shape of a style, of the model `house`."""
    return save_set("house", "match", 5), save_set("house", "style", 3, size=(60, 30))


@pytest.fixture
def tailor(cli, sets, quick_sd):
    """Tailor a tiny model as `house`, without validation unless asked."""

    def tailor(*options, validation=QUIET):
        call = ("tailor", "style", "--name", "house", "--model", quick_sd, *SHORT)
        return cli(*call, *validation, *options)

    return tailor


def metrics(name):
    return [json.loads(row) for row in run_folder(name).metrics.read_text().splitlines()]


def test_from_two_sets_to_a_picture(tailor, cli, quick_sd):
    validation = ("--set", "validation.prompts=2", "--set", "validation.seeds=2")
    ended = tailor(*FROM_MODEL, "--steps", 4, "--json", validation=validation)
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["sets"] == {"content": 5, "style": 3} and result["arm"] == "joint"
    assert result["adapter"] == "house" and result["kind"] == "tuned" and result["from"] is None
    made = store.find("house").made
    assert made["sets"] == {"content": 5, "style": 3} and made["arm"] == "joint"
    assert all(0 <= row["content_share"] <= 1 for row in metrics("house"))
    log = [json.loads(row) for row in run_folder("house").validation_log.read_text().splitlines()]
    assert {"style_distance", "diversity", "alignment", "drift"} <= set(log[-1])
    drawn = cli(
        "generate",
        "a cat",
        "--adapter",
        "house",
        "--model",
        quick_sd,
        "--quiet",
        "--json",
        "--matting",
        "none",
    )
    assert drawn.code == 0, drawn.err


def test_every_arm_is_an_adapter_of_its_own_and_they_differ(tailor, cli):
    domain = ("--set", "joint.threshold=0", "--steps", 2, "--init-from")
    assert tailor(*domain, "model").code == 0
    adapters = {"joint": store.find("house")}
    for arm in ("content", "style", "sequential", "mixed", "reversed"):
        ended = tailor(*domain, "model", "--arm", arm)
        assert ended.code == 0, ended.err
        adapters[arm] = store.find(f"house-{arm}")
    assert len({adapter.sha256 for adapter in adapters.values()}) == 6
    shares = {arm: [row["content_share"] for row in metrics(a.name)] for arm, a in adapters.items()}
    assert set(shares["content"]) == {1.0} and set(shares["style"]) == {0.0}
    assert shares["sequential"] == [1.0, 0.0]
    assert [1 - share for share in shares["joint"]] == shares["reversed"]
    began = tailor(*domain, "content", "--arm", "style", "--force", "--json").json["result"]
    assert began["from"] == "house-content" and began["sha256"] != adapters["style"].sha256


def test_the_arm_of_a_prompt_adds_words_and_nothing_else(tailor, cli, quick_sd):
    assert "style.phrase" in one_line(tailor("--arm", "prompt"))
    assert tailor("--arm", "prompt", "--set", "style.phrase=in black and white").code == 0
    call = ("--model", quick_sd, "--seed", 1, "--json", "--quiet", "--matting", "none")
    styled = cli("generate", "a cat", "--style", "house-prompt", *call).outputs[0]
    plain = cli("generate", "a cat, in black and white", *call).outputs[0]
    other = cli("generate", "a cat", *call).outputs[0]
    one, two, three = (Image.open(each["path"]).tobytes() for each in (styled, plain, other))
    assert one == two != three


def test_an_interrupted_run_goes_on_to_the_same_bytes(tailor, monkeypatch, tmp_path, cli):
    options = (*FROM_MODEL, "--set", "joint.threshold=0", "--set", "joint.objective=dco")
    assert tailor(*options, "--steps", 3).code == 0
    whole = store.find("house")
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    save_set("house", "match", 5)
    save_set("house", "style", 3, size=(60, 30))
    assert tailor(*options, "--steps", 1).code == 0
    assert tailor(*options, "--steps", 3, "--resume").code == 0
    assert store.find("house").sha256 == whole.sha256
    other = tailor(*options[:2], "--steps", 5, "--resume", "--set", "joint.threshold=1")
    assert "other settings" in one_line(other)


def test_a_sequential_run_cannot_be_made_longer(tailor):
    """Where it turns from content to style would move."""
    options = (*FROM_MODEL, "--arm", "sequential")
    assert tailor(*options, "--steps", 2).code == 0
    assert "other settings" in one_line(tailor(*options, "--steps", 4, "--resume"))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--name", ""), "give --name NAME"),
        (("--name", "flat"), "is the name of a preset"),
        ((), "there is no adapter 'house-domain', from which joint begins; make it with"),
        (("--arm", "style", "--init-from", "style"), "cannot begin from itself"),
        (("--init-from", "content"), "make it with --arm content"),
        (("--stage", "content", "--arm", "mixed"), "is about --stage joint"),
        ((*FROM_MODEL, "--set", "joint.threshold=80"), "give one between"),
        ((*FROM_MODEL, "--set", "joint.threshold=-80"), "is beyond the noise levels"),
        ((*FROM_MODEL, "--set", "joint.stratified=true", "--batch", 1), "two pictures per step"),
        ((*FROM_MODEL, "--name", "other"), "make them with --stage content"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tailor, options, what):
    ended = tailor("--steps", 1, *options)
    assert ended.code == 2 and what in one_line(ended)


def test_what_validates_is_known_before_work(tailor):
    options = (*FROM_MODEL, "--set", "validation.encoder=dinov")
    assert "unknown encoder" in one_line(tailor(*options, validation=()))


def test_too_few_pictures_passed(tailor, sets):
    content, style = sets
    write_accepted(content, "match", [])
    line = one_line(tailor(*FROM_MODEL, "--steps", 1))
    assert "0 content pictures of 'house' passed, and at least 2 are needed" in line
    assert "`stickerforge rate house --question match`" in line
    write_accepted(content, "match", [Accepted("pictures/0.png", "a cat", 1, 0)])
    assert "1 content picture" in one_line(tailor(*FROM_MODEL, "--steps", 1))
    (content / "content.jsonl").write_text('{"file_name": "pictures/0.png"}\n')
    assert "line 1" in one_line(tailor(*FROM_MODEL, "--steps", 1))
    (style / "style.jsonl").unlink()
    assert one_line(tailor(*FROM_MODEL, "--arm", "style")).count("there are no style pictures") == 1


def test_what_is_odd_about_the_sets_is_said(tailor, sets):
    content, style = sets
    for number in range(2):
        (style / "pictures" / f"{number}.png").write_bytes(
            (content / "pictures" / f"{number}.png").read_bytes()
        )
    (content / "pictures" / "4.png").write_bytes(b"no picture")
    ended = tailor(*FROM_MODEL, "--steps", 1, "--json")
    assert ended.code == 4
    lines = "\n".join(ended.json["warnings"])
    assert "2 pictures of both sets" in lines and "are few" in lines and "4.png" in lines
    assert ended.json["result"]["sets"]["content"] == 4


def test_a_stage_of_another_model_is_no_beginning(tailor, cli, quick_sd):
    assert (
        cli(
            "tailor",
            "style",
            "--name",
            "house",
            "--arm",
            "style",
            *SHORT,
            "--steps",
            1,
            *FROM_MODEL,
            *QUIET,
        ).code
        == 0
    )  # of sticker-mini
    line = one_line(tailor("--init-from", "style", "--steps", 1))
    assert "was made for sticker-mini" in line and "give --model sticker-mini" in line


def test_a_dry_run_says_what_and_how_long_and_does_nothing(tailor, tmp_path):
    result = tailor(*FROM_MODEL, "--dry-run", "--json").json["result"]
    assert result["sets"] == {"content": 5, "style": 3} and result["about_seconds"] > 0
    assert 0 < result["content_share"] < 0.5
    reverse = tailor(*FROM_MODEL, "--dry-run", "--json", "--arm", "reversed").json["result"]
    assert reverse["content_share"] == pytest.approx(1 - result["content_share"], abs=1e-4)
    assert not (tmp_path / "home" / "adapters").exists()
    assert not (tmp_path / "home" / "runs").exists()


def test_parts_of_a_batch_take_less_memory_and_come_to_the_same(tailor):
    options = (*FROM_MODEL, "--steps", 1, "--dry-run", "--json")
    whole = tailor(*options).json["result"]["about_memory_mb"]
    limited = tailor(*options, "--set", "training.memory=0.01")
    assert limited.json["result"]["about_memory_mb"] < whole
    assert any("a single picture takes about" in line for line in limited.json["warnings"])


def test_from_python(sets, quick_sd):
    settings = {
        "init_from": "model",
        "model": str(quick_sd),
        "training.steps": 1,
        "training.batch": 2,
        "training.rank": 2,
        "validation.every": 0,
    }
    result = stickerforge.tailor_style("house", settings=settings)
    assert result.data.count == 8 and store.find("house").kind == "tuned"


@pytest.fixture
def pictures(tmp_path):
    """Eight sticker-like pictures with captions, one of them a repetition, one too small."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = []
    for number in range(8):
        size = 20 if number == 7 else 70
        rng = np.random.default_rng(number)
        blocks = rng.integers(0, 256, (5, 5, 4), dtype=np.uint8)
        blocks[..., 3] = 255 * rng.integers(0, 2, (5, 5), dtype=np.uint8)
        planes = np.asarray(Image.fromarray(blocks).resize((size, size), Image.Resampling.NEAREST))
        Image.fromarray(planes).save(folder / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "text": f"a thing, number {number}"})
    (folder / "6.png").write_bytes((folder / "5.png").read_bytes())
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def stage(cli, quick_sd):
    """Do a stage of `house` on a tiny model."""

    def stage(name, *options):
        call = ("tailor", "style", "--name", "house", "--stage", name, "--model", quick_sd)
        return cli(*call, *SHORT, *QUIET, "--steps", 1, *options)

    return stage


CONTENT = (
    "--set",
    "content.prompts=3",
    "--set",
    "content.count=2",
    "--set",
    "gates.border=1",
    "--set",
    "gates.duplicates=off",
    "--set",
    "gates.prompt_share=0.1",
    "--set",
    "content.matting=none",
)


def rate(folder, answers, question="match"):
    """A file of ratings: the pictures of a set in their order get these answers."""
    rows = [json.loads(line) for line in (folder / "candidates.jsonl").read_text().splitlines()]
    lines = [
        json.dumps(
            {
                "picture": row["file_name"],
                "question": question,
                "answer": answer,
                "rater": "ann",
                "time": "2026-01-01T00:00:00Z",
            }
        )
        for row, answer in zip(rows, answers, strict=False)
    ]
    file = folder.parent / f"{question}-ratings.jsonl"
    file.write_text("\n".join(lines))
    return file


def test_from_pictures_and_ratings_to_a_tailored_model(stage, pictures, cli, tmp_path):
    """Every stage, as people go through them."""
    ended = stage("domain", "--set", f"domain.data={pictures}", "--json")
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["adapter"] == "house-domain" and result["sets"] == {"domain": 6}
    report = json.loads((run_folder("house-domain").path / "filters.json").read_text())
    assert report["removed"] == {"size": 1, "duplicate": 1}
    assert result["report"].endswith("filters.html")
    ended = stage("content", *CONTENT, "--json")
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["made"] == 6 and result["items"] + sum(result["removed"].values()) == 6
    assert result["passed"] == 0 and result["rated"] == 0
    folder = set_folder("house", "match")
    again = stage(
        "content", *CONTENT, "--ratings", rate(folder, [True, True, True, False]), "--json"
    )
    result = again.json["result"]
    assert result["made"] == 0 and result["kept"] == 6 and result["passed"] == 3
    assert result["taken"] == min(4, result["items"])
    ended = stage("style", "--set", f"style.data={pictures}", "--set", "style.drawn=true", "--json")
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["items"] == 7 + 3  # equal pictures are one, and drawn ones wait for a pick
    assert result["passed"] == 7
    assert stage("joint").code == 0
    assert store.find("house").made["sets"] == {"content": 3, "style": 7}
    assert store.find("house").made["from"] == store.find("house-domain").sha256


def test_a_rater_takes_out_what_a_user_gave(stage, pictures):
    assert stage("style", "--set", f"style.data={pictures}").code == 0
    file = rate(set_folder("house", "style"), [False, True], "style")
    ended = stage("style", "--set", f"style.data={pictures}", "--ratings", file, "--json")
    assert ended.json["result"]["passed"] == 6


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("domain", (), "give --set domain.data=FOLDER"),
        ("domain", ("--set", "domain.data=nowhere"), "no folder nowhere"),
        (
            "domain",
            ("--set", "domain.data=pictures", "--set", "domain.min_side=1000"),
            "the filter size removed all 8; change domain.min_side",
        ),
        ("content", (), "there is no adapter 'house-domain', from which the stage content begins"),
        ("content", ("--init-from", "model", "--ratings", "none.jsonl"), "no file of ratings"),
        (
            "content",
            ("--init-from", "model", "--set", "content.families=['love']"),
            "unknown family 'love'",
        ),
        ("style", (), "give --set style.data=FOLDER"),
        ("style", ("--set", "style.drawn=true"), "nobody has decided about that"),
        (
            "style",
            ("--set", "style.data=pictures", "--ratings", "pictures/metadata.jsonl"),
            "line 1",
        ),
    ],
)
def test_what_a_stage_lacks_is_one_line(stage, pictures, name, options, what):
    ended = stage(name, *options)
    assert ended.code == 2 and what in one_line(ended)


def test_what_other_settings_drew_is_not_mixed(stage):
    assert stage("content", *CONTENT, "--init-from", "model").code == 0
    other = ("--set", "content.guidance=3")
    ended = stage("content", *CONTENT, "--init-from", "model", *other)
    assert ended.code == 2 and "give --force to draw them anew" in one_line(ended)
    forced = stage("content", *CONTENT, "--init-from", "model", *other, "--force", "--json")
    assert forced.json["result"]["made"] == 6


def test_dry_runs_of_the_stages_do_nothing(stage, pictures, tmp_path):
    dry = ("--dry-run", "--json")
    result = stage("content", "--init-from", "model", *CONTENT, *dry).json["result"]
    assert result["count"] == 6 and result["about_seconds"] > 0
    result = stage("style", "--set", f"style.data={pictures}", *dry).json["result"]
    assert result["count"] == 8
    result = stage("domain", "--set", f"domain.data={pictures}", *dry).json["result"]
    assert result["sets"] == {"domain": 8}
    assert not (tmp_path / "home" / "sets").exists()
    assert not (tmp_path / "home" / "runs").exists()
