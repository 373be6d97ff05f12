"""What says in words what a picture shows: the embedded captioner, or an image-text model of transformers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from stickerforge.captioning.captioner import LONGEST, CaptionRequest, Form
from stickerforge.errors import InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.encoders import LOAD_ERRORS, load_complete, load_faults
from stickerforge.models.judge.model import on_ground
from stickerforge.runtime.device import memory_fault

WANTED = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
SUBJECT_QUESTIONS: dict[Form, str] = {
    "short": "Describe the {} in this picture in at most eight words.",
    "long": "Describe this picture in one sentence: the {}, its pose or the shot, the background, and the style of the picture. "
    "Name the {} once. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, the first of them {}.",
}
OPEN_QUESTIONS: dict[Form, str] = {  # where nobody has said what is shown
    "short": "Describe this picture in at most eight words.",
    "long": "Describe this picture in one sentence: what it shows, the shot, the background, and its style. Say only what can be seen.",
    "tags": "List at most eight keywords for this picture, separated by commas, the main thing first.",
}
FLORENCE_TASKS: dict[Form, str] = {
    "short": "<CAPTION>",
    "long": "<DETAILED_CAPTION>",
    "tags": "<CAPTION>",
}
MAX_NEW_TOKENS: dict[Form, int] = {"short": 24, "long": 96, "tags": 48}  # tokens
OPENINGS = re.compile(
    r"^(?:(?:sure|certainly|of course)[^.:!]*[.:!]\s*)?"
    r"(?:in (?:this|the) (?:image|picture|photo|photograph)s?,?\s+(?:(?:we can see|there is|there are|you see)\s+)?"
    r"|(?:this|the|these) (?:image|picture|photo|photograph)s?\s+"
    r"(?:shows?|depicts?|features?|contains?|displays?|captures?|presents?|portrays?|is of|are of|is|are)\s+)",
    re.IGNORECASE,
)


class ImageTextCaptioner:
    """An image-text model of transformers: one with a chat template, BLIP, or Florence-2; no code of its folder is ever run."""

    def __init__(self, name: str, folder: Path, device: torch.device) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.name, self.device, self.digest = (
            name,
            device,
            files_fingerprint(sorted(folder.glob("*.*"))),
        )
        with load_faults(folder, "an image-text model that transformers knows"):
            self.processor: Any = AutoProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self.model: Any = load_complete(AutoModelForImageTextToText, folder).to(device).eval()
            self.kind = (
                "chat"
                if getattr(self.processor, "chat_template", None)
                else str(self.model.config.model_type)
            )
            self.said(Image.new("RGB", (64, 64)), "thing", "short")

    def captions(
        self, pictures: Sequence[Image.Image], which: Sequence[int], asked: CaptionRequest
    ) -> Iterator[str | InputError]:
        """See Captioner.

        Raises:
            EnvironmentFault: out of memory.
        """
        for index in which:
            asked.check()
            try:
                yield clean_caption(self.said(pictures[index], asked.words, asked.form), asked.form)
            except LOAD_ERRORS as error:
                if memory := memory_fault(error, "use a smaller captioner, or --device cpu"):
                    raise memory from error
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
                yield InputError(f"{self.name} fails on it: {reason}", "use another --captioner")

    @torch.inference_mode()
    def said(self, picture: Image.Image, words: str, form: Form) -> str:
        """What the model says, as it says it."""
        image = on_ground(picture, (255, 255, 255))
        if self.kind == "chat":
            question = (
                SUBJECT_QUESTIONS[form].replace("{}", words) if words else OPEN_QUESTIONS[form]
            )
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
        made = self.model.generate(
            **inputs.to(self.device),
            do_sample=False,
            num_beams=1,
            max_new_tokens=MAX_NEW_TOKENS[form],
        )
        answer = made[0, inputs["input_ids"].shape[1] :] if self.kind == "chat" else made[0]
        return str(self.processor.tokenizer.decode(answer, skip_special_tokens=True))


def clean_caption(text: str, form: Form) -> str:
    """One line without openings, quotes, brackets, unprintable signs and half sentences."""
    line = "".join(
        sign for sign in re.sub(r"[<>\"“”*#`]", "", " ".join(text.split())) if sign.isprintable()
    )
    line = OPENINGS.sub("", line.strip(" '"))
    if form != "tags" and ". " in line:  # what comes after the first sentences may be cut short
        whole = re.findall(r".*?[.!?](?=\s|$)", line)
        line = "".join(whole if form == "long" else whole[:1]) or line
    return " ".join(line.split()).strip(" .,'")[:LONGEST]
