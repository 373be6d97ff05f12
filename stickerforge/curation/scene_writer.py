"""Terse prompts made into short scenes by a language model, where what it writes can be used."""

import re
from dataclasses import replace

from stickerforge.data.prompt_bank import BankPrompt, Reword
from stickerforge.models.language_model import LanguageModel

EXAMPLES = (
    ("a proud penguin", "a small penguin with a puffed-out chest, one flipper on its hip"),
    ("a mug next to a cactus", "a steaming blue mug beside a round cactus in a clay pot"),
    ("a robot watering flowers", "a rusty little robot tipping a watering can over red tulips"),
    ("a very bored cat", "a grey cat lying flat on its belly, chin on the floor, eyes half shut"),
)
TASK = (
    "Rewrite each sticker idea as one short scene that can be drawn: what it shows, and how it"
    " looks. At most twenty words, one line, no names of artists or brands.\n\n"
)
MAX_TOKENS, MAX_WORDS = 48, 40
REFUSAL = re.compile(
    r"\b(?:i(?:'m| am)? (?:sorry|cannot|can't|can not|unable)|as an ai|language model)\b", re.I
)
LABEL = re.compile(r"^(?:scene|rewrite|answer|output|sticker|idea)\s*:\s*", re.I)


def write_scene(
    prompt: BankPrompt,
    model: LanguageModel,
    reword: Reword | None,
    *,
    temperature: float,
    seed: int,
) -> BankPrompt:
    """The prompt as a scene; as it stands where the model writes nothing that can be used.

    Args:
        reword: says a text in the words of the model that draws; None where any will do.

    Raises:
        InputError: the language model fails.
        EnvironmentFault: out of memory.
    """
    shown = "".join(f"Idea: {idea}\nScene: {scene}\n\n" for idea, scene in EXAMPLES)
    question = f"{TASK}{shown}Idea: {prompt.text}\nScene:"
    answer = model.complete(question, MAX_TOKENS, temperature=temperature, seed=seed)
    scene = clean_scene(answer)
    if scene and reword is not None:
        scene = reword(scene, 1)
    return replace(prompt, text=scene) if scene else prompt


def clean_scene(answer: str) -> str:
    """The first line of an answer as a prompt; "" where it is none."""
    answer = answer.replace("’", "'")
    lines = [line.strip() for line in answer.splitlines()]
    line = next((line for line in lines if line), "")
    line = LABEL.sub("", line)
    line = "".join(character for character in line if character.isprintable())
    line = re.sub(r"[<>\"“”*#`_{}\[\]|\\]", "", " ".join(line.split())).strip(" .,;:'-")
    words = re.findall(r"[^\W\d_]{2,}", line)
    if REFUSAL.search(line) or len(words) < 2 or len(line.split()) > MAX_WORDS:
        return ""
    return line
