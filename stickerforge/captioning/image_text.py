"""Captions by an image-text model of transformers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from stickerforge.captioning.captioner import CaptionRequest, Form
from stickerforge.data.captions import MAX_CHARACTERS
from stickerforge.errors import InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.judge.model import on_ground
from stickerforge.models.pretrained import load_pretrained
from stickerforge.models.weights import LOAD_ERRORS, load_complete, load_faults
from stickerforge.runtime.device import memory_fault
from stickerforge.sampling.prompt_segments import sentences
from stickerforge.stickers.color import WHITE

MODEL_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
SUBJECT_QUESTIONS: dict[Form, str] = {
    "short": "Describe the {} in this picture in at most eight words.",
    "long": "Describe this picture in one sentence: the {}, its pose or the shot, "
    "the background, and the style of the picture. "
    "Name the {} once. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, "
    "the first of them {}.",
}
OPEN_QUESTIONS: dict[Form, str] = {  # where pictures show different things
    "short": "Describe this picture in at most eight words.",
    "long": "Describe this picture in one sentence: what it shows, the shot, the background, "
    "and its style. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, "
    "the main thing first.",
}
FLORENCE_TASKS: dict[Form, str] = {
    "short": "<CAPTION>",
    "long": "<DETAILED_CAPTION>",
    "tags": "<CAPTION>",
}
MAX_NEW_TOKENS: dict[Form, int] = {"short": 24, "long": 96, "tags": 48}
OPENINGS = re.compile(
    r"^(?:(?:sure|certainly|of course)[^.:!]*[.:!]\s*)?"
    r"(?:in (?:this|the) (?:image|picture|photo|photograph)s?,?\s+"
    r"(?:(?:we can see|there is|there are|you see)\s+)?"
    r"|(?:this|the|these) (?:image|picture|photo|photograph)s?\s+"
    r"(?:shows?|depicts?|features?|contains?|displays?|captures?|presents?|portrays?"
    r"|is of|are of|is|are)\s+)",
    re.IGNORECASE,
)
WHOLE = re.compile(r"[.!?…。！？।۔؟]\W*$")  # a sentence that has its end


class ImageTextCaptioner:
    """An image-text model of transformers: one with a chat template, BLIP, or Florence-2.

    No code of its folder is ever run.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: out of memory, or a package is missing.
    """

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        # The embedded captioner does without transformers, which takes seconds to import.
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.name, self.device = name, device
        self.digest = files_fingerprint(sorted(folder.glob("*.*")))
        with load_faults(folder, "an image-text model that transformers knows"):
            self.processor: Any = load_pretrained(AutoProcessor, folder)
            self.model: Any = load_complete(AutoModelForImageTextToText, folder).to(device).eval()
            has_template = getattr(self.processor, "chat_template", None)
            self.kind = "chat" if has_template else str(self.model.config.model_type)
            self.answer(Image.new("RGB", (64, 64)), "thing", "short")  # fails now if ever

    def captions(
        self, pictures: Sequence[Image.Image], indices: Sequence[int], request: CaptionRequest
    ) -> Iterator[str | InputError]:
        """See Captioner.

        Raises:
            EnvironmentFault: out of memory.
        """
        for index in indices:
            request.check()
            try:
                answer = self.answer(pictures[index], request.class_words, request.form)
                yield clean_caption(answer, request.form)
            except InputError as error:  # the picture has gone or changed
                yield error
            except LOAD_ERRORS as error:
                if memory := memory_fault(error, "use a smaller captioner, or --device cpu"):
                    raise memory from error
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
                yield InputError(f"{self.name} fails on it: {reason}", "use another --captioner")

    @torch.inference_mode()
    def answer(self, picture: Image.Image, class_words: str, form: Form) -> str:
        """The model's own words for a picture on white.

        Args:
            class_words: what the picture shows; "" where nobody has said.
        """
        image = on_ground(picture, WHITE)
        if self.kind == "chat":
            questions = SUBJECT_QUESTIONS if class_words else OPEN_QUESTIONS
            question = questions[form].replace("{}", class_words)
            content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
            inputs = self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        elif self.kind == "florence2":
            inputs = self.processor(images=image, text=FLORENCE_TASKS[form], return_tensors="pt")
        else:
            inputs = self.processor(images=image, return_tensors="pt")
        tokens = self.model.generate(
            **inputs.to(self.device),
            do_sample=False,
            num_beams=1,
            max_new_tokens=MAX_NEW_TOKENS[form],
        )[0]
        if self.kind == "chat":  # the question stands before the answer
            tokens = tokens[inputs["input_ids"].shape[1] :]
        return str(self.processor.tokenizer.decode(tokens, skip_special_tokens=True))


def clean_caption(text: str, form: Form) -> str:
    """One line without openings, quotes, brackets, unprintable characters and half sentences."""
    line = re.sub(r"[<>\"“”*#`]", "", " ".join(text.split()))
    line = "".join(character for character in line if character.isprintable())
    line = OPENINGS.sub("", line.strip(" '"))
    if form != "tags":
        line = whole_sentences(line, all_of_them=form == "long")
    return " ".join(line.split()).strip(" .,'")[:MAX_CHARACTERS]


def whole_sentences(line: str, *, all_of_them: bool) -> str:
    """The first sentence of a text, or all of them: what comes after the last may be cut short.

    A text that has none is left as it stands.
    """
    ends, end = list[int](), 0
    for part in sentences(line):
        end = line.index(part, end) + len(part)
        if WHOLE.search(part):
            ends.append(end)
    return line[: ends[-1 if all_of_them else 0]] if ends else line
