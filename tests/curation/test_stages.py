"""The stages of tailor style that gather pictures: what is wrong is said before any is drawn."""

from dataclasses import replace

import pytest

from stickerforge.config.schema import TailorStyleConfig
from stickerforge.config.schema.picture_sets import ContentConfig, GatesConfig
from stickerforge.curation.gathering import describe_content
from stickerforge.curation.stages import gather_content
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.registry import find_model
from stickerforge.rating.rating_set import read_set, set_folder


@pytest.fixture
def config(tiny_sd, tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    content = ContentConfig(prompts=3, count=2, steps=1, matting="none")
    gates = GatesConfig(prompt_score=-1.0, text="off", border=1.0)
    return TailorStyleConfig(
        name="house",
        stage="content",
        model=str(tiny_sd),
        device="cpu",
        content=content,
        gates=gates,
    )


def gather(config, console):
    card = find_model(config.model)
    return gather_content(config, card, (), console, offline=True, force=False)


@pytest.mark.parametrize(
    ("gates", "content", "error"),
    [
        ({"safety": "nowhere"}, {}, InputError),
        ({"safety": "owner/nothing"}, {}, EnvironmentFault),
        ({"encoder": "nothing"}, {}, InputError),
        ({"encoder": "dinov2"}, {}, EnvironmentFault),
        ({}, {"language_model": "nowhere"}, InputError),
        ({}, {"families": ("faces",)}, InputError),
        ({}, {"file": "nowhere.txt"}, InputError),
        ({}, {"duplicate_encoder": "nothing"}, InputError),
    ],
)
def test_what_cannot_be_used_is_said_before_a_picture_is_drawn(
    config, quiet, gates, content, error
):
    broken = replace(
        config,
        gates=replace(config.gates, **gates),
        content=replace(config.content, **content),
    )
    with pytest.raises(error) as raised:
        gather(broken, quiet)
    assert "\n" not in str(raised.value)
    assert not set_folder("house", "match").exists()


def test_candidates_are_drawn_and_gated_once(config, quiet):
    first = gather(config, quiet)
    assert (first.made, first.kept) == (6, 0)
    assert first.report and first.report.is_file()
    left = [one.file_name for one in read_set(first.folder).candidates]
    assert len(left) + sum(first.removed.values()) == 6
    second = gather(config, quiet)
    assert (second.made, second.kept) == (0, 6) and second.removed == first.removed
    assert [one.file_name for one in read_set(first.folder).candidates] == left


def test_a_dry_run_counts_the_prompts_of_a_file(config, tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("a cat\na dog\nA  cat!\na fox\na bee\n")
    card = find_model(config.model)
    for name, prompts in (("", 3), (str(file), 4)):
        told = replace(config, content=replace(config.content, file=name))
        result, lines = describe_content(told, card, ())
        assert (result["prompts"], result["count"]) == (prompts, 2 * prompts)
        assert f"{2 * prompts} pictures" in lines[0]
    with pytest.raises(InputError, match="no prompt file"):
        describe_content(replace(config, content=ContentConfig(file="gone.txt")), card, ())
