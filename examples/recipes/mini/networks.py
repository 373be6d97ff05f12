"""The architectures of sticker-mini: noise schedule, denoiser, text encoder."""

from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from examples.recipes.mini.settings import LATENT_CHANNELS, PIXELS
from examples.recipes.mini.tokenizer import TEXT_LENGTH

TEXT_WIDTH = 192  # a multiple of 64, which image prompts need


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule, rescaled to end in pure noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


def build_unet() -> UNet2DConditionModel:
    """Few channels at 16 x 16, where a CPU is slow; attention from 8 x 8 down. 9.3 million weights.

    The pooled text joins the timestep and so scales and shifts every residual block. With attention
    to the words alone, nothing at 16 x 16 knew the style, and after 265,000 pictures half of the
    styles were wrong.
    """
    return UNet2DConditionModel(
        sample_size=PIXELS // 8,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 128, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(2, 4, 5),  # in this class: the number of heads, each 32 wide
        norm_num_groups=32,
        addition_embed_type="text",
        addition_embed_type_num_heads=TEXT_WIDTH // 64,
        resnet_time_scale_shift="scale_shift",
    )


def build_text_encoder(words: CLIPTokenizer) -> CLIPTextModel:
    """A CLIP text encoder of three layers over our own tokens."""
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=TEXT_WIDTH // 64,
        max_position_embeddings=TEXT_LENGTH,
        hidden_act="quick_gelu",
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return CLIPTextModel(config)


def muon_groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(inner matrices, what AdamW does better: embeddings, outer layers, norms, biases)."""
    outer = ("token_embedding", "position_embedding", "conv_in", "conv_out")
    inner = [
        p
        for name, p in model.named_parameters()
        if p.ndim > 1 and not any(part in name for part in outer)
    ]
    inner_ids = set(map(id, inner))
    return inner, [p for p in model.parameters() if id(p) not in inner_ids]
