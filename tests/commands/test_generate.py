"""Whole commands on sticker-mini."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stickerforge.generation import image_params, sampler
from stickerforge.models.registry import EMBEDDED
from stickerforge.stickers.image_files import encode_image, read_params
from tests.conftest import one_line

FAST = ("--steps", 2, "--size", "native", "--quiet")


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).glob("*-*-*.png")
        if path.name != "contact-sheet.png"
    }


def test_the_first_command_of_the_readme(cli, tmp_path):
    ended = cli(
        "generate",
        "cat astronaut",
        "--style",
        "sticker",
        "--count",
        2,
        "--seed",
        1,
        "--json",
        "--steps",
        4,
    )
    assert ended.code == 0, ended.out
    assert ended.json["ok"] and ended.json["command"] == "generate" and ended.json["warnings"] == []
    assert [output["seed"] for output in ended.outputs] == [1, 2]
    for output in ended.outputs:
        assert Path(output["path"]).parent == Path("stickers")
        rgba = np.asarray(Image.open(output["path"]))
        assert rgba.shape == (512, 512, 4)
        alpha = rgba[..., 3]
        assert (alpha == 0).any(), "no transparent ground"
        assert (alpha > 250).any(), "nothing solid"
        assert ((alpha > 0) & (alpha < 255)).any(), "no soft edge"
    assert Image.open("stickers/contact-sheet.png").mode == "RGB"


def test_every_picture_can_be_made_alone(cli):
    cli("generate", "cat", "dog", "--count", 2, "--seed", 5, "--out", "all", *FAST)
    cli("generate", "dog", "--count", 1, "--seed", 8, "--out", "one", *FAST)
    assert (len(digests("all")), len(digests("one"))) == (4, 1)
    assert digests("one").items() <= digests("all").items()


def test_padding_of_a_micro_batch_changes_nothing(cli):
    batch = ("--set", "sampling.batch=3")
    cli("generate", "cat", "--count", 4, "--seed", 5, "--out", "all", *batch, *FAST)
    cli("generate", "cat", "--count", 1, "--seed", 7, "--out", "one", *batch, *FAST)
    assert (len(digests("all")), len(digests("one"))) == (4, 1)
    assert digests("one").items() <= digests("all").items()


def test_a_rerun_makes_only_what_is_missing(cli):
    first = cli("generate", "cat", "--count", 3, "--seed", 1, "--json", *FAST)
    Path(first.outputs[1]["path"]).unlink()
    Path(first.outputs[2]["path"]).write_bytes(b"cut short")
    again = cli("generate", "cat", "--count", 3, "--seed", 1, "--json", *FAST)
    assert [output["skipped"] for output in again.outputs] == [True, False, False]
    assert [output["path"] for output in again.outputs] == [
        output["path"] for output in first.outputs
    ]


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_picture_can_be_repeated_from_itself(cli, kind):
    made = cli(
        "generate",
        "red apple",
        "--style",
        "flat",
        "--seed",
        9,
        "--format",
        kind,
        "--negative",
        "leaf",
        "--guidance",
        3,
        "--json",
        *FAST,
    )
    path = Path(made.outputs[0]["path"])
    again = cli("generate", "--from", path, "--out", "again", "--json", "--quiet")
    assert Path(again.outputs[0]["path"]).read_bytes() == path.read_bytes()
    other = cli("generate", "--from", path, "--seed", 10, "--out", "again", "--json", "--quiet")
    assert other.outputs[0]["seed"] == 10
    assert read_params(Path(other.outputs[0]["path"]))["negative"] == "leaf"


def test_a_picture_can_forget_its_prompt(cli):
    made = cli(
        "generate", "secret cat", "--set", "output.prompt=false", "--seed", 1, "--json", *FAST
    )
    path = Path(made.outputs[0]["path"])
    assert "secret" not in path.name and b"secret cat" not in path.read_bytes()
    assert "secret" not in Path("stickers/generate.toml").read_text()
    assert read_params(path)["seed"] == 1
    cli("generate", "open cat", "--seed", 1, *FAST)
    hidden = cli(
        "generate", "open cat", "--seed", 1, "--set", "output.prompt=false", "--json", *FAST
    )
    assert b"open cat" not in Path(hidden.outputs[0]["path"]).read_bytes()
    assert "made without its prompt" in one_line(cli("generate", "--from", path))


def test_the_saved_configuration_repeats_the_call(cli):
    cli("generate", "cat", "--seed", 4, *FAST, "--size", 100)
    saved = Path("stickers/generate.toml")
    assert tomllib.loads(saved.read_text())["sampling"]["steps"] == 2
    again = cli("generate", "--config", saved, "--json")
    assert again.outputs[0]["skipped"] is True
    assert again.json["result"]["seed"] == 4


def test_native_size_and_webp(cli):
    made = cli(
        "generate", "cat", "--size", "native", "--format", "webp", "--seed", 1, "--json", *FAST
    )
    picture = Image.open(made.outputs[0]["path"])
    assert (picture.format, picture.size, picture.mode) == ("WEBP", (128, 128), "RGBA")


def test_prompt_files_name_files_seeds_and_styles(cli):
    Path("p.jsonl").write_text(
        '{"prompt": "cat", "id": "first", "seed": 3}\n'
        '{"prompt": "dog", "style": "noto", "count": 2}\n'
    )
    made = cli("generate", "--prompts", "p.jsonl", "--style", "flat", "--seed", 20, "--json", *FAST)
    assert [(o["id"], o["seed"], o["style"]) for o in made.outputs] == [
        ("first", 3, "flat"),
        ("", 20, "noto"),
        ("", 21, "noto"),
    ]
    assert Path("stickers/first.png").exists()


def test_without_a_seed_one_is_drawn_and_told(cli):
    first, second = (cli("generate", "cat", "--steps", 1, "--out", out) for out in "ab")
    assert first.err.startswith("seed ") and second.err.startswith("seed ")
    assert first.err != second.err
    told = cli("generate", "cat", "--json", *FAST)
    assert (
        told.outputs[0]["seed"]
        == told.json["result"]["seed"]
        == tomllib.loads(Path("stickers/generate.toml").read_text())["seed"]
    )


def test_a_model_without_alpha(cli, tiny_sd):
    made = cli(
        *("generate", "cat", "--model", tiny_sd, "--set", "matting=none", "--seed", 1, "--json"),
        *("--steps", 2),
    )
    rgba = np.asarray(Image.open(made.outputs[0]["path"]))
    assert rgba.shape == (512, 512, 4) and (rgba[..., 3] == 255).all()
    assert "die-cut" not in read_params(Path(made.outputs[0]["path"]))["text"]
    styled = cli(
        "generate",
        "cat",
        "--model",
        tiny_sd,
        "--set",
        "matting=none",
        "--style",
        "sticker",
        "--seed",
        1,
        "--json",
        *FAST,
    )
    assert "die-cut sticker" in read_params(Path(styled.outputs[0]["path"]))["text"]


def test_matting_weights_that_are_not_here(cli, tiny_sd, monkeypatch, tmp_path):
    for variable in ("REMBG_HOME", "U2NET_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "matting"))
    ended = cli("generate", "cat", "--model", tiny_sd, "--offline", "--seed", 1)
    assert ended.code == 3
    assert "isnet-general-use" in one_line(ended) and "--set matting=none" in one_line(ended)


def test_a_dry_run_writes_nothing(cli):
    asked = ("generate", "cat", "--count", 3, "--seed", 1, "--json", *FAST)
    ended = cli(*asked, "--dry-run")
    result = ended.json["result"]
    assert (
        len(result["writes"]) == 5
        and result["about_seconds"] > 0
        and result["about_memory_mb"] > 100
    )
    assert not Path("stickers").exists()
    made = cli(*asked)
    assert set(result["writes"]) == {o["path"] for o in made.outputs} | {
        "stickers/contact-sheet.png",
        "stickers/generate.toml",
    }
    assert len(cli(*asked, "--dry-run").json["result"]["skips"]) == 3


BAD = [
    (["generate"], "no prompt given"),
    (["generate", "  "], "the prompt is empty"),
    (["generate", "cat", "--negative", "\x00"], "control character U+0000"),
    (["generate", "cat", "--config", "/"], "cannot read /"),
    (["generate", "cat", "--model", "a/b--c/"], "unknown model"),
    (["generate", "cat", "--device", "cpu:"], "unknown device"),
    (["generate", "cat", "--style", "stiker"], "did you mean 'sticker'"),
    (["generate", "cat", "--model", "sticker-mimi"], "did you mean 'sticker-mini'"),
    (["generate", "cat", "--model", "."], "has no model_index.json"),
    (["generate", "cat", "--count", "0"], "count = 0 is out of range"),
    (["generate", "cat", "--count", "two"], "--count"),
    (["generate", "cat", "--size", "huge"], "output.size = 'huge'"),
    (["generate", "cat", "--format", "gif"], "choose one of png, webp"),
    (["generate", "cat", "--set", "sampling.stepz=3"], "did you mean 'sampling.steps'"),
    (["generate", "cat", "--set", "steps"], "not key=value"),
    (["generate", "cat", "--set", "sampling.pixels=100"], "give a multiple of 32"),
    (["generate", "cat", "--config", "gone.toml"], "no configuration file gone.toml"),
    (["generate", "cat", "--prompts", "gone.txt"], "no prompt file gone.txt"),
    (["generate", "--from", "gone.png"], "no picture gone.png"),
    (["generate", "cat", "--device", "tpu"], "unknown device 'tpu'"),
    (["generate", "cat", "--set", "matting=bria-rmbg"], "unknown matting model"),
    (["generate", "cat", "--styl", "flat"], "--styl"),
    (["generat", "cat"], "generat"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD]
)
def test_bad_input_is_one_line_and_exit_2(cli, arguments, said):
    ended = cli(*arguments)
    assert ended.code == 2
    assert said in one_line(ended)
    assert not list(Path("stickers").glob("*"))
    as_json = cli(*arguments, "--json")
    assert as_json.code == 2 and as_json.json["ok"] is False and as_json.json["error"]["code"] == 2


def test_a_broken_line_of_a_prompt_file(cli):
    Path("p.csv").write_text("prompt,seed\ncat,1\ndog,x\n")
    assert "p.csv line 3" in one_line(cli("generate", "--prompts", "p.csv"))


def test_an_output_folder_that_is_a_file(cli):
    Path("out").write_text("mine")
    ended = cli("generate", "cat", "--out", "out", "--seed", 1)
    assert ended.code == 2 and "not a folder" in one_line(ended)
    assert Path("out").read_text() == "mine"


def test_no_cuda_is_the_environments_fault(cli):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert cli("generate", "cat", "--device", "cuda", "--seed", 1).code == 3


def test_one_flipped_byte_in_the_weights(cli, monkeypatch, tmp_path):
    folder = shutil.copytree(EMBEDDED["sticker-mini"], tmp_path / "mini")
    monkeypatch.setitem(EMBEDDED, "sticker-mini", folder)
    weights = next((folder / "vae").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    ended = cli("generate", "cat", "--seed", 1)
    assert ended.code == 3 and "is damaged" in one_line(ended)
    assert not list(Path("stickers").glob("*.png"))
    assert cli("doctor").code == 5


def test_a_picture_that_fails_is_listed_and_the_others_stay(cli, monkeypatch):
    real = sampler.sample_batch

    def broken(model, encode, batch, *arguments):
        return [
            pixels * float("nan") if item.seed == 2 else pixels
            for item, pixels in zip(
                batch.values(), real(model, encode, batch, *arguments), strict=True
            )
        ]

    monkeypatch.setattr(sampler, "sample_batch", broken)
    ended = cli("generate", "cat", "--count", 3, "--seed", 1, "--json", *FAST)
    assert ended.code == ended.json["error"]["code"] == 4
    assert [output["seed"] for output in ended.outputs] == [1, 3]
    assert "seed 2" in ended.json["result"]["failed"][0]
    plain = cli("generate", "cat", "--count", 3, "--seed", 1, *FAST)
    assert plain.code == 4 and len(plain.out.splitlines()) == 2 and "seed 2" in plain.err
    alone = cli("generate", "cat", "--seed", 2, "--out", "alone", *FAST)
    assert alone.code == 2 and not alone.out, "nothing was done, not even partly"
    assert "no other one is there; give another" in alone.err


def test_ids_never_overwrite_what_is_not_ours(cli):
    Path("stickers").mkdir()
    Path("stickers/rex.png").write_bytes(b"my holiday")
    Path("p.csv").write_text("prompt,id\ncat,rex\n")
    ended = cli("generate", "--prompts", "p.csv", "--seed", 1, *FAST)
    assert ended.code == 2 and "did not make it" in one_line(ended)
    assert Path("stickers/rex.png").read_bytes() == b"my holiday"
    Path("p.csv").write_text("prompt,id\ncat,contact-sheet\n")
    assert "taken" in one_line(cli("generate", "--prompts", "p.csv", "--seed", 1, *FAST))


def test_other_weights_than_the_pictures_are_a_warning(cli, monkeypatch):
    made = cli("generate", "cat", "--seed", 1, "--json", *FAST)
    monkeypatch.setattr("stickerforge.generation.plan.fingerprint", lambda folder: "0" * 16)
    again = cli(
        "generate", "--from", made.outputs[0]["path"], "--out", "again", "--json", "--quiet"
    )
    assert "made with other weights" in again.json["warnings"][0]


def test_a_picture_of_a_folder_model_asks_for_the_folder(cli, tiny_sd):
    made = cli(
        "generate", "cat", "--model", tiny_sd, "--set", "matting=none", "--seed", 1, "--json", *FAST
    )
    path = Path(made.outputs[0]["path"])
    assert "--model FOLDER" in one_line(cli("generate", "--from", path))
    again = cli(
        "generate", "--from", path, "--model", tiny_sd, "--out", "again", "--json", "--quiet"
    )
    assert Path(again.outputs[0]["path"]).read_bytes() == path.read_bytes()


def test_a_line_break_in_a_prompt_reaches_the_sheet(cli):
    assert cli("generate", "cat\nastronaut", "--count", 2, "--seed", 1, *FAST).code == 0
    assert Path("stickers/contact-sheet.png").exists()


def test_a_full_disk_keeps_what_is_finished(cli, monkeypatch):
    import errno

    from stickerforge.runtime import files

    written, real = [], os.fsync

    def nearly_full(descriptor):
        written.append(descriptor)
        if (
            len(written) > 6
        ):  # two calls for each file, itself and its folder; the settings are the first file
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", nearly_full)
    ended = cli("generate", "cat", "--count", 5, "--seed", 1, *FAST)
    assert ended.code == 3 and "disk is full" in one_line(ended)
    names = sorted(os.listdir("stickers"))
    assert names.pop() == "generate.toml"
    assert len(names) == 2 and all(read_params(Path("stickers") / name) for name in names)


@pytest.mark.parametrize(
    ("finished", "number", "code"),
    [
        pytest.param(3, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(3, signal.SIGTERM, 143, marks=pytest.mark.slow),
        (0, signal.SIGINT, 130),
    ],
)
def test_an_interruption_keeps_what_is_finished(tmp_path, finished, number, code):
    command = [
        sys.executable,
        "-m",
        "stickerforge",
        "generate",
        "cat",
        "--count",
        "400",
        "--seed",
        "1",
        "--steps",
        "2",
    ]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "stickers/generate.toml").exists() and time.monotonic() < deadline:
        time.sleep(0.02)  # from here on libraries are imported
    while len(list(tmp_path.glob("stickers/cat-*.png"))) < finished and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    assert "Traceback" not in err
    assert err.count("\n") <= 2 and "what is finished stays" in err
    names = set(os.listdir(tmp_path / "stickers")) - {"generate.toml"}
    assert finished <= len(names) < 400
    assert all(read_params(tmp_path / "stickers" / name) for name in names), (
        "a file was left half-written"
    )


def test_an_interruption_between_pictures_keeps_what_is_finished(cli, monkeypatch):
    real, batches = sampler.sample_batch, []

    def sample_and_end(*arguments):
        batches.append(arguments)
        if len(batches) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(sampler, "sample_batch", sample_and_end)
    asked = ("generate", "cat", "--count", 40, "--seed", 1, "--set", "sampling.batch=1")
    ended = cli(*asked, *FAST)
    assert ended.code == 143 and "what is finished stays" in one_line(ended)
    names = set(os.listdir("stickers")) - {"generate.toml"}
    assert len(names) == 2 and all(read_params(Path("stickers") / name) for name in names)
    monkeypatch.setattr(sampler, "sample_batch", real)
    again = cli(*asked[:3], 3, *asked[4:], "--json", *FAST)
    assert [output["skipped"] for output in again.outputs] == [True, True, False]


def test_a_flat_style_has_flat_colours(cli):
    """A few of them; in another style, with a ground, or as they are drawn, there are hundreds."""
    asked = ("--seed", 4, "--steps", 6, "--size", "native", "--quiet", "--json")
    shares = []
    for prompt, more, flat in [
        ("cat in flat style", (), True),
        ("cat in noto style", ("--set", "output.colours=flat"), True),
        ("cat in noto style", (), False),
        ("cat in flat style", ("--set", "output.colours=drawn"), False),
    ]:
        path = Path(cli("generate", prompt, *more, *asked).outputs[0]["path"])
        rgba = np.asarray(Image.open(path))
        assert rgba.shape == (128, 128, 4) and ("flat" in read_params(path)["output"]) == flat
        often = np.unique(rgba[rgba[..., 3] == 255][:, :3], axis=0, return_counts=True)[1]
        shares.append(
            np.sort(often)[-12:].sum() / often.sum()
        )  # most of a flat figure is in a dozen colours
        if more:  # what the style alone would not do again
            again = cli("generate", "--from", path, "--out", "again", "--json", "--quiet")
            assert np.array_equal(np.asarray(Image.open(again.outputs[0]["path"])), rgba)
    assert min(shares[:2]) > 0.6 > 0.5 > max(shares[2:]), shares


def test_a_picture_made_again_in_another_style_is_finished_as_that_style_is(cli):
    first = cli("generate", "cat", "--style", "flat", "--seed", 4, "--json", *FAST).outputs[0][
        "path"
    ]
    other = cli("generate", "--from", first, "--style", "noto", "--json", "--quiet").outputs[0][
        "path"
    ]
    plain = cli("generate", "cat", "--style", "noto", "--seed", 4, "--json", *FAST).outputs[0]
    assert (
        "flat" in read_params(Path(first))["output"]
        and "flat" not in read_params(Path(other))["output"]
    )
    assert plain["skipped"] and plain["path"] == other
    before = read_params(Path(first)) | {
        "output": {"size": 512, "format": "png"}
    }  # made when no picture was finished so
    Path("old.png").write_bytes(encode_image(np.asarray(Image.open(first)), before, "test", "png"))
    again = cli("generate", "--from", "old.png", "--json", "--quiet").outputs[0]["path"]
    assert read_params(Path(again))["output"]["colours"] == "drawn"


def test_from_python(tmp_path, monkeypatch):
    import stickerforge

    monkeypatch.chdir(tmp_path)
    made = stickerforge.generate(
        "cat", settings={"style": "flat", "seed": 2, "sampling.steps": 2, "output.folder": "out"}
    )
    assert [Path(output["path"]).exists() for output in made.outputs] == [True]


def test_without_a_command_the_help_is_shown(cli):
    for arguments in ([], ["models"]):
        ended = cli(*arguments)
        assert ended.code == 2 and "Usage" in ended.out and "see --help" not in ended.err


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    show = f"{sys.executable} -m stickerforge models show sticker-mini"
    command = f"{show} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_pictures_with_an_id_are_not_replaced_in_silence(cli):
    Path("p.csv").write_text("prompt,id\ncat,1\ndog,2\n")
    first = cli("generate", "--prompts", "p.csv", "--seed", 1, "--json", *FAST)
    before = {output["path"]: sha256(output["path"]) for output in first.outputs}
    other = cli("generate", "--prompts", "p.csv", "--seed", 2, *FAST)
    assert other.code == 2 and "1.png, 2.png" in one_line(other) and "--force" in one_line(other)
    assert {path: sha256(path) for path in before} == before and "goes on" not in one_line(other)
    unsaid = cli("generate", "--prompts", "p.csv", *FAST)
    assert unsaid.code == 2 and "--seed 1 goes on" in one_line(unsaid), "as after an interruption"
    Path("stickers/2.png").unlink()
    again = cli("generate", "--prompts", "p.csv", "--seed", 1, "--json", *FAST)
    assert [output["skipped"] for output in again.outputs] == [True, False] and {
        path: sha256(path) for path in before
    } == before
    assert cli("generate", "--prompts", "p.csv", "--seed", 2, "--force", *FAST).code == 0
    assert sha256("stickers/1.png") != before[str(first.outputs[0]["path"])]


def test_a_picture_that_was_cut_short_is_made_again(cli):
    made = cli("generate", "cat", "dog", "--seed", 1, "--json", *FAST).outputs
    content = Path(made[0]["path"]).read_bytes()
    Path(made[0]["path"]).write_bytes(content[: len(content) // 2])
    again = cli("generate", "cat", "dog", "--seed", 1, "--json", *FAST)
    assert [output["skipped"] for output in again.outputs] == [False, True] and Path(
        made[0]["path"]
    ).read_bytes() == content
    Path("p.csv").write_text("prompt,id\ncat,1\n")
    asked = ("generate", "--prompts", "p.csv", "--seed", 1, "--format", "webp", "--json", *FAST)
    path = Path(cli(*asked).outputs[0]["path"])
    content = path.read_bytes()
    for left in (len(content) // 2, 10, 0):
        path.write_bytes(content[:left])
        assert cli(*asked).outputs[0]["skipped"] is False and path.read_bytes() == content


def test_a_damaged_picture_is_named_and_left_out_of_the_sheet(cli):
    made = cli("generate", "cat", "dog", "--seed", 1, "--json", *FAST).outputs
    for output in made:
        content = bytearray(Path(output["path"]).read_bytes())
        place = content.index(b"IDAT") + 100
        content[place : place + 400] = bytes(400)
        Path(output["path"]).write_bytes(content)
    again = cli("generate", "cat", "dog", "--seed", 1, "--json", *FAST)
    assert (
        again.code == 0
        and again.json["result"]["sheet"] is None
        and len(again.json["warnings"]) == 2
    )
    assert Path(made[0]["path"]).name in again.json["warnings"][0]


def test_settings_of_somebody_else_are_not_replaced(cli):
    Path("generate.toml").write_text('# mine\nprompt = ["cat"]\n')
    ended = cli("generate", "--config", "generate.toml", "--out", ".", "--seed", 1, *FAST)
    assert (
        ended.code == 2
        and "did not write it" in one_line(ended)
        and Path("generate.toml").read_text().startswith("# mine")
    )


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_work_goes_on_when_nobody_reads_stderr():
    read, write = os.pipe()
    os.close(read)
    wrong = [sys.executable, "-m", "stickerforge", "generate"]
    assert subprocess.run(wrong, stderr=write, check=False).returncode == 2, (
        "bad input is that, whoever listens"
    )
    os.close(write)
    program = f"{sys.executable} -m stickerforge"
    closed = f"{program} models list 2>&- && {program} generate 2>&-"
    assert (
        subprocess.run(["bash", "-c", closed], stdout=subprocess.DEVNULL, check=False).returncode
        == 2
    )


@pytest.mark.parametrize(
    "setting", ["adapter=['\udce9.safetensors']", f"seed={10**400}", f"sampling.guidance={10**400}"]
)
def test_values_that_cannot_be_written_or_counted(cli, setting):
    ended = cli("generate", "cat", "--set", setting)
    assert ended.code == 2 and one_line(ended)


@pytest.mark.parametrize("earlier", [None, 0, [1]])
def test_edges_of_an_earlier_version_are_a_warning(cli, monkeypatch, earlier):
    current = image_params.EDGES
    monkeypatch.setattr(image_params, "EDGES", earlier)
    made = cli("generate", "cat", "--seed", 1, "--json", *FAST)
    monkeypatch.setattr(image_params, "EDGES", current)
    again = cli("generate", "--from", made.outputs[0]["path"], "--out", "again", "--json")
    assert again.code == 0 and "edges were finished otherwise" in again.json["warnings"][0]
    path = again.outputs[0]["path"]
    assert not cli("generate", "--from", path, "--out", "third", "--json").json["warnings"]


def test_words_that_draw_nothing_are_replaced_or_left_out_and_told(cli):
    ended = cli(
        "generate", "a cute corgi in Hawaii", "--seed", 1, "--size", "native", "--json", *FAST
    )
    assert ended.code == 0
    record = {"replaced": {"corgi": "dog"}, "left_out": ["cute", "Hawaii"]}
    assert ended.outputs[0]["words"] == record
    assert ended.json["warnings"] == ["corgi → dog; left out: cute, Hawaii"]
    path = ended.outputs[0]["path"]
    params = read_params(path)
    assert (params["text"], params["words"]) == ("a dog", record)
    again = cli("generate", "--from", path, "--out", "again", "--quiet", "--json")
    assert digests("again") == {Path(path).name: digests("stickers")[Path(path).name]}
    assert again.outputs[0]["words"] == record


def test_a_prompt_can_be_kept_as_it_stands(cli):
    keep = ("--set", "words.unknown=keep", "--size", "native", "--json")
    ended = cli("generate", "a cute corgi", "--seed", 1, *keep, *FAST)
    assert ended.outputs[0]["words"] is None
    params = read_params(ended.outputs[0]["path"])
    assert params["text"] == "a cute corgi" and "words" not in params
    assert ended.json["warnings"] == [
        'sticker-mini does not know "cute":'
        " `stickerforge models show sticker-mini` lists what it draws"
    ]
    again = cli("generate", "--from", ended.outputs[0]["path"], "--out", "again", "--json", *FAST)
    assert read_params(again.outputs[0]["path"])["text"] == "a cute corgi"


def test_a_prompt_of_which_nothing_can_be_drawn_is_refused(cli):
    ended = cli("generate", "cat", "qwertzuiop", *FAST)
    assert ended.code == 2
    assert "'qwertzuiop' names nothing that sticker-mini draws; nearest: " in one_line(ended)
    assert not Path("stickers").exists()


def test_a_row_of_which_nothing_can_be_drawn_fails_alone(cli):
    Path("rows.csv").write_text("prompt\ncat\nqwertzuiop\ndog\n")
    ended = cli(
        "generate", "--prompts", "rows.csv", "--seed", 3, "--size", "native", "--json", *FAST
    )
    assert ended.code == 4
    assert [output["seed"] for output in ended.outputs] == [3, 5], "seeds of the others moved"
    assert len(ended.json["result"]["failed"]) == 1
    assert "'qwertzuiop'" in ended.json["result"]["failed"][0]
    Path("rows.csv").write_text("prompt\nqwertzuiop\n")
    assert cli("generate", "--prompts", "rows.csv", *FAST).code == 2
