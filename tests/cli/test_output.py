"""What the shell sees of a command: stdout, stderr and the exit code."""

import json
import warnings

import pytest
import typer

from stickerforge.cli.output import Report, partial_failure, run_command
from stickerforge.commands import models
from stickerforge.errors import CheckFailed, InputError, Interrupted


def run(capsys, work, *, as_json=False, quiet=False):
    """(exit code, stdout, stderr) of a command that does this work."""
    try:
        run_command("test", as_json, quiet, work)
        code = 0
    except typer.Exit as end:
        code = end.exit_code
    return code, *capsys.readouterr()


def test_lines_go_to_stdout_and_the_note_to_stderr(capsys):
    assert run(capsys, lambda console: Report({}, ["a", "b"], "note")) == (0, "a\nb\n", "note\n")
    assert run(capsys, lambda console: Report({}, ["a"], "note"), quiet=True) == (0, "a\n", "")


HOSTILE = "a\x1b]0;title\x07\x9b31m\u202efdp.exe\r\x08\x7f[red]b"
SHOWN = "a�]0;title��31m�fdp.exe���[red]b"


def test_a_stranger_s_characters_never_reach_a_terminal(capsys, monkeypatch):
    def work(console):
        console.warn(HOSTILE)
        error = CheckFailed(HOSTILE.replace("\r", ""), HOSTILE.replace("\r", ""))
        return Report({}, [f"{HOSTILE}\t{HOSTILE}"], HOSTILE, error)

    _, out, err = run(capsys, work)
    assert out == f"{SHOWN}\t{SHOWN}\n"
    inner = SHOWN.replace("exe�", "exe", 1)
    assert err == f"warning: {SHOWN}\n{SHOWN}\nstickerforge: {inner}; {inner}\n"


def test_nor_does_a_table(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    report = Report({}, [], table=[[HOSTILE, "[bold]"], [HOSTILE, HOSTILE]])
    _, out, _ = run(capsys, lambda console: report)
    assert out.count(SHOWN) == 3 and "[bold]" in out
    assert not set(out) & set("\x1b\x07\x9b\u202e\r\x08\x7f")


def test_nor_does_json_which_stays_exact(capsys):
    def work(console):
        console.warn(HOSTILE)
        return Report({"path": HOSTILE}, [])

    _, out, _ = run(capsys, work, as_json=True, quiet=True)
    assert out.rstrip("\n").isascii() and out.rstrip("\n").isprintable()
    assert json.loads(out)["result"]["path"] == HOSTILE
    assert json.loads(out)["warnings"] == [HOSTILE]


def test_json_holds_the_result_and_the_warnings(capsys):
    def work(console):
        console.warn("careful")
        return Report({"x": 1}, ["a"], "note")

    code, out, err = run(capsys, work, as_json=True)
    document = json.loads(out)
    assert (code, err) == (0, "warning: careful\n")
    assert list(document) == ["ok", "command", "version", "result", "warnings", "seconds"]
    assert document["ok"] is True and document["result"] == {"x": 1}
    assert (document["command"], document["warnings"]) == ("test", ["careful"])


@pytest.mark.parametrize("as_json", [False, True])
def test_an_error_beside_a_result_sets_the_code(capsys, as_json):
    def work(console):
        return Report({"x": 1}, ["a"], error=CheckFailed("too low\x07", "see page"))

    code, out, err = run(capsys, work, as_json=as_json)
    assert code == 5
    if as_json:
        error = {"code": 5, "message": "too low\x07", "hint": "see page"}
        assert json.loads(out)["error"] == error and not err
    else:
        assert (out, err) == ("a\n", "stickerforge: too low�; see page\n")


def test_an_interruption_is_one_line_with_its_code(capsys):
    def work(console):
        raise Interrupted("terminated", 143)

    assert run(capsys, work) == (143, "", "stickerforge: terminated; what is finished stays\n")
    code, out, _ = run(capsys, work, as_json=True)
    assert (code, json.loads(out)["error"]["code"]) == (143, 143)


def test_errors_of_the_user_are_left_to_main(capsys):
    def work(console):
        raise InputError("wrong")

    with pytest.raises(InputError):
        run_command("test", False, False, work)


def test_partial_failures_name_at_most_five():
    assert partial_failure([]) is None
    assert str(partial_failure(["a", "b"])) == "2 could not be used: a; b; the others were"
    six = str(partial_failure([*"abcdef"]))
    assert six == "6 could not be used: a; b; c; d; e …; the others were"


def test_remarks_of_libraries_are_no_messages(cli, monkeypatch, recwarn):
    def remark():
        warnings.warn("divide by zero", RuntimeWarning, stacklevel=2)
        warnings.warn("will go", FutureWarning, stacklevel=1)
        return {}, ["a"]

    monkeypatch.setattr(models, "list_models", remark)
    ended = cli("models", "list")
    assert (ended.code, ended.out, ended.err) == (0, "a\n", "") and not recwarn
