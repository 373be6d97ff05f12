"""Options of customize: masks, class images, validation, captions that cannot be."""

import json

import numpy as np
import pytest
from PIL import Image

from stickerforge.adapters import store
from stickerforge.stickers.image_files import read_params
from tests.conftest import one_line

SHORT = ("--steps", 3, "--batch", 2, "--rank", 2, "--set", "preview.count=0")
QUIET = (*SHORT, "--quiet")


def weights(name):
    return store.read_weights(store.find(name))


def same(first, second):
    lora = first.lora.keys() == second.lora.keys() and all(
        bool((first.lora[k].up == second.lora[k].up).all()) for k in first.lora
    )
    return lora and all(
        bool((first.tokens[t][k] == second.tokens[t][k]).all())
        for t in first.tokens
        for k in first.tokens[t]
    )


def test_masks_change_what_is_learned(cli, photos, tiny_sd, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name, size in (("a", (120, 90)), ("b", (90, 90))):
        mask = Image.new("L", size)
        mask.paste(255, (20, 20, 70, 80))
        mask.save(masks / f"{name}.png")
    asked = ("customize", photos, "--subject", "thing", "--model", tiny_sd, *QUIET)
    for name, mask in (("with", masks), ("without", "none"), ("auto", "auto")):
        ended = cli(*asked, "--name", name, "--mask", mask)
        assert ended.code == 0, ended.err
    assert same(weights("without"), weights("auto")), (
        "photographs count as a whole where no matting network is installed"
    )
    assert not same(weights("with"), weights("without"))
    white = tmp_path / "white"
    white.mkdir()
    for name, size in (("a", (120, 90)), ("b", (90, 90))):
        Image.new("L", size, 255).save(white / f"{name}.png")
    assert cli(*asked, "--name", "white", "--mask", white).code == 0
    first, second = (weights(name).lora for name in ("white", "without"))
    for layer in first:
        np.testing.assert_allclose(first[layer].up, second[layer].up, atol=1e-5)


def test_a_network_that_comes_in_the_middle_of_a_run_changes_nothing_of_it(
    cli, photos, tiny_sd, monkeypatch
):
    from stickerforge.errors import EnvironmentFault
    from stickerforge.training import checkpoint, loss_masks

    def full(path, content):
        if path.name.startswith("checkpoint-000002"):
            raise EnvironmentFault(
                f"the disk is full, {path} was not written", "free some space and run it again"
            )
        real(path, content)

    def middle(rgb):
        alpha = np.zeros((*rgb.shape[:2], 1), np.float32)
        alpha[20:70, 20:70] = 1
        return np.concatenate([rgb / np.float32(255) * alpha, alpha], -1)

    real = checkpoint.write_whole
    options = (*SHORT, "--model", tiny_sd, "--set", "training.save_every=1")
    asked = ("customize", photos, "--subject", "thing", *options)
    alone = cli(*asked, "--name", "alone")
    assert alone.code == 0 and "count with their background" in alone.err
    monkeypatch.setattr(checkpoint, "write_whole", full)
    assert cli(*asked).code == 3
    monkeypatch.setattr(checkpoint, "write_whole", real)
    monkeypatch.setattr(loss_masks, "installed_matting", lambda console: middle)
    assert cli(*asked, "--resume").code == 0
    assert same(weights("thing"), weights("alone")) and store.find("thing").made["matting"] == ""
    assert cli(*asked, "--force").code == 0
    assert (
        not same(weights("thing"), weights("alone"))
        and store.find("thing").made["matting"] == "isnet-general-use"
    )


@pytest.mark.parametrize("large", [False, True])
def test_what_is_clear_counts_where_alpha_is_learned_only(cli, art, tiny_sd, large):
    model = ("--model", tiny_sd) if large else ()
    for name in ("auto", "none"):
        asked = ("customize", art, "--subject", "blob", "--name", name, "--mask", name)
        assert cli(*asked, *model, *QUIET, "--steps", 1).code == 0
    assert same(weights("auto"), weights("none")) is not large


@pytest.mark.parametrize(
    ("content", "message", "code"),
    [
        (None, "no mask for b.jpg", 2),
        (Image.new("L", (50, 50), 255), "50 x 50 pixels, its picture 90 x 90", 4),
        (Image.new("L", (90, 90)), "black throughout", 4),
        (b"nonsense", "b.png: no picture that can be read", 4),
        ("edge", "b.jpg: what counts of it lies outside of the middle", 4),
        ("twice", "two masks for one picture", 2),
    ],
)
def test_masks_that_cannot_be(cli, photos, tiny_sd, tmp_path, content, message, code):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.new("L", (120, 90), 255).save(masks / "a.png")
    (masks / "b.psd").write_bytes(b"what a painter left")
    if content == "edge":
        content = Image.new("L", (200, 90))
        content.paste(255, (0, 0, 9, 90))
        Image.new("RGB", (200, 90), "red").save(photos / "b.jpg")
    if content == "twice":
        Image.new("L", (90, 90), 255).save(masks / "b.webp")
        content = Image.new("L", (90, 90), 255)
    if isinstance(content, bytes):
        (masks / "b.png").write_bytes(content)
    elif content:
        content.save(masks / "b.png")
    asked = ("customize", photos, "--subject", "thing", "--model", tiny_sd, "--mask", masks)
    ended = cli(*asked, *QUIET, "--steps", 1)
    assert ended.code == code and message in ended.err, ended.err
    if code == 2:
        assert message in one_line(ended) and not store.folder("thing").exists()
    else:  # the other picture is learned all the same
        assert store.find("thing").made["pictures"] and "b.jpg" in ended.err


def test_pictures_of_the_class_are_drawn_by_the_base(cli, art, quick_sd):
    prior = ("--set", "training.prior_weight=1", "--set", "training.prior_count=3")
    asked = ("customize", art, "--subject", "blob", "--class", "apple", "--model", quick_sd, *QUIET)
    ended = cli(*asked, *prior, "--json")
    assert ended.code == 0, ended.out
    drawn = sorted((store.home() / "runs" / "blob" / "prior").glob("*.png"))
    assert len(drawn) == 3 and {read_params(path)["prompt"] for path in drawn} == {
        "a photo of an apple"
    }
    assert read_params(drawn[0])["adapters"] == []
    with_prior = weights("blob")
    old = [path.rename(path.with_name(path.name.replace("an-apple", "a-apple"))) for path in drawn]
    assert cli(*asked, *prior, "--force").code == 0
    assert all(path.exists() for path in drawn), (
        "those of a version that told it otherwise stay out"
    )
    assert same(with_prior, weights("blob")) and all(path.exists() for path in old)
    assert cli(*asked, "--force").code == 0
    assert not same(with_prior, weights("blob"))
    style = cli("customize", art, "--style", "crayon", *QUIET, *prior)
    assert style.code == 2 and "a style has not" in one_line(style)


@pytest.mark.slow  # of keeping the best, a style stays in the default suite
def test_the_best_weights_are_kept(cli, art, monkeypatch):
    from stickerforge.training.validation import Validator

    whole = cli(
        "customize",
        art,
        "--subject",
        "blob",
        "--class",
        "apple",
        *SHORT,
        "--keep",
        "best",
        "--set",
        "validation.every=1",
        "--json",
    )
    assert whole.code == 0, whole.out
    run = store.home() / "runs" / "blob"
    rows = [json.loads(line) for line in (run / "watched.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(
        0 <= row["drift"] < 1 and -1 <= row["similarity"] <= 1 and -1 <= row["alignment"] <= 1
        for row in rows
    )
    best = max(rows, key=lambda row: row["score"])
    assert abs(best["score"] - best["similarity"] - best["alignment"]) < 1e-5
    assert [path.name for path in sorted((run / "looks").iterdir())] == [
        "000001.png",
        "000002.png",
        "000003.png",
    ]
    assert Image.open(run / "looks" / "000003.png").width > 4 * 192
    assert (
        Image.open(run / "watched.png").width > 300
        and store.find("blob").made["kept_step"] == best["step"]
    )

    scores = iter((0.9, 0.5, 0.1))
    monkeypatch.setattr(Validator, "validate", lambda self, step: {"score": next(scores)})
    cli(
        "customize",
        art,
        "--subject",
        "blob",
        "--class",
        "apple",
        *QUIET,
        "--keep",
        "best",
        "--set",
        "validation.every=1",
        "--force",
    )
    first = weights("blob")
    cli(
        "customize",
        art,
        "--subject",
        "blob",
        "--class",
        "apple",
        "--steps",
        1,
        *QUIET[2:],
        "--force",
    )
    assert same(first, weights("blob")), "of three states the first was the best"
    assert not list(run.glob("best-*")), "they were of a run that is gone"
    assert not (run / "looks").exists(), "sheets of a run that is gone are, too"


def test_a_dry_run_refuses_what_the_call_would(cli, art, tmp_path):
    assert "no folder of masks" in one_line(
        cli("customize", art, "--subject", "blob", "--mask", "nowhere", "--dry-run")
    )
    (art / "one.txt").write_text("<blob> <blob>")
    assert "2 times" in one_line(cli("customize", art, "--subject", "blob", "--dry-run"))


def test_a_run_that_cannot_be_validated_destroys_nothing(cli, art):
    run = store.home() / "runs" / "blob"
    run.mkdir(parents=True)
    (run / "checkpoint.json").write_text(
        json.dumps({"step": 3, "settings": "x", "pictures": "y", "file": "f", "sha256": "0" * 64})
    )
    ended = cli(
        "customize",
        art,
        "--subject",
        "blob",
        *QUIET,
        "--force",
        "--keep",
        "best",
        "--offline",
        "--set",
        "validation.encoder=clip",
    )
    assert ended.code == 3 and (run / "checkpoint.json").exists()


def test_a_style_can_be_validated(cli, art, quick_sd):
    asked = ("customize", art, "--style", "crayon", "--model", quick_sd, *QUIET, "--json")
    ended = cli(*asked, "--set", "validation.every=3")
    assert ended.code == 0, ended.out
    rows = (store.home() / "runs" / "crayon" / "watched.jsonl").read_text().splitlines()
    assert len(rows) == 1 and store.find("crayon").made["kept_step"] == 3


def test_a_beta_that_follows(cli, art, tiny_sd):
    ended = cli(
        "customize",
        art,
        "--subject",
        "blob",
        "--model",
        tiny_sd,
        "--beta",
        "auto",
        *QUIET,
        "--set",
        "training.cached_noise=6",
        "--json",
    )
    assert ended.code == 0, ended.out
    metrics = [
        json.loads(line)
        for line in (store.home() / "runs" / "blob" / "metrics.jsonl").read_text().splitlines()
    ]
    assert metrics[0]["beta"] == 5000 and metrics[2]["beta"] < 5000
    assert 'beta = "auto"' in (store.folder("blob") / "customize.toml").read_text()
    again = cli(
        "customize", "--config", store.folder("blob") / "customize.toml", "--force", "--quiet"
    )
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("a <blob> and another <blob>", "holds <blob> 2 times"),
        ("", "is empty"),
        ("  \n", "is empty"),
        ("a <cat> on a mat", "holds <cat>, and the new word is <blob>"),
    ],
)
def test_captions_that_cannot_be(cli, art, caption, said):
    (art / "one.txt").write_text(caption)
    ended = cli("customize", art, "--subject", "blob", *QUIET)
    assert ended.code == 2 and said in one_line(ended)


def test_captions_of_pictures_that_are_gone_and_in_another_language(cli, art):
    (art / "gone.txt").write_text("a <blob>, in flat style")
    (art / "one.txt").write_text("ein <blob> auf der Wiese")
    ended = cli("customize", art, "--subject", "blob", *SHORT, "--json")
    assert ended.code == 0
    warnings = " ".join(ended.json["warnings"])
    assert "gone.txt" in warnings and "wiese" in warnings.lower()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--beta", "much"], "give a number, or auto"),
        (["--beta", "-3"], "out of range"),
        (["--mask", "nowhere"], "no folder of masks"),
        (["--objective", "plain", "--set", "training.cached_noise=4"], "does not ask"),
        (["--keep", "first"], "choose one of best, last"),
        (["--keep", "best", "--set", "validation.every=0"], "needs validation"),
        (["--keep", "best", "--set", "validation.encoder=nothing-like-it"], "nothing-like-it"),
        (["--set", "training.reduction=sum"], "choose one of sample, batch"),
    ],
)
def test_options_that_cannot_be(cli, art, options, said):
    ended = cli("customize", art, "--subject", "blob", *QUIET, *options)
    assert ended.code == 2 and said in one_line(ended)


def test_metrics_for_tensorboard(cli, art, tiny_sd, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    asked = ("customize", art, "--model", tiny_sd, *QUIET, "--set", "training.tensorboard=true")
    ended = cli(*asked, "--subject", "blob")
    assert ended.code == 0, ended.err
    run = store.home() / "runs" / "blob"
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for key in ("loss", "error", "base_error"):
        seen = {event.step: event.value for event in board.Scalars(key)}
        assert seen == {row["step"]: pytest.approx(row[key], rel=1e-5) for row in metrics}
    monkeypatch.setattr("stickerforge.training.checks.find_spec", lambda name: None)
    missing = cli(*asked, "--subject", "other")
    assert missing.code == 3 and "pip install tensorboard" in one_line(missing)


def test_a_dry_run_counts_what_is_drawn_beside_the_training(cli, art):
    asked = ("customize", art, "--subject", "blob", "--dry-run", "--json")
    seconds = [
        cli(*asked, *more).json["result"]["about_seconds"]
        for more in ((), ("--keep", "best"), ("--keep", "best", "--set", "training.prior_weight=1"))
    ]
    assert seconds[0] < seconds[1] < seconds[2]
