"""Stable Diffusion 1.5 and XL of a share of their width, with random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


def byte_tokenizer() -> CLIPTokenizer:
    """CLIP's, over single bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(sign + "</w>" for sign in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77
    )


def random_text_encoder(
    words: CLIPTokenizer, kind: Any, width: int, layers: int, **options: int
) -> Any:
    """A CLIP text tower with random weights."""
    return kind(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
            **options,
        )
    )


def write_random_model(
    kind: str, share: float, pixels: int, folder: Path, dtype: torch.dtype = torch.float32
) -> Path:
    """A Stable Diffusion 1.5 or XL of a share of its width, in diffusers format."""
    torch.manual_seed(0)
    words, wide = byte_tokenizer(), lambda channels: max(64, int(channels * share) // 64 * 64)
    vae = AutoencoderKL(
        block_out_channels=tuple(max(32, int(c * share) // 32 * 32) for c in (128, 256, 512, 512)),
        layers_per_block=2,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=pixels,
    )
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    first, rest = wide(768), {"vae": vae, "scheduler": scheduler, "tokenizer": words}
    if kind == "sd":
        unet = UNet2DConditionModel(
            sample_size=pixels // 8,
            cross_attention_dim=first,
            attention_head_dim=8,
            block_out_channels=tuple(map(wide, (320, 640, 1280, 1280))),
        )
        pipeline: Any = StableDiffusionPipeline(
            unet=unet,
            text_encoder=random_text_encoder(words, CLIPTextModel, first, 12),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **rest,
        )
    else:
        second = wide(1280)
        channels = tuple(map(wide, (320, 640, 1280)))
        unet = UNet2DConditionModel(
            sample_size=pixels // 8,
            cross_attention_dim=first + second,
            block_out_channels=channels,
            addition_embed_type="text_time",
            attention_head_dim=tuple(c // 64 for c in channels),
            transformer_layers_per_block=(1, 2, 10),
            addition_time_embed_dim=256,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            use_linear_projection=True,
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            projection_class_embeddings_input_dim=6 * 256 + second,
        )
        pipeline = StableDiffusionXLPipeline(
            unet=unet,
            text_encoder=random_text_encoder(words, CLIPTextModel, first, 12),
            tokenizer_2=byte_tokenizer(),
            text_encoder_2=random_text_encoder(
                words, CLIPTextModelWithProjection, second, 32, projection_dim=second
            ),
            **rest,
        )
    pipeline.to(dtype).save_pretrained(folder, safe_serialization=True)
    return folder
