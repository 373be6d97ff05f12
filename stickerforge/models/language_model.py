"""A language model of transformers on a user's weights: it goes on with a text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from stickerforge.errors import InputError
from stickerforge.models.picture_safety import model_folder
from stickerforge.models.pretrained import load_pretrained
from stickerforge.models.weights import LOAD_ERRORS, load_complete, load_faults
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.seeds import derive_seed

WHAT = "language model"
PATTERNS = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")


class LanguageModel:
    """A causal language model, with or without a chat template. No code of its folder is run.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: out of memory.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.name, self.device = folder.resolve().name, device
        with load_faults(folder, "a language model of transformers"):
            self.tokenizer: Any = load_pretrained(AutoTokenizer, folder)
            self.model: Any = load_complete(AutoModelForCausalLM, folder).to(device).eval()
            self.complete("a cat", 1)  # fails now if ever

    @torch.inference_mode()
    def complete(self, text: str, tokens: int, *, temperature: float = 0.0, seed: int = 0) -> str:
        """What follows a text, or answers it where the model was made for talking.

        Args:
            tokens: that it writes at most.
            temperature: 0 takes the likeliest ones; else they are drawn by the seed.

        Raises:
            InputError: the model fails on the text.
            EnvironmentFault: out of memory.
        """
        try:
            inputs = self.encode(text).to(self.device)
            sampling = {"do_sample": True, "temperature": temperature} if temperature else {}
            with torch.random.fork_rng(enabled=temperature > 0):
                torch.manual_seed(derive_seed(seed, text))
                output = self.model.generate(
                    **inputs,
                    max_new_tokens=tokens,
                    pad_token_id=self.tokenizer.pad_token_id or self.model.config.eos_token_id,
                    **(sampling or {"do_sample": False, "num_beams": 1}),
                )[0]
        except LOAD_ERRORS as error:
            if memory := memory_fault(error, "use a smaller language model, or --device cpu"):
                raise memory from error
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise InputError(
                f"the language model {self.name} fails: {reason}", "use another one"
            ) from None
        new = output[inputs["input_ids"].shape[1] :]
        return str(self.tokenizer.decode(new, skip_special_tokens=True))

    def encode(self, text: str) -> Any:
        """A text as the model's tokens."""
        if getattr(self.tokenizer, "chat_template", None):
            return self.tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        return self.tokenizer(text, return_tensors="pt")


def load_language_model(
    place: str,
    *,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> LanguageModel:
    """A language model in a folder, or by owner/name of the hub.

    Raises:
        InputError: there is nothing of the kind.
        EnvironmentFault: it is real but cannot be had here.
    """
    folder = model_folder(place, WHAT, PATTERNS, offline=offline, say=say)
    return LanguageModel(folder, resolve_device(device))
