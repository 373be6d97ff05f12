"""`tailor style` as people use it: the stages that train, on tiny models and on sticker-mini."""

import json

import numpy as np
import pytest
from PIL import Image

import stickerforge
from stickerforge.adapters import store
from stickerforge.models.hub import ENCODERS
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.rating_set import (
    Accepted,
    read_candidates,
    set_folder,
    write_accepted,
)
from stickerforge.rating.ratings import Rating
from stickerforge.rating.serving import exclusive
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
    ended = tailor(*FROM_MODEL, "--steps", 8, "--json", validation=validation)
    assert ended.code == 0, ended.err
    result = ended.json["result"]
    assert result["sets"] == {"content": 5, "style": 3} and result["arm"] == "joint"
    assert result["adapter"] == "house" and result["kind"] == "tuned" and result["from"] is None
    made = store.find("house").made
    assert made["sets"] == {"content": 5, "style": 3} and made["arm"] == "joint"
    shares = [row["content_share"] for row in metrics("house")]
    assert set(shares) <= {0.0, 0.25, 0.5} and 0 < np.mean(shares) < 0.4  # 18 % in the mean
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
        "--set",
        "matting=none",
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
    call = ("--model", quick_sd, "--seed", 1, "--json", "--quiet", "--set", "matting=none")
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
    assert "give more: `stickerforge tailor style --name house --stage content`" in line
    write_accepted(content, "match", [Accepted("pictures/0.png", "a cat", 1, 0)])
    line = one_line(tailor(*FROM_MODEL, "--steps", 1))
    assert "1 content picture of 'house' passed" in line
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
    assert "2 pictures of both sets" in lines and "learned by heart" in lines and "4.png" in lines
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


def test_a_limit_of_memory_is_kept_or_said(tailor):
    options = (*FROM_MODEL, "--steps", 1, "--dry-run", "--json")
    whole = tailor(*options).json["result"]["about_memory_mb"]
    limited = tailor(*options, "--set", "training.memory=0.01")
    assert limited.json["result"]["about_memory_mb"] < whole
    assert any("a single picture takes about" in line for line in limited.json["warnings"])


def test_a_dry_run_of_a_prompt_says_that_nothing_is_trained(tailor):
    ended = tailor("--arm", "prompt", "--set", "style.phrase=in ink", "--dry-run")
    assert "train   nothing; prompts get 'in ink'" in ended.out


def test_the_rank_is_that_of_the_stage(tailor):
    """Known before a picture is encoded, in a dry run, too."""
    assert tailor(*FROM_MODEL, "--arm", "content", "--steps", 1).code == 0
    options = ("--init-from", "content", "--steps", 1)
    line = one_line(tailor(*options, "--rank", 3, "--dry-run"))
    assert "'house-content' has the rank 2, and the new adapter 3" in line
    result = tailor(*options, "--dry-run", "--json").json["result"]
    assert result["training"]["rank"] == 2 and result["from"] == "house-content"


def test_an_adapter_of_another_command_is_no_stage(cli, tailor, quick_sd, sets):
    call = ("tailor", "prompt", sets[0] / "content.jsonl", "--name", "house-domain", *SHORT)
    assert cli(*call, "--model", quick_sd, *QUIET, "--steps", 1).code == 0
    assert "no stage of 'house'" in one_line(tailor("--steps", 1))


def test_settings_without_effect_are_named(tailor):
    options = (
        *("joint.threshold=-1", "joint.stratified=true", "joint.beta=3"),
        *("gates.border=1", "style.phrase=x", "domain.data=x"),
    )
    sets = [word for option in options for word in ("--set", option)]
    ended = tailor(*FROM_MODEL, "--arm", "content", *sets, "--dry-run", "--json")
    lines = "\n".join(ended.json["warnings"])
    for what in ("threshold", "stratified", "beta", "gates", "phrase", "domain"):
        assert what in lines
    refused = tailor(*FROM_MODEL, "--ratings", "ann.jsonl")
    assert "is about the stages content and style" in one_line(refused)


def test_settings_of_a_run_can_be_given_from_any_folder(
    stage, pictures, cli, tmp_path, monkeypatch
):
    assert stage("domain", "--set", "domain.data=pictures").code == 0
    config = run_folder("house-domain", "tailor style").config
    assert f'data = "{pictures}"' in config.read_text()


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
    """Do a stage of `house` on a tiny model, whose pictures fit no prompt."""
    scores = [f"{section}.prompt_score=-1" for section in ("domain", "gates")]
    unscored = [word for score in scores for word in ("--set", score)]

    def stage(name, *options):
        call = ("tailor", "style", "--name", "house", "--stage", name, "--model", quick_sd)
        return cli(*call, *SHORT, *QUIET, *unscored, "--steps", 1, *options)

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
    same = cli("tailor", "style", "--config", folder / "tailor-style.toml", "--json")
    assert same.json["result"]["made"] == 0 and same.json["result"]["kept"] == result["items"]
    again = stage(
        "content", *CONTENT, "--ratings", rate(folder, [True, True, True, False]), "--json"
    )
    result = again.json["result"]
    assert result["made"] == 0 and result["kept"] == result["items"] and result["passed"] == 3
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
        ("style", ("--set", "style.drawn=true"), "no picture has passed yet"),
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


def test_answers_count_where_a_page_was_killed_before_it_wrote(stage, pictures):
    """The table of what passed is older than the answers."""
    assert stage("content", *CONTENT, "--init-from", "model").code == 0
    folder = set_folder("house", "match")
    items = len((folder / "candidates.jsonl").read_text().splitlines())
    file = rate(folder, [True] * items)
    assert stage("content", *CONTENT, "--init-from", "model", "--ratings", file).code == 0
    rows = read_candidates(folder)
    with AnswerStore(folder / STORE) as store:
        for row in rows[1:]:
            store.add(Rating(row.file_name, "match", False, "ann", "2026-01-02T00:00:00Z"))
    line = one_line(stage("joint", "--arm", "content", "--init-from", "model"))
    assert "1 content picture of 'house' passed" in line


def test_what_other_settings_drew_is_not_mixed(stage):
    assert stage("content", *CONTENT, "--init-from", "model").code == 0
    other = ("--set", "content.guidance=3")
    ended = stage("content", *CONTENT, "--init-from", "model", *other)
    assert ended.code == 2 and "give --force to draw them anew" in one_line(ended)
    tried = stage("content", *CONTENT, "--init-from", "model", "--dry-run")
    assert "there   6 pictures, not drawn again" in tried.out
    forced = stage("content", *CONTENT, "--init-from", "model", *other, "--force", "--json")
    assert forced.json["result"]["made"] == 6


def test_dry_runs_of_the_stages_do_nothing(stage, pictures, tmp_path):
    dry = ("--dry-run", "--json")
    result = stage("content", "--init-from", "model", *CONTENT, *dry).json["result"]
    assert (result["count"], result["kept"]) == (6, 0) and result["about_seconds"] > 0
    assert result["fetches"] == []
    result = stage("style", "--set", f"style.data={pictures}", *dry).json["result"]
    assert (result["count"], result["kept"], result["drops"]) == (7, 0, [])
    result = stage("domain", "--set", f"domain.data={pictures}", *dry).json["result"]
    assert result["sets"] == {"domain": 8}
    assert not (tmp_path / "home" / "sets").exists()
    assert not (tmp_path / "home" / "runs").exists()


def test_a_dry_run_of_content_names_what_would_be_fetched(stage, tmp_path):
    models = {
        "gates.safety": "someone/safe",
        "gates.encoder": "clip",
        "gates.prompt_score": 0.2,
        "content.duplicate_encoder": "siglip",
        "content.language_model": "someone/writer",
    }
    settings = [word for name, value in models.items() for word in ("--set", f"{name}={value}")]
    dry = (*CONTENT, "--init-from", "model", "--dry-run")
    found = stage("content", *dry, "--json", *settings).json["result"]["fetches"]
    assert found == sorted(["someone/safe", "someone/writer", ENCODERS["clip"], ENCODERS["siglip"]])
    assert f"fetch   {ENCODERS['clip']}, unless" in stage("content", *dry, *settings).out
    # By a file of prompts no language model is asked, and without a limit no encoder.
    file = tmp_path / "prompts.txt"
    file.write_text("a cat\n")
    settings += ["--set", f"content.file={file}", "--set", "gates.prompt_score=-1"]
    settings += ["--set", "gates.prompt_share=0"]
    found = stage("content", *dry, "--json", *settings).json["result"]["fetches"]
    assert found == sorted(["someone/safe", ENCODERS["siglip"]])
    wrong = stage("content", *dry, "--set", "gates.safety=./gone")
    assert wrong.code == 2 and "there is no folder './gone'" in one_line(wrong)


def test_a_dry_run_of_style_counts_as_the_stage_does(stage, pictures):
    (pictures / "4.png").write_bytes(b"no picture")
    options = ("--set", f"style.data={pictures}", "--json")
    told = stage("style", *options, "--dry-run").json["result"]
    assert told["count"] == 6 and len(told["drops"]) == 1 and "4.png" in told["drops"][0]
    done = stage("style", *options)
    assert done.code == 4 and done.json["result"]["made"] == 6
    told = stage("style", *options, "--dry-run").json["result"]
    assert (told["count"], told["kept"]) == (0, 6)


def test_drawings_that_left_the_house_are_named_and_lost_ones_are_no_dead_end(stage, pictures):
    options = ("--set", f"style.data={pictures}")
    folder = set_folder("house", "style")
    assert stage("style", *options).code == 0
    rows = (pictures / "metadata.jsonl").read_text().splitlines()
    (pictures / "metadata.jsonl").write_text("\n".join(rows[1:]))
    (pictures / "0.png").unlink()
    ended = stage("style", *options, "--json")
    assert any("1 picture of the set are not in style.data" in w for w in ended.json["warnings"])
    for path in (folder / "pictures").iterdir():
        path.unlink()
    (folder / "candidates.jsonl").write_text("")
    assert stage("style", *options, "--json").json["result"]["made"] == 6


OPEN = (
    *CONTENT,
    "--init-from",
    "model",
    "--set",
    "gates.prompt_score=-1",
    "--set",
    "gates.prompt_share=0",
    "--set",
    "gates.coverage_min=0",
)


def table(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def more_pictures(folder, count):
    """A folder of other pictures, with texts beside them."""
    folder.mkdir()
    for number in range(count):
        planes = np.random.default_rng(90 + number).integers(0, 256, (70, 70, 3), dtype=np.uint8)
        Image.fromarray(planes).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("another thing")
    return folder


@pytest.mark.parametrize(
    ("name", "question", "options"),
    [("content", "match", OPEN), ("style", "style", ("--set", "style.data=pictures"))],
)
def test_a_set_that_is_being_rated_is_left_alone(stage, pictures, name, question, options):
    folder = set_folder("house", question)
    with exclusive(folder):
        ended = stage(name, *options)
        assert ended.code == 2 and "is in use already" in one_line(ended)
        assert [path.name for path in files(folder)] == ["rating.lock"]
    assert stage(name, *options).code == 0
    before = files(folder)
    with exclusive(folder):
        again = stage(name, *options, "--set", f"{name}.guideline=Other.")
    assert again.code == 2 and files(folder) == before


@pytest.mark.parametrize(
    "text",
    [
        "{broken\n",
        "",
        '{"picture": "a.png", "question": "match", "answer": 3}\n',
        '{"picture": "a.png", "question": "style", "answer": true, "rater": "ann", '
        '"time": "2026-01-01T00:00:00Z"}\n',
    ],
)
def test_broken_ratings_are_said_before_a_picture_is_drawn(stage, tmp_path, text):
    broken = tmp_path / "broken.jsonl"
    broken.write_text(text)
    ended = stage("content", *OPEN, "--ratings", broken)
    assert ended.code == 2 and "broken.jsonl" in one_line(ended)
    assert not set_folder("house", "match").parent.exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("content", (*OPEN, "--set", "gates.safety=nowhere")),
        ("content", (*OPEN, "--init-from", "domain")),
        ("style", ()),
        ("style", ("--set", "style.drawn=true")),
    ],
)
def test_a_refused_call_leaves_no_folder(stage, name, options):
    """Else `rate` would take the name of a folder beside for that of a set."""
    assert stage(name, *options).code == 2
    assert not set_folder("house", "match").parent.exists()


def test_a_style_set_grows_and_keeps_what_was_decided(stage, pictures, tmp_path):
    assert stage("style", "--set", f"style.data={pictures}").code == 0
    folder = set_folder("house", "style")
    first = table(folder / "candidates.jsonl")
    file = rate(folder, [False, True], "style")
    rated = stage("style", "--ratings", file, "--json").json["result"]
    assert (rated["made"], rated["kept"], rated["taken"], rated["passed"]) == (0, 7, 2, 6)
    other = more_pictures(tmp_path / "other", 2)
    result = stage("style", "--set", f"style.data={other}", "--json").json["result"]
    assert (result["made"], result["kept"], result["passed"]) == (2, 7, 8)
    assert table(folder / "candidates.jsonl")[:7] == first
    again = stage("style", "--set", f"style.data={other}", "--json").json["result"]
    assert (again["made"], again["kept"]) == (0, 9)
    for row in first[2:4]:
        (folder / row["file_name"]).unlink()
    gone = stage("style", "--set", f"style.data={other}", "--json").json
    assert gone["result"]["kept"] == 7 and "2 pictures of the set have gone" in gone["warnings"][0]
    names = [row["file_name"] for row in table(folder / "candidates.jsonl")]
    assert all((folder / name).is_file() for name in names) and len(names) == 7


def test_nothing_drawn_has_passed_and_the_style_set_stays(stage, pictures):
    """Whether nobody has drawn, nobody has decided, or all were rejected."""
    assert stage("style", "--set", f"style.data={pictures}").code == 0
    folder = set_folder("house", "style")
    before = files(folder)
    ended = stage("style", "--set", "style.drawn=true")
    assert ended.code == 2 and "--stage content --name house" in one_line(ended)
    assert stage("content", *OPEN).code == 0
    undecided = stage("style", "--set", "style.drawn=true")
    file = rate(set_folder("house", "match"), [False] * 6)
    assert stage("content", *OPEN, "--ratings", file).code == 0
    for ended in (undecided, stage("style", "--set", "style.drawn=true")):
        assert ended.code == 2 and "no picture has passed yet" in one_line(ended)
        assert "`stickerforge rate house --question match`" in one_line(ended)
    assert files(folder) == before


def test_what_another_model_drew_lies_in_the_style_set_as_itself(stage):
    folder, style = set_folder("house", "match"), set_folder("house", "style")
    drawn = {}
    for extra, year in (((), "2025"), (("--set", "content.guidance=3", "--force"), "2026")):
        assert stage("content", *OPEN, *extra).code == 0
        file = rate(folder, [True] * 6)
        file.write_text(file.read_text().replace("2026-01", f"{year}-01"))
        ended = stage("content", *OPEN, *extra[:2], "--ratings", file, "--json")
        assert ended.json["result"]["passed"] == 6, ended.err
        assert stage("style", "--set", "style.drawn=true").code == 0
        for row in table(folder / "candidates.jsonl"):
            drawn[(folder / row["file_name"]).read_bytes()] = row["model"]
    rows = table(style / "candidates.jsonl")
    assert len(rows) == len(drawn) == 12
    assert {(style / row["file_name"]).read_bytes(): row["model"] for row in rows} == drawn


def test_gates_say_what_they_take_from_people_and_leave_no_table_of_moved_files(stage):
    folder = set_folder("house", "match")
    assert stage("content", *OPEN).code == 0
    file = rate(folder, [True] * 5 + [False])
    assert stage("content", *OPEN, "--ratings", file).code == 0
    some = stage("content", *OPEN, "--set", "gates.prompt_share=0.5", "--json")
    assert some.code == 0 and some.json["result"]["items"] == 3
    assert any("took out 3 pictures that people rated" in line for line in some.json["warnings"])
    again = stage("content", *OPEN, "--set", "gates.prompt_share=0.5", "--json")
    assert not any("took out" in line for line in again.json["warnings"])
    none = stage("content", *OPEN, "--set", "gates.prompt_score=0.99", "--json")
    assert none.code == 2 and "no picture is left" in none.err + none.out
    assert table(folder / "content.jsonl") == []
    back = stage("content", *OPEN, "--json").json["result"]
    assert back["passed"] == 5 and back["items"] == 6
    assert all((folder / row["file_name"]).is_file() for row in table(folder / "content.jsonl"))


def test_a_candidate_that_breaks_is_named_and_drawn_anew(stage):
    folder = set_folder("house", "match")
    assert stage("content", *OPEN).code == 0
    before = files(folder / "pictures")
    for path in list(before)[:2]:
        at = before[path].index(b"IDAT") + 10  # its beginning and end stay whole
        path.write_bytes(before[path][:at] + bytes(50) + before[path][at + 50 :])
    broken = stage("content", *OPEN, "--json")
    assert broken.code == 4 and len(broken.json["result"]["failed"]) == 2
    assert "the same call draws it anew" in broken.json["result"]["failed"][0]
    mended = stage("content", *OPEN, "--json")
    assert mended.code == 0 and mended.json["result"]["made"] == 2
    assert files(folder / "pictures") == before


def test_pictures_without_a_caption_and_other_files_are_named(stage, tmp_path):
    folder = more_pictures(tmp_path / "few", 5)
    for number in range(1, 4):
        (folder / f"{number}.txt").unlink()
    (folder / "notes.doc").write_text("x")
    ended = stage("style", "--set", f"style.data={folder}", "--json")
    lines = "\n".join(ended.json["warnings"])
    assert ended.json["result"]["items"] == 2
    assert "without a caption: 3 pictures, 1.png, 2.png" in lines and "notes.doc" in lines


@pytest.mark.parametrize("column", ['"seed": 5', '"count": 2', '"negative": "red"'])
def test_what_a_file_of_prompts_says_in_vain_is_said(stage, tmp_path, column):
    file = tmp_path / "mine.jsonl"
    file.write_text(f'{{"prompt": "a cat", {column}}}\n{{"prompt": "a dog"}}\n')
    ended = stage("content", *OPEN, "--set", f"content.file={file}", "--json")
    assert any(
        "seed, count" in line and "mine.jsonl do nothing" in line for line in ended.json["warnings"]
    )
