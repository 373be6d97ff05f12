"""What `generate` cannot do is said before, and what it does not read is said at all."""

import json
from pathlib import Path

import pytest

from stickerforge.config.schema import MAX_SEED
from tests.conftest import one_line

LONG = "tree " * 90


@pytest.mark.parametrize("options", [(), ("--style", "flat"), ("--guidance", 7)])
def test_a_cut_negative_prompt_is_said(cli, options):
    asked = ("generate", "cat", "--steps", 1, "--size", "native", "--json")
    ended = cli(*asked, "--negative", LONG, *options)
    (warning,) = [line for line in ended.json["warnings"] if "not read" in line]
    assert "reads 75 tokens; not read of the negative prompt: 'tree" in warning
    assert not cli(*asked, "--negative", "tree").json["warnings"]


def test_a_cut_negative_of_a_row_is_said_once(cli):
    rows = [{"prompt": name, "negative": LONG, "seed": 1} for name in ("cat", "dog")]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ended = cli("generate", "--prompts", "rows.jsonl", "--steps", 1, "--json")
    assert [rest for rest in ended.json["warnings"] if "not read of the negative prompt" in rest]
    assert sum("not read" in line for line in ended.json["warnings"]) == 1


@pytest.mark.parametrize(
    ("prompts", "options", "largest"),
    [
        (["cat"], ("--count", 2), MAX_SEED - 1),
        (["cat", "dog", "tree"], (), MAX_SEED - 2),
        (["cat", "dog"], ("--count", 3, "--style", "flat"), MAX_SEED - 5),
    ],
)
def test_seeds_that_overflow_are_refused_with_the_largest_that_does_not(
    cli, prompts, options, largest
):
    ended = cli("generate", *prompts, "--seed", MAX_SEED, *options)
    assert ended.code == 2 and f"give --seed {largest} or less" in one_line(ended)
    assert not Path("stickers").exists()
    assert cli("generate", *prompts, "--seed", largest + 1, *options, "--dry-run").code == 2
    assert cli("generate", *prompts, "--seed", largest, *options, "--dry-run").code == 0
    assert cli("generate", "cat", "--seed", MAX_SEED, "--dry-run").code == 0


@pytest.mark.parametrize(("count", "code"), [(1, 0), (2, 2)])
def test_seeds_of_rows_that_overflow(cli, count, code):
    row = {"prompt": "cat", "seed": MAX_SEED, "count": count}
    Path("rows.jsonl").write_text(json.dumps(row))
    ended = cli("generate", "--prompts", "rows.jsonl", "--seed", 1, "--dry-run")
    assert ended.code == code
    assert code == 0 or f"give that row at most {MAX_SEED - 1}" in one_line(ended)


def test_a_seed_that_goes_on_is_named_only_where_it_does(cli):
    rows = [{"prompt": "cat", "id": "one"}, {"prompt": "dog", "id": "two"}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    call = ("generate", "--prompts", "rows.jsonl", "--steps", 1)
    assert cli(*call, "--seed", 0).code == 0
    Path("stickers/one.png").unlink()
    hint = one_line(cli(*call)).rpartition("; ")[2]
    assert hint.startswith("--seed 0 goes on, ")
    assert cli(*call, "--seed", 0).code == 0, "so it does"
    for other in (("--style", "flat"), ("--size", 256), ("--negative", "red")):
        refused = one_line(cli(*call, *other))
        assert "goes on" not in refused and "--force replaces" in refused
    assert cli(*call, "--size", 256, "--force", "--dry-run").code == 0
    assert cli(*call, "--size", 256, "--out", "elsewhere", "--dry-run").code == 0
