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
        ("p.csv", "prompt,seed\ncat,1\ndog\n", "line 3: 1 cells, the header has 2"),
        ("p.csv", "prompt,seed\ncat,one\n", "line 2: seed = 'one' is not a whole number"),
        ("p.csv", 'prompt\n"cat\n', "line 2"),
        ("p.jsonl", '{"prompt": "cat"}\n{"prompt": \n', "line 2: not JSON"),
        ("p.jsonl", "[1]\n", "line 1: not a JSON object"),
        ("p.jsonl", '{"prompt": "cat", "count": true}\n', "count = True"),
        ("p.jsonl", '{"prompt": "cat", "seed": -1}\n', "seed = -1 is out of range"),
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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no prompt file .*gone\.txt"):
        read_prompts(tmp_path / "gone.txt", styles=STYLES)


def test_of_pictures_that_are_there_ids_and_styles_are_any_texts(tmp_path):
    line = '{"prompt": "cat", "id": "a cat (1).png", "style": "theirs"}\n'
    (row,) = read_prompts(written(tmp_path, "p.jsonl", line), styles=None)
    assert (row.id, row.style) == ("a cat (1).png", "theirs")
    with pytest.raises(InputError, match="unknown style 'theirs'; did you mean 'theirs2'"):
        read_prompts(tmp_path / "p.jsonl", styles=["theirs2"])


@given(st.text(max_size=60))
def test_any_text_is_a_prompt_or_one_clear_error(text):
    try:
        check_prompt(text, "here")
    except InputError as error:
        assert "here" in error.message
    else:
        assert text.strip()
