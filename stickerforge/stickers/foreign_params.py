"""How other programs note in a picture how it was made: what of it can be taken here.

Read are the text of AUTOMATIC1111's web UI and its kin, and the JSON of InvokeAI, NovelAI, Fooocus
and SwarmUI. A workflow of ComfyUI is a program, and is named only. All of it is a stranger's.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 200_000  # of one text; more was made to be long
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
STEPS = re.compile(r"Steps: *\d+ *(?:,|$)")  # begins the line of settings
NEGATIVE = "Negative prompt:"
SETTING = re.compile(r'([A-Za-z][\w /-]{0,40}): *("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)')
NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
EMPHASIS = re.compile(r"\(([^()]*):\s*[\d.]+\)")
# Names of the prompt, the negative prompt and the seed in JSON, by program.
JSON_NAMES = {
    "InvokeAI": ("positive_prompt", "negative_prompt", "seed"),
    "NovelAI": ("prompt", "uc", "seed"),
    "Fooocus": ("prompt", "negative_prompt", "seed"),
    "SwarmUI": ("prompt", "negativeprompt", "seed"),
}


@dataclass(frozen=True)
class ForeignParams:
    """What another program wrote into a picture.

    Args:
        program: its name.
        prompt, negative: in plain words; "" where there is none that can be read.
        seed: None where there is none.
        others: names of what is there and means nothing here, as they stand.
    """

    program: str
    prompt: str
    negative: str = ""
    seed: int | None = None
    others: tuple[str, ...] = ()


def parse_info(info: Mapping[Any, Any], comment: str = "") -> ForeignParams | None:
    """What a picture says in the texts of another program; None where it says nothing known.

    Args:
        info: text chunks of a PNG by their names, as Pillow gives them.
        comment: the user comment of EXIF, where JPEG and WebP have what PNG has in "parameters".
    """
    texts = {
        str(name): text
        for name, text in info.items()
        if isinstance(text, str) and len(text) <= MAX_CHARACTERS
    }
    parameters = texts.get("parameters") or comment[:MAX_CHARACTERS]
    if values := read_object(texts.get("invokeai_metadata", "")):
        return from_json("InvokeAI", values)
    if texts.get("Software") == "NovelAI" and (values := read_object(texts.get("Comment", ""))):
        return from_json("NovelAI", values)
    if values := read_object(parameters):
        swarm = values.get("sui_image_params")
        return (
            from_json("SwarmUI", swarm) if isinstance(swarm, dict) else from_json("Fooocus", values)
        )
    if parameters.strip():
        return from_text(parameters)
    if "class_type" in texts.get("prompt", "") or read_object(texts.get("workflow", "")):
        return ForeignParams("ComfyUI", "", others=("workflow",))
    return None


def from_text(text: str) -> ForeignParams:
    """The form of AUTOMATIC1111: the prompt, the negative prompt, a line of settings from Steps on.

    The last two may be missing.
    """
    lines = text.strip().splitlines()
    settings_at = max(
        (number for number, line in enumerate(lines) if STEPS.match(line.strip())),
        default=len(lines),
    )
    settings = dict(SETTING.findall(" ".join(lines[settings_at:])))
    before = lines[:settings_at]
    negative_at = next(
        (number for number, line in enumerate(before) if line.strip().startswith(NEGATIVE)),
        len(before),
    )
    prompt, negative = "\n".join(before[:negative_at]), "\n".join(before[negative_at:])
    others = tuple(f"{name} {value}" for name, value in settings.items() if name != "Seed")
    return ForeignParams(
        "AUTOMATIC1111 or its kin",
        plain_prompt(prompt),
        plain_prompt(negative.strip().removeprefix(NEGATIVE)),
        read_seed(settings.get("Seed")),
        others + tuple(NETWORK.findall(prompt)),
    )


def from_json(program: str, values: Mapping[str, Any]) -> ForeignParams:
    """The form of programs that write JSON."""
    prompt, negative, seed = (values.get(name) for name in JSON_NAMES[program])
    others = tuple(name for name in values if name not in JSON_NAMES[program])
    return ForeignParams(
        program,
        plain_prompt(prompt) if isinstance(prompt, str) else "",
        plain_prompt(negative) if isinstance(negative, str) else "",
        read_seed(seed),
        others,
    )


def plain_prompt(text: str) -> str:
    """A prompt in one line without what only its own program reads: networks and emphasis."""
    text = NETWORK.sub(" ", text)
    text = EMPHASIS.sub(r"\1", text)
    text = re.sub(r"\\([()\[\]{}])", r"\1", text)
    return " ".join(text.split()).strip(" ,")


def read_seed(value: Any) -> int | None:
    """A seed that is written as digits, or None."""
    text = str(value).strip()
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None


def read_object(text: str) -> dict[str, Any]:
    """A JSON object; empty where the text is none. Some programs write NaN, which is taken."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def decode_comment(value: Any) -> str:
    """The text of EXIF's user comment, whose first eight bytes name its encoding; "" for none."""
    if not isinstance(value, bytes) or len(value) > 2 * MAX_CHARACTERS:
        return value if isinstance(value, str) else ""
    kind, rest = value[:8], value[8:]
    if kind == b"UNICODE\0":
        # In the byte order of the file, of which programs know nothing: theirs is told by zeros.
        order = "utf-16-le" if rest[1:2] == b"\0" else "utf-16-be"
        return rest.decode(order, "replace")
    if kind in (b"ASCII\0\0\0", bytes(8)):
        return rest.decode("utf-8", "replace")
    return ""
