"""What customize says and teaches of photographs, of drawings, and of what was cut out."""

import shlex

import pytest
from PIL import Image

from stickerforge.data.picture_folder import read_folder
from stickerforge.stickers.image_files import encode_image
from tests.commands.conftest import save_cut_outs
from tests.photographs import photograph

SHORT = ("--steps", 2, "--batch", 1, "--rank", 2, "--set", "preview.count=0")
FEW = "it will keep little more than the colours of photographs"


def said(ended):
    return [line for line in ended.json["warnings"] if "keep" in line]


@pytest.mark.parametrize("dry_run", [("--dry-run",), ()])
def test_photographs_are_said_before_training(cli, photos, dry_run):
    ended = cli(
        "customize", photos, "--subject", "rex", "--class", "dog", "--json", *SHORT, *dry_run
    )
    first, larger, without_ground = said(ended)
    assert first == f"sticker-mini@3.1 was trained on drawings alone: {FEW} (a.jpg, b.jpg)"
    wanted = ["stickerforge", "customize", str(photos), "--subject", "rex", "--class", "dog"]
    command = larger.partition(": ")[2]
    assert shlex.split(command) == [
        *wanted,
        "--model",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
    ]
    cut, _, taught = without_ground.partition(": ")[2].partition(" && ")
    target = f"{photos}-cut"
    assert shlex.split(cut) == ["rembg", "p", "-m", "isnet-general-use", str(photos), target]
    assert shlex.split(taught) == [*wanted[:2], target, *wanted[3:]]


def test_the_lines_come_before_the_first_step(cli, photos):
    ended = cli("customize", photos, "--subject", "rex", *SHORT)
    assert ended.code == 0
    assert ended.err.index(FEW) < ended.err.index("learned")


def test_a_command_that_is_said_is_one_that_works(cli, tmp_path, photos):
    """Pasted as it stands: names with blanks and the user's own settings survive the shell."""
    folder = photos.rename(tmp_path / "my photos; rm")
    ended = cli("customize", folder, "--style", "old film", "--name", "film", "--json", "--dry-run")
    command = shlex.split(said(ended)[1].partition(": ")[2])
    assert command[:2] == ["stickerforge", "customize"] and str(folder) in command
    again = cli(*command[1:-2], "--dry-run", "--json")  # without --model, which is not here
    assert again.json["result"]["adapter"] == "film"
    assert again.json["result"]["phrase"] == "in old film style"


def test_a_single_photograph_is_cut_out_alone(cli, photos):
    ended = cli("customize", photos / "a.jpg", "--subject", "rex", "--json", "--dry-run")
    cut, _, taught = said(ended)[2].partition(": ")[2].partition(" && ")
    target = str(photos / "a-cut.png")
    assert shlex.split(cut)[1:] == ["i", "-m", "isnet-general-use", str(photos / "a.jpg"), target]
    assert shlex.split(taught)[2] == target


def test_cut_outs_of_photographs_are_not_told_to_be_cut_out(cli, tmp_path):
    folder = save_cut_outs(tmp_path / "cut")
    ended = cli("customize", folder, "--subject", "plush", "--json", *SHORT)
    first, larger = said(ended)
    assert FEW in first and "--model" in larger


def test_nothing_is_said_of_drawings(cli, art, tmp_path):
    for picture in sorted(art.iterdir()):
        ground = Image.new("RGBA", (160, 160), "#fff8e8")
        ground.alpha_composite(Image.open(picture))
        ground.convert("RGB").save(tmp_path / "art" / f"{picture.stem}.jpg", quality=90)
    assert not said(cli("customize", art, "--subject", "blob", "--json", "--dry-run"))
    Image.fromarray(photograph(200, 200)).save(art / "one-photograph.jpg")
    assert not said(cli("customize", art, "--subject", "blob", "--json", "--dry-run"))


def test_nothing_is_said_where_the_model_knows_photographs(cli, photos, tiny_sd):
    asked = ("--subject", "rex", "--model", tiny_sd, "--json", "--dry-run")
    ended = cli("customize", photos, *asked)
    assert ended.code == 0 and not said(ended)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_what_generate_made_is_no_photograph(tmp_path, kind):
    """Its soft edges are like a photograph's, but the file says where it comes from."""
    planes = photograph(160, 160)
    (tmp_path / f"made.{kind}").write_bytes(encode_image(planes, {"seed": 1}, "us", kind))
    Image.fromarray(planes).save(tmp_path / f"snap.{kind}")
    told = {item.path.stem: item.photograph for item in read_folder(tmp_path).pictures}
    assert told == {"made": False, "snap": True}
