"""From prompt rows to requests: which adapters and styles a prompt uses."""

from dataclasses import replace

import pytest

from stickerforge.adapters import store
from stickerforge.data.prompts import PromptRow
from stickerforge.errors import InputError
from stickerforge.generation.requests import (
    adapters_of,
    build_requests,
    default_model,
    read_rows,
)


def sources(request):
    return [adapter.source for adapter in request.adapters]


def test_rows_come_from_the_command_line_and_then_from_the_file(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("tree\ncar\n")
    rows = read_rows(["cat"], str(path), "")
    assert [row.prompt for row in rows] == ["cat", "tree", "car"]
    with pytest.raises(InputError, match="no prompt given"):
        read_rows([], "", "")
    with pytest.raises(InputError, match="prompt 2"):
        read_rows(["cat", " "], "", "")
    with pytest.raises(InputError, match="the negative prompt"):
        read_rows(["cat"], "", "\0")


def test_a_row_overrules_the_style_and_the_negative_prompt_of_the_call(install):
    rows = [PromptRow("cat"), PromptRow("cat", style="noto", negative="tail")]
    first, second = build_requests(rows, style="flat", negative="leaf")
    assert (first.style, first.preset.name, first.negative) == ("flat", "flat", "leaf")
    assert (second.style, second.preset.name, second.negative) == ("noto", "noto", "tail")
    assert first.text == "cat" and first.adapters == ()


def test_placeholders_bring_their_adapters_and_a_style_its_phrase(install):
    install("dog", {"<dog>": "dog"})
    install("rex", {"<rex>": "dog"})
    install("crayon", phrase="in crayon style")
    rows = [PromptRow("a  <dog>", style="crayon"), PromptRow("cat"), PromptRow("cat", "<rex>")]
    styled, plain, avoiding = build_requests(rows)
    assert styled.text == "a <dog>, in crayon style" and sources(styled) == ["crayon", "dog"]
    assert styled.preset is None
    assert (plain.text, sources(plain), sources(avoiding)) == ("cat", [], ["rex"])
    requests = [styled, plain, avoiding]
    assert [adapter.source for adapter in adapters_of(requests)] == ["crayon", "dog", "rex"]


def test_adapters_and_subjects_of_the_call_are_in_every_row(install):
    install("dog", {"<dog>": "dog"})
    install("crayon", phrase="in crayon style")
    rows = [PromptRow("a dog on a beach"), PromptRow("red dog")]
    first, second = build_requests(rows, adapters=["crayon:0.5"], subjects=["dog"])
    assert first.text == "a <dog> on a beach" and second.text == "red <dog>"
    assert sources(first) == sources(second) == ["crayon", "dog"]
    assert [adapter.scale for adapter in first.adapters] == [0.5, 1.0]
    assert first.adapters == second.adapters
    strong = build_requests(rows, adapters=["dog:2"], subjects=["dog"])[0]
    assert [adapter.scale for adapter in strong.adapters] == [2.0], "the flag says its scale"


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        (PromptRow("a <dgo>"), {}, "did you mean <dog>"),
        (PromptRow("a <spot>"), {}, "add --adapter hound"),
        (PromptRow("a <zebra>"), {}, "customize PICTURES --subject zebra"),
        (PromptRow("cat"), {"style": "stiker"}, "did you mean 'sticker'"),
        (PromptRow("cat"), {"style": "dog"}, "is no style; use --subject dog"),
        (PromptRow("cat"), {"style": "clear"}, "is no style; use --adapter clear"),
        (PromptRow("a <clear> cat"), {}, "is no subject: use --adapter clear"),
        (PromptRow("a <crayon> cat"), {}, "is no subject: use --style crayon"),
        (PromptRow("a dog"), {"subjects": ["crayon"]}, "is no subject; use --style crayon"),
        (PromptRow("a cat"), {"subjects": ["dog"]}, "mentions neither <dog> nor 'dog'"),
        (PromptRow("cat"), {"adapters": ["dog", "dog:2"]}, "names dog twice"),
        (PromptRow("cat"), {"adapters": ["dog:heavy"]}, "no weight"),
        (PromptRow("cat"), {"adapters": ["gone"]}, "there is no adapter 'gone'"),
        (PromptRow("a <spot>"), {"adapters": ["hound", "kin"]}, "both hold <spot>"),
    ],
)
def test_what_nobody_knows(install, row, options, message):
    install("dog", {"<dog>": "dog"})
    install("hound", {"<hound>": "dog", "<spot>": "dog"})
    install("kin", {"<kin>": "dog", "<spot>": "dog"})
    install("crayon", phrase="in crayon style")
    install("clear")
    with pytest.raises(InputError) as caught:
        build_requests([row], **options)
    assert message in str(caught.value)


def test_the_model_of_a_call_is_the_base_of_its_adapters(install):
    base = store.Base("folder/one", "", "1" * 16)
    install("dog", {"<dog>": "dog"}, base=base)
    install("rex", {"<rex>": "dog"}, base=replace(base, name="folder/two", fingerprint="2" * 16))
    assert default_model(build_requests([PromptRow("cat")])) == "sticker-mini"
    assert default_model(build_requests([PromptRow("a <dog>")])) == "folder/one"
    with pytest.raises(InputError, match="dog for folder/one, rex for folder/two"):
        default_model(build_requests([PromptRow("a <dog>"), PromptRow("a <rex>")]))
