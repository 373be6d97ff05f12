import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stickerforge.data.prompts import PromptRow, check_prompt, read_prompts
from stickerforge.errors import InputError

STYLES = ("flat", "sticker")


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_text_has_one_prompt_a_line(tmp_path):
    path = written(tmp_path, "p.txt", "\ufeffcat\r\n\r\n  dog  \n# one\n")
    assert [row.prompt for row in read_prompts(path, styles=STYLES)] == ["cat", "dog", "# one"]


def test_csv_and_jsonl_say_the_same(tmp_path):
    csv_path = written(
        tmp_path,
        "p.csv",
        'Prompt,seed,count,style,id,negative\n"a, cat",3,2,flat,c1,\ndog,,,,,blur\n',
    )
    lines = (
        '{"prompt": "a, cat", "seed": 3, "count": 2, "style": "flat", "id": "c1"}\n\n'
        '{"prompt": "dog", "negative": "blur", "id": null}\n'
    )
    expected = [
        PromptRow("a, cat", seed=3, count=2, style="flat", id="c1"),
        PromptRow("dog", negative="blur"),
    ]
    assert read_prompts(csv_path, styles=STYLES) == expected
    assert read_prompts(written(tmp_path, "p.jsonl", lines), styles=STYLES) == expected


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", b"cat\nd\xffg\n", "line 2: byte 0xff"),
        ("p.txt", "\n \n", "no prompts"),
        ("p.txt", "cat\n" + "x" * 5000, "line 2: the prompt has 5000 characters"),
        ("p.txt", "cat\nd\0g", "line 2: the prompt holds the control character U+0000"),
        ("p.csv", "prompt,sead\ncat,1\n", "line 1: unknown column 'sead'; did you mean 'seed'"),
        ("p.csv", "seed\n1\n", "no column 'prompt'"),
        ("p.csv", "prompt,seed\ncat,1\ndog\n", "line 3: 1 of 2 cells"),
        ("p.csv", "prompt,seed\ncat,one\n", "line 2: seed = 'one' is not a whole number"),
        ("p.csv", 'prompt\n"cat\n', "line 2"),
        ("p.jsonl", '{"prompt": "cat"}\n{"prompt": \n', "line 2: not JSON"),
        ("p.jsonl", "[1]\n", "line 1: not a JSON object"),
        ("p.jsonl", '{"prompt": "cat", "count": true}\n', "count = True"),
        ("p.jsonl", '{"prompt": "cat", "seed": -2}\n', "seed = -2 is out of range"),
        ("p.csv", "prompt,seed\ncat,1.5\n", "line 2: seed = '1.5' is not a whole number"),
        ("p.csv", "prompt,seed\ncat,1e20\n", "line 2: seed = '1e20' is not a whole number"),
        ("p.jsonl", '{"prompt": "cat", "seed": 1.5}\n', "seed = 1.5 is not a whole number"),
        ("p.jsonl", '{"prompt": "cat", "seed": 1e300}\n', "is not a whole number"),
        ("p.jsonl", '{"prompt": "cat", "seed": "7"}\n', "without quotes in JSON"),
        ("p.csv", "prompt,seed\na cat, red,1\n", "line 2: '1' stands in a column without a name"),
        ("p.csv", "sep=;\nprompt;seed\n;1\n", "line 3: the prompt is empty"),
        ("p.csv", "prompt;sead\ncat;1\n", "unknown column 'sead'; did you mean 'seed'"),
        ("p.csv", "prompt,,seed\ncat,red,1\n", "'red' stands in a column without a name"),
        ("p.csv", b"prompt\rcat\rd\xffg\r", "line 3: byte 0xff"),
        ("p.txt", "\u200b\u200b\n\u3164\n\ufe0f \u2060\n", "no prompts"),
        ("p.csv", "prompt,seed\n\u200d\u00ad,1\n", "line 2: the prompt is empty"),
        ("p.jsonl", '{"prompt": "\\u2800\\u180e"}\n', "line 1: the prompt is empty"),
        ("p.jsonl", '{"prompt": NaN}\n', "line 1: the prompt is empty"),
        ("p.jsonl", '{"prompt": "cat", "count": 0}\n', "count = 0 is out of range"),
        ("p.jsonl", '{"prompt": "cat", "id": "../x"}\n', "cannot be a file name"),
        (
            "p.jsonl",
            '{"prompt": "cat", "id": "a"}\n{"prompt": "b", "id": "A"}\n',
            "line 2: id 'A' is there twice",
        ),
        ("p.jsonl", '{"prompt": ""}\n', "line 1: the prompt is empty"),
        ("p.jsonl", '{"prompt": null}\n', "line 1: the prompt is empty"),
        ("p.csv", "prompt,seed\n,1\n", "line 2: the prompt is empty"),
        ("p.csv", "prompt,prompt\na,b\n", "line 1: a column is there twice"),
        ("p.csv", "prompt,style\na,flta\n", "line 2: unknown style 'flta'; did you mean 'flat'"),
        ("p.jsonl", "[" * 100_000 + "\n", "line 1: not JSON"),
        ("p.yaml", "cat", "is no prompt file"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, name, content, said):
    with pytest.raises(InputError) as caught:
        read_prompts(written(tmp_path, name, content), styles=STYLES)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "number", ["9223372036854775807", "9223372036854775807.0", "007.0", "-1.0"]
)
def test_a_number_is_the_same_in_every_kind_of_file(tmp_path, number):
    table = written(tmp_path, "p.csv", f"prompt,seed\ncat,{number}\n")
    lines = written(tmp_path, "p.jsonl", f'{{"prompt": "cat", "seed": {number.lstrip("0")}}}\n')
    assert read_prompts(table, styles=STYLES) == read_prompts(lines, styles=STYLES)


@pytest.mark.parametrize("number", ["9223372036854775808", "92233720368547758070.0", "9" * 90])
def test_a_seed_that_is_too_large_is_out_of_range_in_every_kind_of_file(tmp_path, number):
    contents = {"p.csv": "prompt,seed\ncat,{}\n", "p.jsonl": '{{"prompt": "cat", "seed": {}}}\n'}
    for name, content in contents.items():
        with pytest.raises(InputError, match="seed = 9.* is out of range"):
            read_prompts(written(tmp_path, name, content.format(number)), styles=STYLES)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no prompt file .*gone\.txt"):
        read_prompts(tmp_path / "gone.txt", styles=STYLES)


def test_of_pictures_that_are_there_ids_and_styles_are_any_texts(tmp_path):
    line = '{"prompt": "cat", "id": "a cat (1).png", "style": "theirs"}\n'
    (row,) = read_prompts(written(tmp_path, "p.jsonl", line), styles=None)
    assert (row.id, row.style) == ("a cat (1).png", "theirs")
    with pytest.raises(InputError, match="unknown style 'theirs'; did you mean 'theirs2'"):
        read_prompts(tmp_path / "p.jsonl", styles=["theirs2"])


CAT, DOG = PromptRow("cat", seed=1), PromptRow("dog")


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("p.csv", "prompt,seed,\ncat,1,\n", [CAT]),  # empty columns of a spreadsheet
        ("p.csv", "prompt,seed,,\ncat,1,,\ndog,,,,,\n", [CAT, DOG]),
        ("p.csv", "prompt,,seed\ncat,,1\n", [CAT]),
        ("p.csv", "prompt;seed;count\ncat;1;\n", [CAT]),
        ("p.csv", "sep=;\nprompt;seed\ncat;1\n", [CAT]),
        ("p.csv", '\ufeff"prompt"\t"seed"\r\n"cat"\t1\r\n', [CAT]),
        ("p.tsv", "seed\tprompt\n1\tcat\n", [CAT]),
        ("p.csv", "prompt,seed\rcat,1\rdog,\r", [CAT, DOG]),  # of an old Mac
        ("p.csv", "prompt,seed\r\ncat,1\r\ndog,\r\n", [CAT, DOG]),
        ("p.csv", "prompt,seed\ncat,1.0\ndog,\n", [CAT, DOG]),  # of a data frame
        ("p.csv", ",prompt,seed\n0,cat,1.0\n1,dog,\n", [CAT, DOG]),
        ("p.csv", "Unnamed: 0,prompt,seed\n0,cat,1.\n", [CAT]),
        ("p.csv", "prompt,seed\ndog,-1\n", [DOG]),
        ("p.csv", 'prompt, seed\n"cat", 1\n', [CAT]),
        (
            "p.csv",
            'prompt,negative\n"a cat, red", "no ""x"""\n',
            [PromptRow("a cat, red", 'no "x"')],
        ),
        ("p.csv", 'prompt\n"a\r\ncat"\n', [PromptRow("a\ncat")]),
        ("p.jsonl", '{"prompt": "cat", "seed": 1.0}\n', [CAT]),
        (
            "p.jsonl",
            '{"prompt": "cat", "seed": 1, "count": NaN}\r{"prompt": "dog", "seed": -1}',
            [CAT, DOG],
        ),
        ("p.txt", "dog\r \u200b\r", [DOG]),
        ("p.txt", "cafe\u0301\n", [PromptRow("caf\u00e9")]),
        ("p.txt", "\U0001fae9\n", [PromptRow("\U0001fae9")]),  # newer than Python's tables
        ("p.txt", "नमस्ते\u200d\n", [PromptRow("नमस्ते\u200d")]),
    ],
)
def test_files_are_read_as_programs_write_them(tmp_path, name, content, rows):
    assert read_prompts(written(tmp_path, name, content), styles=STYLES) == rows


def test_a_file_has_a_limit_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("stickerforge.data.prompts.MAX_ROWS", 2)
    assert len(read_prompts(written(tmp_path, "p.txt", "a\nb\n"), styles=STYLES)) == 2
    with pytest.raises(InputError, match="holds over 2 prompts; split it"):
        read_prompts(written(tmp_path, "p.txt", "a\nb\nc\n"), styles=STYLES)


@pytest.mark.parametrize("name", ["p.txt", "p.csv", "p.jsonl"])
def test_what_is_no_file_is_named(tmp_path, name):
    os.mkfifo(tmp_path / name)
    (tmp_path / f"link-{name}").symlink_to("/dev/zero")
    for path, kind in ((name, "a named pipe"), (f"link-{name}", "a device")):
        with pytest.raises(InputError, match=f"it is {kind}, not a file"):
            read_prompts(tmp_path / path, styles=STYLES)


@given(st.text(max_size=60))
def test_any_text_is_a_prompt_or_one_clear_error(text):
    try:
        check_prompt(text, "here")
    except InputError as error:
        assert "here" in error.message
    else:
        assert text.strip()
