"""The whole of `stickerforge evaluate`: on stickers drawn here, on broken ones, in a browser."""

import json
import os
import re
import shutil
import subprocess
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, PngImagePlugin
from safetensors.torch import load_file, save_file

import stickerforge
from stickerforge.evaluation import image_set
from stickerforge.evaluation.metrics import rewards as reward_metrics
from stickerforge.evaluation.metrics.base import METRICS, metric
from stickerforge.stickers.image_files import encode_image
from tests.conftest import one_line

COLOURS = {
    "red": (226, 40, 40),
    "blue": (60, 110, 230),
    "yellow": (250, 214, 60),
    "purple": (140, 60, 200),
}


def drawn(kind, colour, size=192):
    """A disc or a square with a smooth edge."""
    big = Image.new("RGBA", (2 * size, 2 * size), (*colour, 0))
    pen = ImageDraw.Draw(big)
    box = (0.2 * size, 0.2 * size, 1.8 * size, 1.8 * size)
    {"circle": pen.ellipse, "square": pen.rectangle}[kind](box, fill=(*colour, 255))
    return np.array(big.convert("RGBa").resize((size, size), Image.Resampling.BOX).convert("RGBA"))


@pytest.fixture
def stickers(tmp_path):
    """Eight stickers that remember their prompts."""
    folder = tmp_path / "made"
    folder.mkdir()
    for name, colour in COLOURS.items():
        for kind in ("circle", "square"):
            recipe = {"prompt": f"a {name} {kind}, flat style", "seed": 7}
            (folder / f"{name}-{kind}.png").write_bytes(
                encode_image(drawn(kind, colour), recipe, "test", "png")
            )
    return folder


def figures(ended, code=0):
    assert ended.code == code, ended.out + ended.err
    return ended.json["result"]["figures"]


def test_a_report_from_stickers_that_remember_their_prompts(cli, stickers, tmp_path):
    ended = cli("evaluate", stickers, "--json")
    found = figures(ended)
    assert {
        "alignment@judge",
        "facts@judge",
        "coverage",
        "halo",
        "duplicates@judge",
        "bytes",
    } <= set(found)
    assert found["facts@judge"]["n"] == found["facts@judge"]["prompts"] == 8
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert report["schema"] == 1 and len(report["pictures"]) == 8 and report["figures"] == found
    row = next(row for row in report["pictures"] if row["file"] == "red-circle.png")
    assert row["prompt"] == "a red circle, flat style" and row["pixels"] == [192, 192]
    disc = np.pi * 0.4**2  # of a square of side 1
    assert (
        row["values"]["coverage"] == pytest.approx(disc, rel=0.01)
        and row["values"]["border_touch"] == 0
    )
    assert found["coverage"]["low"] < found["coverage"]["value"] < found["coverage"]["high"]


def test_wrong_prompts_fit_worse(cli, stickers, tmp_path):
    for path in stickers.glob("*.png"):
        Image.open(path).save(path)  # nothing is remembered: file names decide
    names = sorted(path.stem for path in stickers.glob("*.png"))
    right = [f"a {name.replace('-', ' ')}, flat style" for name in names]
    values = []
    for number, prompts in enumerate((right, right[3:] + right[:3])):
        rows = [
            json.dumps({"id": name, "prompt": prompt})
            for name, prompt in zip(names, prompts, strict=True)
        ]
        (tmp_path / f"{number}.jsonl").write_text("\n".join(rows))
        values.append(
            figures(
                cli(
                    "evaluate",
                    stickers,
                    "--prompts",
                    tmp_path / f"{number}.jsonl",
                    "--out",
                    f"out{number}",
                    "--json",
                )
            )
        )
    for name in ("alignment@judge", "facts@judge"):
        assert values[0][name]["value"] > values[1][name]["value"]
    ended = cli("evaluate", "--compare", "out0/report.json", "out1/report.json", "--json")
    change = ended.json["result"]["figures"]["alignment@judge"]
    assert change["prompts"] == 8 and change["second"] < change["first"] and change["p"] < 0.05
    assert (
        "alignment@judge"
        in cli("evaluate", "--compare", "out0/report.json", "out1/report.json").out
    )


def test_references_and_themselves(cli, stickers):
    found = figures(
        cli(
            "evaluate",
            stickers,
            "--reference",
            stickers,
            "--style-reference",
            stickers,
            "--baseline",
            stickers,
            "--json",
        )
    )
    assert found["subject_best@judge"]["value"] == pytest.approx(1, abs=1e-5)
    assert found["copies"]["value"] == 1 and found["drift@judge"]["value"] == pytest.approx(
        0, abs=1e-6
    )
    assert "kernel_distance@judge" not in found and "frechet_distance@judge" not in found
    ended = cli(
        "evaluate", stickers, "--style-reference", stickers, "--set", "allow_small=true", "--json"
    )
    assert figures(ended)["frechet_distance@judge"]["value"] == pytest.approx(0, abs=1e-6)
    assert (
        abs(figures(ended)["kernel_distance@judge"]["value"]) < 1
    )  # of eight pictures with themselves
    refused = cli("evaluate", stickers, "--style-reference", stickers)
    assert "8 pictures are too few, 20 would do" in refused.err


def test_a_baseline_is_compared_prompt_by_prompt(cli, stickers, tmp_path):
    worse = tmp_path / "worse"
    shutil.copytree(stickers, worse)
    for path in worse.glob("*.png"):
        kind, name = path.stem.split("-")[1], path.stem.split("-")[0]
        rgba = drawn(kind, COLOURS[name])
        rgba[(rgba[..., 3] > 0) & (rgba[..., 3] < 255), :3] = 0
        rgba[90:110, 90:110, 3] = 0
        path.write_bytes(
            encode_image(rgba, {"prompt": f"a {name} {kind}, flat style", "seed": 7}, "test", "png")
        )
    ended = cli("evaluate", worse, "--baseline", stickers, "--json")
    pairs = ended.json["result"]["against_baseline"]
    assert (
        pairs["holes"]["prompts"] == 8
        and pairs["holes"]["change"] > 0.005
        and pairs["holes"]["p"] < 0.01
    )
    assert "drift@judge" in figures(ended)
    assert "than the baseline, 8 prompts" in cli("evaluate", worse, "--baseline", stickers).out


def test_a_limit_that_is_not_kept_is_exit_5(cli, stickers):
    ended = cli(
        "evaluate",
        stickers,
        "--fail-under",
        "legibility=1.01",
        "--fail-under",
        "halo=200",
        "--json",
    )
    assert ended.code == 5 and ended.json["error"]["code"] == 5
    assert (
        "legibility is " in ended.json["error"]["message"]
        and "halo" not in ended.json["error"]["message"]
    )
    assert ended.json["result"]["figures"]["legibility"]
    assert (stickers.parent / "evaluation" / "report.html").exists()
    assert cli("evaluate", stickers, "--fail-under", "border_touch=0.5", "--quiet").code == 0
    assert cli("evaluate", stickers, "--fail-under", "parts=0.5", "--quiet").code == 5


def test_a_second_look_measures_nothing_anew(cli, stickers, monkeypatch):
    first = figures(cli("evaluate", stickers, "--json"))
    monkeypatch.setattr(image_set, "load_image", lambda path: pytest.fail("loaded again"))
    assert figures(cli("evaluate", stickers, "--json")) == first


@pytest.mark.parametrize("harm", [b"", b"PK", b"\x93NUMPY"])
def test_a_spoiled_cache_is_measured_anew(cli, stickers, tmp_path, harm):
    first = figures(cli("evaluate", stickers, "--json"))
    kept = sorted((tmp_path / "home" / "cache" / "evaluate").rglob("*.safetensors"))
    assert len(kept) == 8
    for path in kept[:3]:
        path.write_bytes(harm)
    again = figures(cli("evaluate", stickers, "--json"))
    values = [{name: row["value"] for name, row in found.items()} for found in (first, again)]
    assert values[1] == pytest.approx(values[0], abs=1e-5)


def test_without_a_cache_it_works_as_well(cli, stickers, tmp_path):
    (tmp_path / "home").write_text("no folder can be here")
    assert figures(cli("evaluate", stickers, "--json"))["coverage"]["n"] == 8


def test_what_a_picture_remembers_comes_before_its_name(cli, stickers, tmp_path):
    (tmp_path / "p.jsonl").write_text(
        '{"id": "red-circle", "prompt": "a blue square, flat style"}\n'
        '{"prompt": "a red circle, flat style"}\n'
    )
    cli("evaluate", stickers, "--prompts", tmp_path / "p.jsonl", "--quiet")
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    prompts = {row["file"]: row["prompt"] for row in report["pictures"]}
    assert (
        prompts["red-circle.png"] == "a red circle, flat style"
        and prompts["blue-square.png"] == "a blue square, flat style"
    )
    assert prompts["yellow-circle.png"] == "" and report["prompts_without_picture"] == []


def test_prompts_without_a_picture_are_named(cli, stickers, tmp_path):
    (tmp_path / "p.txt").write_text("a red circle, flat style\na castle\n")
    cli("evaluate", stickers, "--prompts", tmp_path / "p.txt", "--quiet")
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert report["prompts_without_picture"] == ["a castle"]


def test_a_baseline_with_the_same_file_names_keeps_its_own_prompts(cli, stickers, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for path in stickers.glob("*.png"):
        (other / path.name).write_bytes(
            encode_image(
                drawn("circle", (9, 9, 9)), {"prompt": f"something else {path.stem}"}, "test", "png"
            )
        )
    ended = cli("evaluate", stickers, "--baseline", other)
    assert (
        "it shares no prompt with the pictures" in ended.err
        and "than the baseline" not in ended.out
    )


def test_the_style_of_a_prompt_counts_and_placeholders_are_spelled(cli, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    for number, style in enumerate(("flat", "noto")):
        recipe = {
            "prompt": "a <rex> circle",
            "text": f"a <rex> circle, in {style} style",
            "seed": number,
        }
        (folder / f"{number}.png").write_bytes(
            encode_image(drawn("circle", (226, 40, 40)), recipe, "test", "png")
        )
    cli("evaluate", folder, "--quiet")
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert [row["prompt"] for row in report["pictures"]] == [
        "a rex circle, in flat style",
        "a rex circle, in noto style",
    ]
    assert (
        report["figures"]["alignment@judge"]["prompts"] == 2
        and "diversity@judge" not in report["figures"]
    )


@pytest.mark.parametrize("prompt", [" ", None, 7, "\ud800", "x" * 9000])
def test_an_odd_memory_of_one_picture_spoils_nothing(cli, stickers, prompt):
    (stickers / "odd.png").write_bytes(
        encode_image(drawn("circle", (9, 99, 9)), {"seed": "x"}, "test", "png")
    )
    picture, chunks = Image.open(stickers / "odd.png"), PngImagePlugin.PngInfo()
    chunks.add_itxt("stickerforge", json.dumps({"prompt": prompt, "seed": [1]}))
    picture.save(stickers / "odd.png", pnginfo=chunks)
    found = figures(cli("evaluate", stickers, "--json"))
    assert found["coverage"]["n"] == 9 and found["alignment@judge"]["n"] == 8


def test_file_names_of_any_kind(cli, stickers, tmp_path):
    content = next(stickers.glob("*.png")).read_bytes()
    for name in ("猫 (1).png", "a#b?c%d.png", os.fsdecode(b"caf\xe9.png")):
        (stickers / name).write_bytes(content)
    (tmp_path / "p.jsonl").write_text(json.dumps({"id": "猫 (1)", "prompt": "a red circle"}))
    assert figures(cli("evaluate", stickers, "--json"))["coverage"]["n"] == 11
    assert cli("evaluate", stickers, "--prompts", tmp_path / "p.jsonl", "--quiet").code == 0
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert "a%23b%3Fc%25d.png" in page and "caf%E9.png" in page


def test_what_is_no_picture_is_named(cli, stickers):
    (stickers / "notes.doc").write_text("hello")
    Image.open(next(stickers.glob("*.png"))).convert("RGB").save(stickers / "photo.jfif", "JPEG")
    ended = cli("evaluate", stickers, "--json")
    assert (
        any("notes.doc" in line for line in ended.json["warnings"])
        and figures(ended)["coverage"]["n"] == 9
    )


def test_a_metric_that_cannot_be_had_is_said(cli, stickers):
    ended = cli("evaluate", stickers, "--metrics", "subject_best,halo", "--json")
    assert any(
        line.startswith("subject_best: needs --reference") for line in ended.json["warnings"]
    ) and "halo" in figures(ended)


def test_blank_pictures_do_not_look_perfect(cli, tmp_path):
    (tmp_path / "made").mkdir()
    Image.new("RGBA", (64, 64)).save(tmp_path / "made" / "blank.png")
    found = figures(cli("evaluate", "made", "--json"))
    assert found["coverage"]["value"] == 0 and "halo" not in found and "legibility" not in found


def test_what_was_asked_is_a_configuration(cli, stickers, tmp_path):
    assert cli("evaluate", stickers, "--metrics", "cutout", "--out", "one", "--quiet").code == 0
    again = cli(
        "evaluate", "--config", tmp_path / "one" / "evaluate.toml", "--out", "two", "--json"
    )
    assert figures(again) == json.loads((tmp_path / "one" / "report.json").read_text())["figures"]


def test_reports_of_another_kind_are_refused(cli, tmp_path):
    for number, content in enumerate(
        ({"schema": 1, "figures": {"beauty": {"value": 1}}, "pictures": []}, {"schema": 9}, [], "x")
    ):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
        ended = cli("evaluate", "--compare", f"{number}.json", f"{number}.json")
        assert ended.code == 2 and re.search(
            "is no report of this version|no figures", one_line(ended)
        )


def test_one_corrupt_picture_costs_exit_4_and_the_rest_is_measured(cli, stickers):
    path = next(stickers.glob("*.png"))
    path.write_bytes(path.read_bytes()[:300])
    ended = cli("evaluate", stickers, "--json")
    assert ended.code == 4 and path.name in ended.json["error"]["message"]
    assert ended.json["result"]["figures"]["coverage"]["n"] == 7


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "no folder given"),
        (("nowhere",), "no folder nowhere"),
        (("empty",), "no picture in it"),
        (("broken",), "none of its 1 pictures can be read"),
        (("made", "--reference", "empty"), "no picture in it"),
        (("made", "--metrics", "beauty"), "unknown metric 'beauty'"),
        (("made", "--encoder", "clop"), "unknown encoder 'clop'"),
        (("made", "--encoder", "empty"), "it has no config.json"),
        (("made", "--fail-under", "halo"), "is no limit"),
        (("made", "--fail-under", "nothing=3"), "is no limit"),
        (("made", "--fail-under", "softness=3"), "neither better high nor low"),
        (("made", "--compare", "a", "b"), "measures nothing"),
        (("made", "--out", "made"), "among the pictures"),
        (("made", "--out", "made/report"), "among the pictures"),
        (
            ("made", "--fail-under", "subject_best=0.5"),
            "subject_best would not be measured; it needs --reference",
        ),
        (
            ("made", "--fail-under", "pickscore=5"),
            "pickscore would not be measured; it needs --reward",
        ),
        (
            ("made", "--metrics", "size", "--fail-under", "halo=4"),
            "halo would not be measured; add it to --metrics",
        ),
        (("made", "--reward", "pickscore=made", "--reward", "pickscore=empty"), "given twice"),
        (("made", "--prompts", "other.txt"), "none of the 8 pictures belongs to a prompt"),
        (("--compare", "nothing.json", "nothing.json"), "cannot read nothing.json"),
        (("--compare", "other.txt", "other.txt"), "is no report"),
    ],
)
def test_what_cannot_be_evaluated(cli, stickers, tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "other.txt").write_text("a castle\n")
    ended = cli("evaluate", *arguments)
    assert ended.code == 2 and said in one_line(ended)


def test_encoders_of_the_hub_that_are_not_there(cli, stickers):
    ended = cli("evaluate", stickers, "--encoder", "clip", "--offline")
    assert ended.code == 3 and "openai/clip-vit-large-patch14 is not in the cache" in one_line(
        ended
    )


def test_pictures_of_every_kind(cli, tmp_path):
    folder = tmp_path / "kinds"
    folder.mkdir()
    rgba = Image.fromarray(drawn("circle", (226, 40, 40)))
    rgba.save(folder / "a.webp", lossless=True)
    rgba.convert("RGB").save(folder / "b.jpg")
    rgba.resize((40, 90)).save(folder / "c.png")
    rgba.convert("P").save(folder / "d.gif")
    Image.new("RGBA", (1, 1)).resize((1500, 1200)).save(folder / "e.png")
    ended = cli("evaluate", folder, "--metrics", "cutout,size", "--json")
    assert figures(ended)["coverage"]["n"] == 5 and "alignment@judge" not in figures(ended)


def test_no_text_of_a_stranger_becomes_markup(cli, tmp_path):
    folder = tmp_path / "<b>bold"
    folder.mkdir()
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    (folder / "x&<i>.png").write_bytes(
        encode_image(drawn("circle", (9, 99, 9)), {"prompt": evil}, "test", "png")
    )
    assert cli("evaluate", folder, "--quiet").code == 0
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert (
        "<script>alert" not in page
        and "<img src=x" not in page
        and "<b>bold" not in page
        and "<i>.png" not in page
    )
    assert page.count("<script") == 2 and "http" not in page.replace("http-equiv", "")


def test_a_dry_run_writes_nothing(cli, stickers, tmp_path):
    ended = cli("evaluate", stickers, "--dry-run", "--json")
    assert ended.json["result"]["reads"] == {str(stickers): 8}
    assert not (tmp_path / "evaluation").exists() and not (tmp_path / "home").exists()


def test_the_python_api(cli, stickers, tmp_path):
    made = stickerforge.evaluate(stickers, settings={"metrics": ["cutout"]})
    assert {score.name for score in made.scores.scores} >= {
        "coverage",
        "halo",
    } and made.page.exists()


def test_what_platforms_take(cli, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    sticker = Image.fromarray(drawn("circle", (226, 40, 40), 512))
    sticker.save(folder / "a.webp", quality=80)  # WhatsApp, Telegram, Signal
    sticker.save(folder / "b.png")  # Telegram, Signal
    sticker.resize((320, 320)).save(folder / "c.png")  # Signal, Discord
    Image.open(folder / "a.webp").resize((408, 408)).save(folder / "d.png")  # Signal, iMessage
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 4), np.uint8)
    Image.fromarray(noise).save(folder / "e.png")  # a megabyte: nobody
    found = figures(cli("evaluate", folder, "--metrics", "size", "--json"))
    shares = {
        name: found[f"fits_{name}"]["value"]
        for name in ("whatsapp", "telegram", "signal", "imessage", "discord")
    }
    assert shares == {
        "whatsapp": 0.2,
        "telegram": 0.4,
        "signal": 0.8,
        "imessage": 0.2,
        "discord": 0.2,
    }


def test_rewards_are_given_by_weights_that_the_user_has(cli, stickers, clip, monkeypatch, tmp_path):
    ended = cli("evaluate", stickers, "--reward", f"pickscore={clip}", "--json")
    first = figures(ended)["pickscore@tiny-clip"]
    assert first["n"] == 8 and first["better"] == "higher"
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert all("pickscore@tiny-clip" in row["values"] for row in report["pictures"])
    assert any(
        line.startswith("hpsv2, aesthetic, vqascore, lpips: not asked for")
        for line in report["refused"]
    )
    monkeypatch.setattr(
        reward_metrics, "reload_image", lambda item, failed: pytest.fail("loaded again")
    )
    assert (
        figures(cli("evaluate", stickers, "--reward", f"pickscore={clip}", "--json"))[
            "pickscore@tiny-clip"
        ]
        == first
    )


def test_what_was_scored_before_a_reward_failed_is_kept(cli, stickers, clip, monkeypatch):
    from stickerforge.models import rewards

    calls, scores = [], rewards.Preference.scores

    def failing(self, pictures, prompts):
        calls.append(len(prompts))
        if len(calls) == 3:
            raise RuntimeError("not enough memory: you tried to allocate 4 bytes")
        return scores(self, pictures, prompts)

    monkeypatch.setattr(reward_metrics, "BATCH", 2)
    monkeypatch.setattr(rewards.Preference, "scores", failing)
    ended = cli("evaluate", stickers, "--reward", f"pickscore={clip}")
    assert ended.code == 3 and "out of memory" in one_line(ended) and calls == [2, 2, 2]
    assert (
        figures(cli("evaluate", stickers, "--reward", f"pickscore={clip}", "--json"))[
            "pickscore@tiny-clip"
        ]["n"]
        == 8
    )
    assert calls == [2, 2, 2, 2, 2]  # four were left


def test_rewards_metrics_and_limits_know_each_other(cli, stickers, clip):
    found = figures(
        cli("evaluate", stickers, "--metrics", "halo", "--reward", f"pickscore={clip}", "--json")
    )
    assert set(found) == {"halo", "pickscore@tiny-clip"}
    ended = cli("evaluate", stickers, "--metrics", "reward", "--metrics", " subject_best", "--json")
    assert {line.partition(":")[0] for line in ended.json["warnings"]} >= {
        "pickscore",
        "lpips_drift",
        "subject_best",
    }
    ended = cli(
        "evaluate", stickers, "--reward", f"pickscore={clip}", "--baseline", stickers, "--json"
    )
    assert ended.json["result"]["against_baseline"]["pickscore@tiny-clip"]["change"] == 0
    assert (
        cli(
            "evaluate",
            stickers,
            "--reward",
            f"pickscore={clip}",
            "--fail-under",
            "pickscore=1000",
            "--quiet",
        ).code
        == 5
    )
    again = cli("evaluate", "--config", "evaluation/evaluate.toml", "--out", "again", "--quiet")
    assert again.code == 5


def test_figures_of_other_weights_are_not_compared(cli, stickers, clip, tmp_path):
    from tests.tiny import write_tiny_clip

    other = write_tiny_clip(tmp_path / "other" / "tiny-clip")
    tensors = load_file(other / "model.safetensors")
    save_file(
        {key: value + 0.1 for key, value in tensors.items()},
        other / "model.safetensors",
        {"format": "pt"},
    )
    for number, folder in enumerate((clip, clip, other)):
        assert (
            cli(
                "evaluate",
                stickers,
                "--reward",
                f"pickscore={folder}",
                "--out",
                f"out{number}",
                "--quiet",
            ).code
            == 0
        )
    compared = [
        cli("evaluate", "--compare", "out0/report.json", f"out{k}/report.json", "--json").json[
            "result"
        ]["figures"]
        for k in (1, 2)
    ]
    assert (
        "pickscore@tiny-clip" in compared[0]
        and "pickscore@tiny-clip" not in compared[1]
        and "alignment@judge" in compared[1]
    )


def test_lpips_between_pictures_of_a_prompt_and_to_the_baseline(cli, stickers, tmp_path):
    torch.manual_seed(0)
    shapes = [
        (64, 3, 11, 11),
        (192, 64, 5, 5),
        (384, 192, 3, 3),
        (256, 384, 3, 3),
        (256, 256, 3, 3),
    ]
    tensors = {}
    for number, (shape, place) in enumerate(zip(shapes, (0, 3, 6, 8, 10), strict=True)):
        key = f"net.slice{number + 1}.{place}"
        tensors |= {
            f"{key}.weight": torch.randn(shape) * 0.05,
            f"{key}.bias": torch.zeros(shape[0]),
        }
        tensors[f"lin{number}.model.1.weight"] = torch.rand(1, shape[0], 1, 1)
    save_file(tensors, tmp_path / "lpips.safetensors")
    for path in sorted(stickers.glob("red-*.png")):
        again = encode_image(
            drawn("square", COLOURS["blue"]),
            {"prompt": "a red circle, flat style", "seed": 8},
            "test",
            "png",
        )
        path.with_name(f"again-{path.name}").write_bytes(again)
    found = figures(
        cli(
            "evaluate",
            stickers,
            "--baseline",
            stickers,
            "--reward",
            f"lpips={tmp_path / 'lpips.safetensors'}",
            "--json",
        )
    )
    assert found["lpips_diversity@alex"]["n"] == 1 and found["lpips_diversity@alex"]["value"] > 0.01
    assert found["lpips_drift@alex"]["value"] == 0 and found["lpips_drift@alex"]["n"] == 8


@pytest.mark.parametrize(
    "reward, code, said",
    [
        ("beauty", 2, "unknown reward 'beauty'"),
        ("hpsv2", 2, "the weights of hpsv2 must be given"),
        ("lpips=nowhere.safetensors", 2, "there is no nowhere.safetensors"),
        ("aesthetic=made", 2, "cannot be read"),
        ("lpips=made/red-circle.png", 2, "cannot read"),
        ("pickscore=wrong", 2, "wrong lacks 78 weights, first logit_scale"),
        ("pickscore", 3, "yuvalkirstain/PickScore_v1 is not in the cache"),
    ],
)
def test_rewards_that_cannot_be_had(cli, stickers, clip, tmp_path, reward, code, said):
    shutil.copytree(clip, tmp_path / "wrong")
    tensors = load_file(clip / "model.safetensors")
    renamed = {
        f"visual.{key}": value for key, value in tensors.items()
    }  # another library's names: nothing fits
    save_file(renamed, tmp_path / "wrong" / "model.safetensors", {"format": "pt"})
    ended = cli("evaluate", stickers, "--reward", reward, "--offline")
    assert ended.code == code and said in one_line(ended)


def test_a_picture_of_a_wall_among_mixed_sizes(cli, tmp_path):
    """16,000 px wide; it is measured at a size that memory takes."""
    folder = tmp_path / "made"
    folder.mkdir()
    Image.new("P", (16_000, 3_000)).save(folder / "wall.png")
    for side in (16, 700):
        Image.fromarray(drawn("circle", (226, 40, 40), side)).save(folder / f"{side}.png")
    ended = cli("evaluate", folder, "--metrics", "cutout", "--json")
    assert figures(ended)["coverage"]["n"] == 3
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert next(row for row in report["pictures"] if row["file"] == "wall.png")["pixels"] == [
        16_000,
        3_000,
    ]


def test_a_terminal_gets_a_table(stickers, capsys, monkeypatch):
    from stickerforge.cli.output import Report, show

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    show(Report({}, ["plain"], table=[["figure", "mean"], ["halo@[b]x", "1.5"]]))
    shown = capsys.readouterr().out
    assert "figure" in shown and "halo@[b]x" in shown and "plain" not in shown
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    show(Report({}, ["plain"], table=[["figure"], ["halo"]]))
    assert capsys.readouterr().out == "plain\n"


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_the_page_opens_sorts_and_filters_in_a_browser(cli, stickers, tmp_path):
    assert cli("evaluate", stickers, "--baseline", stickers, "--quiet").code == 0
    page = tmp_path / "evaluation" / "report.html"
    script = """<script>
    window.onerror = (message) => document.title = "ERROR " + message;
    const cards = () => [...document.querySelectorAll("#grid .card")]
      .map((card) => parseFloat(card.querySelector("b").textContent));
    one("metric").value = "coverage"; one("metric").onchange(); const all = cards();
    one("order").value = "best"; one("order").onchange(); const best = cards();
    one("find").value = "red"; one("find").oninput(); const red = cards().length;
    one("across").value = "legibility"; one("up").value = "bytes"; one("up").onchange();
    const dots = document.querySelectorAll("#plot circle").length;
    const full = document.querySelectorAll("#plot .best").length;
    one("beside").checked = true; one("beside").onchange();
    const beside = one("grid").className, twins = document.querySelectorAll("#grid .other").length;
    const tips = document.querySelectorAll('#ends [aria-label^="bytes"] img').length;
    const first = document.images[0]; first.loading = "eager"; first.scrollIntoView();
    first.decode().then(() => document.title = JSON.stringify({
      all, best, red, dots, full, beside, twins, tips,
      width: first.naturalWidth, told: one("told").textContent,
      heading: document.querySelector("h1").textContent }));
    </script>"""
    page.write_text(page.read_text().replace("</body>", script + "</body>"))
    started = time.monotonic()
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=3000",
        "--dump-dom",
        page.as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    title = dom.split("<title>")[1].split("</title>")[0].replace("&quot;", '"')
    found = json.loads(title)
    rows = [
        row["values"]
        for row in json.loads((tmp_path / "evaluation" / "report.json").read_text())["pictures"]
    ]
    points = [(row["legibility"], -row["bytes"]) for row in rows]
    full = sum(
        not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points) for x, y in points
    )
    assert (
        len(found["all"]) == 8
        and found["all"] == sorted(found["all"])
        and found["best"] == sorted(found["best"], reverse=True)
    )
    assert found["dots"] == 8 and found["full"] == full and found["tips"] == 8
    assert "beside" in found["beside"] and found["twins"] == 2
    assert (
        found["red"] == 2
        and found["width"] == 128
        and "8 stickers" in found["heading"]
        and found["told"] == "2 of 8"
        and time.monotonic() - started < 60
    )


def test_pictures_without_a_prompt_beside_a_baseline_with_some(cli, stickers, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in stickers.glob("*.png"):  # named like the prompt of another
        Image.open(path).save(bare / f"a {path.stem.replace('-', ' ')}, flat style.png")
    found = figures(cli("evaluate", bare, "--baseline", stickers, "--json"))
    assert "coverage" in found and "alignment@judge" not in found


def test_one_prompt_in_two_styles_is_told_by_the_style_or_the_id(cli, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    for name, style in (("a", "flat"), ("b", "noto")):
        recipe = {"prompt": "cat", "text": f"cat, a template of {style}", "style": style, "seed": 1}
        (folder / f"{name}.png").write_bytes(
            encode_image(drawn("circle", (226, 40, 40)), recipe, "test", "png")
        )
    for name, style in (("c", "flat"), ("d", "noto")):
        recipe = {"prompt": "dog", "text": f"dog, a template of {style}", "seed": 1}
        (folder / f"{name}.png").write_bytes(
            encode_image(drawn("circle", (226, 40, 40)), recipe, "test", "png")
        )
    rows = [("x", "cat", "flat"), ("y", "cat", "noto"), ("c", "dog", "flat"), ("d", "dog", "noto")]
    (tmp_path / "p.csv").write_text(
        "id,prompt,style\n" + "".join(",".join(row) + "\n" for row in rows)
    )
    cli("evaluate", folder, "--prompts", tmp_path / "p.csv", "--quiet")
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert [row["prompt"].split("in ")[-1] for row in report["pictures"]] == [
        "flat style",
        "noto style",
    ] * 2
    assert report["prompts_without_picture"] == []


def test_a_report_of_another_folder_is_named_and_a_strangers_kept(cli, stickers, tmp_path):
    cli("evaluate", stickers, "--quiet")
    other = tmp_path / "other"
    stickers.rename(other)
    assert "the report of" in cli("evaluate", other).err
    assert "the report of" not in cli("evaluate", other).err
    (tmp_path / "evaluation" / "report.json").write_text("[1]")
    for options in ((), ("--dry-run",)):
        ended = cli("evaluate", other, "--quiet", *options)
        assert ended.code == 2 and "did not write them" in one_line(ended)
    for name, text in (("evaluate.toml", "# mine\n"), ("report.html", "mine")):
        place = tmp_path / name.partition(".")[2]
        place.mkdir()
        (place / name).write_text(text)
        assert (
            cli("evaluate", other, "--out", place, "--quiet").code == 2
            and (place / name).read_text() == text
        )


@pytest.fixture
def redness():
    """A metric that nothing else in the program knows of."""

    @metric("redness", group="colour", better="lower", about="mean red", paired=True, axis=True)
    def compute(data):
        return np.array([np.asarray(Image.open(p.path))[..., 0].mean() for p in data.pictures])

    yield
    del METRICS["redness"]


def test_a_new_metric_is_one_function(cli, stickers, tmp_path, redness):
    """Its declaration brings it into the table, the JSON, the page and the options."""
    options = ("--metrics", "colour,bytes", "--baseline", stickers)
    ended = cli("evaluate", stickers, *options, "--json")
    assert list(figures(ended)) == ["bytes", "redness"]
    means = [np.asarray(Image.open(path))[..., 0].mean() for path in stickers.glob("*.png")]
    entry = figures(ended)["redness"]
    assert entry["value"] == pytest.approx(np.mean(means)) and entry["about"] == "mean red"
    assert ended.json["result"]["against_baseline"]["redness"]["change"] == 0
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert all(row["values"]["redness"] > 0 for row in report["pictures"])
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert '<th scope="row">redness<small>mean red</small></th>' in page
    assert '"axes":["bytes","redness"]' in page and '"redness":"lower"' in page
    assert "redness  " in cli("evaluate", stickers, *options).out
    made = stickerforge.evaluate(stickers, settings={"metrics": ["colour"]})
    assert [row[0] for row in made.table] == ["figure", "redness"]


def test_limits_and_hints_know_a_new_metric(cli, stickers, redness):
    assert cli("evaluate", stickers, "--fail-under", "redness=256", "--quiet").code == 0
    broken = cli("evaluate", stickers, "--fail-under", "redness=1", "--quiet")
    assert broken.code == 5 and "redness is " in broken.err and "over 1" in broken.err
    assert "did you mean 'redness'?" in one_line(cli("evaluate", stickers, "--metrics", "rednes"))
    dry = cli("evaluate", stickers, "--metrics", "colour", "--dry-run", "--json")
    assert dry.json["result"]["metrics"] == ["redness"]
    reports = ("evaluation/report.json", "evaluation/report.json")
    assert "redness" in cli("evaluate", "--compare", *reports).out


def test_copies_of_either_reference_count(cli, stickers, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.png").write_bytes(
        encode_image(np.full((64, 64, 4), 255, np.uint8), {}, "test", "png")
    )
    found = figures(
        cli("evaluate", stickers, "--reference", other, "--style-reference", stickers, "--json")
    )
    assert found["copies"]["value"] == 1
