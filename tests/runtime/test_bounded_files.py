import ast
import os
import socket
from pathlib import Path

import pytest

import stickerforge
from stickerforge.runtime import bounded_files
from stickerforge.runtime.bounded_files import (
    check_regular,
    describe_bytes,
    open_regular,
    read_bounded,
    read_shell_pipe,
    read_text,
)


def fault(read, path, limit=10):
    with pytest.raises(OSError) as error:
        read(path, limit)
    return error.value.strerror


def test_a_file_is_read_up_to_its_limit_and_not_beyond(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    assert read_bounded(path, 10) == b"0123456789"
    assert fault(read_bounded, path, 9) == "it has over 9 bytes"
    (tmp_path / "link").symlink_to(path)
    assert read_bounded(tmp_path / "link", 10) == b"0123456789"


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="a system without /proc")
def test_a_file_that_hides_its_size_is_bounded_too(tmp_path):
    (tmp_path / "link").symlink_to("/proc/self/environ")  # its st_size is 0
    assert fault(read_bounded, tmp_path / "link", 1) == "it has over 1 byte"
    assert read_bounded(tmp_path / "link", 10**12) == Path("/proc/self/environ").read_bytes()


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(10**12)  # sparse
    assert fault(read_bounded, tmp_path / "a", 10**11) == "it has over 100 GB"


@pytest.mark.parametrize("through_a_link", [False, True])
def test_only_regular_files_are_opened(tmp_path, through_a_link):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    expected = {
        tmp_path / "pipe": "it is a named pipe, not a file",
        tmp_path / "folder": "it is a folder, not a file",
        tmp_path / "socket": "it is a socket, not a file",
        tmp_path / "zero": "it is a device, not a file",
    }
    (tmp_path / "zero").symlink_to("/dev/zero")
    for path, reason in expected.items():
        if through_a_link:
            link = path.with_suffix(".link")
            link.symlink_to(path)
            path = link
        assert fault(read_text, path) == reason
        with pytest.raises(OSError, match="not a file"):
            check_regular(path)
    server.close()


def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("stickerforge.runtime.bounded_files.check_regular", lambda path: None)
    assert fault(read_bounded, tmp_path / "pipe") == "it is a named pipe, not a file"


def test_a_missing_file_says_so(tmp_path):
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("gone", "dangling"):
        with pytest.raises(FileNotFoundError):
            open_regular(tmp_path / name)


def test_texts_lose_their_byte_order_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9")
    assert read_text(path, 100) == "café"
    path.write_bytes(b"\xff\xfea\0")
    with pytest.raises(UnicodeDecodeError):
        read_text(path, 100)


def test_sizes_are_named_in_round_units():
    assert [describe_bytes(size) for size in (7, 64_000, 1_000_000, 4_000_000_000)] == [
        "7 bytes",
        "64 kB",
        "1 MB",
        "4 GB",
    ]


# Files of the package, pictures (bounded where they are decoded), and files that are written.
OTHER_READERS = {
    "cli/app.py": "the null device",
    "config/style_presets.py": "a file of the package",
    "data/caption_files.py": "appends, after it was read",
    "data/pictures.py": "pictures",
    "data/prompt_bank.py": "a file of the package",
    "rating/json_lines.py": "appends, after it was read",
    "rating/rating_page.py": "a file of the package",
    "rating/serving.py": "its address, which is written",
    "runtime/bounded_files.py": "what all others use",
    "runtime/console.py": "the null device",
    "runtime/files.py": "locks and files that are written",
    "stickers/image_files.py": "pictures of ours, after `check_regular`",
    "training/metrics_log.py": "appends, after it was read",
    "training/preview.py": "a picture that was just written",
    "web/template.py": "files of the package",
}


def test_nothing_else_opens_files():
    """Whoever reads a file bounds it; pictures and weights are opened by their libraries."""
    root, readers = Path(stickerforge.__file__).parent, set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = name or getattr(node.func, "id", "")
            owner = getattr(getattr(node.func, "value", None), "id", "")
            # `read_text` is ours where it is called as a function, and Path's as a method
            is_method = isinstance(node.func, ast.Attribute)
            if (name in ("read_text", "read_bytes") and is_method) or (
                name == "open" and owner not in ("Image", "webbrowser")
            ):
                readers.add(str(path.relative_to(root)))
    assert readers <= set(OTHER_READERS), readers - set(OTHER_READERS)


@pytest.fixture
def pipe():
    """Both ends of a pipe, and the path by which a shell names the first."""
    read, write = os.pipe()
    yield write, Path(f"/dev/fd/{read}")
    os.close(read)


def test_a_pipe_of_the_shell_is_read_to_its_end(pipe):
    write, path = pipe
    os.write(write, "\ufeffcafé".encode())
    os.close(write)
    assert read_shell_pipe(path, 100) == "café"


def test_a_pipe_that_says_nothing_or_too_much_is_given_up(pipe, monkeypatch, tmp_path):
    monkeypatch.setattr(bounded_files, "PATIENCE", 0.05)
    write, path = pipe
    with pytest.raises(OSError, match="had not ended"):
        read_shell_pipe(path, 100)
    os.write(write, b"x" * 101)
    with pytest.raises(OSError, match="over 100 bytes"):
        read_shell_pipe(path, 100)
    os.close(write)
    os.mkfifo(tmp_path / "named")
    assert read_shell_pipe(tmp_path / "named", 100) is None, "one that lies around is no shell's"
