"""Loaders of what may carry code, and what opens connections, stand in one file each."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stickerforge

ROOT = Path(stickerforge.__file__).parent
DOORS = {  # the one file of the program in which a name may stand
    "from_pretrained": "models/pretrained.py",
    "snapshot_download": "models/hub.py",
    "new_session": "models/matting.py",
    "download_models": "models/matting.py",
    "ThreadingHTTPServer": "web/local_server.py",
}
CLOSER = "cli/command.py"  # imports socket to keep others from it
# A program of its own in plain diffusers: a network whose folder `models/pretrained.py` has read
# before, safetensors alone, without a connection.
PLAIN = "adapters/diffusers_pass.py"
OF_PLAIN = {"from_pretrained", "load_ip_adapter"}
WRITERS = {  # where text goes to the terminal: rid of control characters there
    "cli/app.py",  # the version, and the streams themselves
    "cli/output.py",
    "config/reference.py",  # a program of its own
    "runtime/console.py",
}
BARRED_NAMES = {  # as a name or an attribute of anything
    "InferenceSession",
    "from_single_file",
    "get_class_from_dynamic_module",
    "hf_hub_download",
    "load_dataset",
    "load_ip_adapter",
    "load_lora_weights",
    "load_state_dict_from_url",
    "load_textual_inversion",
    "unsafe_load",
    "urlopen",
    "urlretrieve",
}
BARRED_BUILTINS = {"__import__", "compile", "eval", "exec", "input"}
BARRED_OF = {  # attributes of what is called so
    "torch": {"hub", "load"},
    "jit": {"load"},
    "np": {"load"},
    "numpy": {"load"},
    "transformers": {"pipeline"},
    "yaml": {"load"},
}
BARRED_FROM = BARRED_OF | {"torch.jit": {"load"}, "urllib": {"request"}}
BARRED_MODULES = {
    "aiohttp",
    "cloudpickle",
    "code",
    "dill",
    "ftplib",
    "httpx",
    "joblib",
    "marshal",
    "pickle",
    "pooch",
    "pty",
    "requests",
    "runpy",
    "shelve",
    "smtplib",
    "socket",
    "urllib",
    "xmlrpc",
}
SAFE_VALUES = {"allow_pickle": False, "trust_remote_code": False, "use_safetensors": True}


def faults(source: str, place: str) -> list[str]:
    """What a file does that only another file may do, or none."""
    return [
        f"{place}:{getattr(node, 'lineno', 0)}: {fault}"
        for node in ast.walk(ast.parse(source))
        for fault in faults_of(node, place)
        if place != PLAIN or fault not in OF_PLAIN
    ]


def faults_of(node: ast.AST, place: str) -> Iterator[str]:
    """The faults of one node of a syntax tree."""
    match node:
        case ast.Attribute(attr=name, value=owner):
            of = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in BARRED_NAMES or name in BARRED_OF.get(of, ()):
                yield name
            if place != DOORS.get(name, place):
                yield name
            if name in {"echo", "secho", "stdout", "stderr", "__stderr__"} and place not in WRITERS:
                yield name
        case ast.Name(id=name):
            if name in BARRED_NAMES | BARRED_BUILTINS or place != DOORS.get(name, place):
                yield name
        case ast.Import(names=names):
            barred = BARRED_MODULES - ({"socket"} if place in {CLOSER, PLAIN} else set())
            yield from (alias.name for alias in names if alias.name.partition(".")[0] in barred)
        case ast.ImportFrom(module=module, names=names):
            for name in (alias.name for alias in names):
                from_barred = str(module).partition(".")[0] in BARRED_MODULES - {"urllib"}
                if (
                    from_barred
                    or module == "urllib.request"
                    or name in BARRED_NAMES | BARRED_FROM.get(str(module), set())
                ):
                    yield f"{module}.{name}"
                if place != DOORS.get(name, place):
                    yield f"{module}.{name}"
        case ast.keyword(arg=str(name), value=value):
            if name in SAFE_VALUES and getattr(value, "value", None) is not SAFE_VALUES[name]:
                yield f"{name}={ast.unparse(value)}"
        case ast.Constant(value=str(text)):  # getattr(kind, "from_pretrained"), {"trust…": True}
            if text in {*DOORS, *SAFE_VALUES}:
                yield repr(text)
        case _:
            pass


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_loaders_stand_in_their_one_file(path):
    assert not faults(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())


@pytest.mark.parametrize(
    "source",
    [
        "AutoModel.from_pretrained('x')",
        "load = kind.from_pretrained",
        "getattr(kind, 'from_pretrained')('x')",
        "import torch\ntorch.load('x.bin')",
        "from torch import load",
        "from torch.jit import load",
        "from transformers import pipeline",
        "transformers.pipeline('text-generation')",
        "f(trust_remote_code=True)",
        "options = {'trust_remote_code': True}",
        "np.load('x.npy', allow_pickle=True)",
        "f(use_safetensors=None)",
        "onnxruntime.InferenceSession('x.onnx')",
        "from huggingface_hub import hf_hub_download",
        "from huggingface_hub import snapshot_download",
        "import urllib.request",
        "from http.server import ThreadingHTTPServer",
        "import pickle",
        "sys.stderr.write(text)",
        "typer.echo(text)",
        "answer = input('run it? ')",
    ],
)
def test_every_other_loader_is_found(source):
    assert faults(source, "models/other.py")
