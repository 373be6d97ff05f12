"""What a file holds that is given for a LoRA and is none, and which models a LoRA may be for."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from stickerforge.errors import InputError

LORA_ONLY = "only LoRA can be used: ask its author for a LoRA of it"
NOT_AS_ADAPTER = "it cannot be used as --adapter"
EMBEDDING = "an embedding (textual inversion) and no LoRA"
# Regular expressions for a key, the first that is found says what the file holds; and what to do.
FOUND = (
    (r"hada_w[12]", "LoHa (LyCORIS)", LORA_ONLY),
    (r"lokr_w[12]|lokr_t2", "LoKr (LyCORIS)", LORA_ONLY),
    (r"dora_scale|lora_magnitude_vector", "DoRA", LORA_ONLY),
    (r"boft_|\boft_|\.oft_|oft_blocks|oft_diag", "OFT", LORA_ONLY),
    (r"\.(a1|a2|b1|b2|bm1|bm2)\.weight$", "GLoRA (LyCORIS)", LORA_ONLY),
    (r"lora_mid\.|\.lora_t[12]", "LoCon with a Tucker core (LyCORIS)", LORA_ONLY),
    (r"ia3_l|\.on_input$", "IA3", LORA_ONLY),
    (r"\.(diff|diff_b|set_weight|w_norm|b_norm)$", "differences of whole weights", LORA_ONLY),
    (r"custom_diffusion", "Custom Diffusion", LORA_ONLY),
    (r"lora_embedding_[AB]|lora_[AB]\.bias|lora_B\.\w+\.bias", "LoRA with biases", LORA_ONLY),
    (r"modules_to_save", "whole layers beside LoRA (peft's modules_to_save)", LORA_ONLY),
    (
        r"^bundle_emb\.",
        "a bundle of LoRA and embeddings",
        "take the embeddings out: the keys that begin with bundle_emb",
    ),
    (r"^(emb_params|string_to_(param|token)|clip_[lgh]|t5(xxl)?|<.*>)(\.|$)", EMBEDDING, ""),
    (r"lora_controlnet", "a Control-LoRA", NOT_AS_ADAPTER),
    (r"^(image_proj|ip_adapter|unet\.ip_adapter)\b", "an IP-Adapter", NOT_AS_ADAPTER),
    (
        r"^(control_model|controlnet|input_hint_block)",
        "a ControlNet",
        NOT_AS_ADAPTER,
    ),
    (
        r"^(model\.diffusion_model|first_stage_model|cond_stage_model|conditioner|model_ema)\.",
        "a whole model",
        "convert it to a folder of diffusers and give that as --model",
    ),
    (
        r"(^|\.)(down_blocks|up_blocks|mid_block|(single_)?transformer_blocks|double_blocks"
        r"|time_embedding|text_model|vision_model|encoder|decoder|conv_in|x_embedder)\.",
        "the weights of a whole network",
        "give the folder of the whole model as --model",
    ),
)
# Regular expressions for a layer's name, and the models that have such layers.
BASES = (
    (r"(double|single)_blocks|single_transformer_blocks", "FLUX"),
    (r"joint_blocks|joint_transformer_blocks", "Stable Diffusion 3"),
    (r"(input|output)_blocks_\d", "Stable Diffusion XL"),
    (r"^(unet\.)?(transformer|diffusion_model)\b", "a model with a transformer"),
    (r"^(text_encoder_2\b|lora_te2_)", "Stable Diffusion XL"),
)
TEXT_WIDTHS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
READS_TEXT = re.compile(r"attn2[._]to_[kv]$")  # layers whose input is the encoded prompt


def refusal(path: Path, keys: Iterable[str]) -> InputError:
    """The error for a file with keys that are no part of a LoRA, which names what they are."""
    keys = list(keys)
    for pattern, found, hint in FOUND:
        if any(re.search(pattern, key) for key in keys):
            return InputError(f"{path} holds {found}", hint or "give a LoRA file")
    return InputError(
        f"{path} holds {keys[0][:80]!r}, which is no part of a LoRA", "give a LoRA file"
    )


def made_for(inputs: Mapping[str, int]) -> str:
    """The models that a LoRA may have been made for; "" where nothing tells.

    Args:
        inputs: {layer: its number of inputs}.
    """
    for pattern, base in BASES:
        if any(re.search(pattern, layer) for layer in inputs):
            return base
    widths = {count for layer, count in inputs.items() if READS_TEXT.search(layer)}
    return next((TEXT_WIDTHS[width] for width in widths if width in TEXT_WIDTHS), "")
