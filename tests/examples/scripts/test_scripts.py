"""The five numbered scripts: each runs from any folder, on few steps, and leaves what it says."""

import json
import runpy
import stat
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Listener
from pathlib import Path

import pytest
from PIL import Image

import examples

FOLDER = Path(examples.__file__).parent
SCRIPTS = sorted(path for path in FOLDER.iterdir() if path.name[0].isdigit())
# `python -m stickerforge ARGUMENTS` of a shell script, run by this process, which has torch loaded.
FORWARD = """#!{python}
import sys
from multiprocessing.connection import Client
with Client({address!r}) as connection:
    connection.send(sys.argv[3:])
    code, out, err = connection.recv()
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


@pytest.fixture
def run_python(cli, capsys, monkeypatch):
    """Run a Python script with arguments; returns what it prints. `cli` sets folder and home."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def run_bash(cli, tmp_path, monkeypatch):
    """Run a shell script with arguments; returns (exit code, what it prints)."""
    with Listener(str(tmp_path / "socket")) as listener:
        python = tmp_path / "python"
        python.write_text(FORWARD.format(python=sys.executable, address=listener.address))
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PYTHON", str(python))

        def run(name: str, *arguments: object) -> tuple[int, str]:
            command = ["bash", str(FOLDER / name), *map(str, arguments)]
            script = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            listener._listener._socket.settimeout(0.05)
            while script.poll() is None:
                with suppress(TimeoutError), listener.accept() as connection:
                    ended = cli(*connection.recv())
                    connection.send((ended.code, ended.out, ended.err))
            return script.returncode, script.stdout.read()

        yield run


def test_there_are_five_of_at_most_thirty_lines():
    assert [path.name[0] for path in SCRIPTS] == ["1", "2", "3", "4", "5"]
    for path in SCRIPTS:
        lines = path.read_text().splitlines()
        assert len(lines) <= 30 and max(map(len, lines)) <= 110, path


def test_prompts_become_stickers(run_bash, tmp_path):
    code, out = run_bash("1_generate.sh", "out", 1)
    assert code == 0 and "out/contact-sheet.png" in out
    stickers = sorted((tmp_path / "out").glob("*-*-*.png"))
    assert [path.name.rsplit("-", 2)[0] for path in stickers] == ["cat-astronaut", "red-apple"]
    assert all(Image.open(path).mode == "RGBA" for path in stickers)
    (chat,) = (tmp_path / "out" / "chat").glob("cat-astronaut-7-*.webp")
    assert Image.open(chat).size == (256, 256)


@pytest.mark.slow
def test_drawings_become_an_adapter_and_one_with_a_style(run_python, tmp_path):
    out = run_python("2_customize.py", "out", 2)
    home = tmp_path / "home" / "adapters"
    assert "<bolt> from 3 drawings" in out and (home / "bolt" / "preview.png").exists()
    out = run_python("3_merge.py", "out", 2)
    card = json.loads((home / "bolt-riso" / "adapter.json").read_text())
    assert [parent["name"] for parent in card["parents"]] == ["bolt", "riso"]
    outputs = out.removeprefix("bolt-riso: ").strip().split(", ")
    assert len(outputs) == 2 and all(Path(output).exists() for output in outputs)


def test_stickers_are_captioned_and_compared(run_python, tmp_path):
    lines = run_python("4_caption_and_evaluate.py", "out", 1).splitlines()
    assert len(lines) == 3 + 3 + 1
    assert (tmp_path / "out" / "high" / "captions.jsonl").exists()
    report = json.loads((tmp_path / "out" / "evaluation" / "report.json").read_text())
    shown = f"facts@judge: {report['figures']['facts@judge']['value']:.3f}"
    assert any(line.startswith(shown) for line in lines)


def test_a_prompts_file_is_checked_and_a_limit_fails_the_job(run_bash, tmp_path, monkeypatch):
    code, out = run_bash("5_prompts_file_in_ci.sh", "out", 1)
    assert code == 0 and "passed: out/evaluation/report.html" in out
    made = json.loads((tmp_path / "out" / "release.json").read_text())["result"]["outputs"]
    assert [output["id"] for output in made] == ["login", "welcome", "error"]
    strict = tmp_path / "strict.sh"
    text = (FOLDER / "5_prompts_file_in_ci.sh").read_text()
    strict.write_text(text.replace("facts@judge=0.3", "facts@judge=1.1"))
    code, out = run_bash(strict, "out", 1)
    assert code == 5 and "passed" not in out
