from stickerforge.runtime.console import Console


def test_a_warning_is_shown_once_and_kept(capsys):
    console = Console()
    for text in ("first", "second", "first"):
        console.warn(text)
    assert console.warnings == ["first", "second"]
    assert capsys.readouterr().err == "warning: first\nwarning: second\n"


def test_a_quiet_console_keeps_warnings_and_shows_nothing(capsys):
    console = Console(quiet=True)
    console.warn("first")
    console.say("line")
    with console.progress("work", 2) as advance:
        advance(2)
    assert console.warnings == ["first"]
    assert capsys.readouterr() == ("", "")


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(capsys):
    with Console(every_s=0).progress("work", 4) as advance:
        advance(1)
        advance(2)
    with Console(every_s=60).progress("other", 4) as advance:
        advance(4)
    assert capsys.readouterr().err == "work: 25 %\nwork: 75 %\n"
