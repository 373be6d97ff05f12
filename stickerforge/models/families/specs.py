"""Every architecture that can be used, by the pipeline that its folders name. Imports no torch."""

from dataclasses import replace
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.models.card import MODEL_INDEX, pipeline_class
from stickerforge.models.families.base import FamilySpec, Layers, SamplingDefaults, TrainingDefaults
from stickerforge.models.network_config import CONFIG, read_network_config
from stickerforge.models.origin import broken_model


def unet_native_pixels(folder: Path) -> int:
    """The side in pixels of the latents that a UNet was configured for.

    Raises:
        InputError: no memory would do for it.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    latents = read_network_config(folder / "unet").side or 64
    pixels = latents << read_network_config(folder / "vae").halvings
    if pixels > MAX_PIXELS:
        path = folder / "unet" / CONFIG
        what = f"{path} is for pictures of {pixels} pixels a side, and at most {MAX_PIXELS} can be"
        raise broken_model(path, what, "mend its sample_size")
    return pixels


def unet_multiple(folder: Path) -> int:
    """What a side must be a multiple of to survive every halving by autoencoder and UNet."""
    return 1 << sum(read_network_config(folder / part).halvings for part in ("vae", "unet"))


def unet_positions(pixels: int) -> float:
    """Positions of the latents that an average weight of a UNet works on."""
    return (pixels / 8) ** 2 * 0.55


MAX_PIXELS = 2048  # a side, as `sampling.pixels` allows
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # as in the paper of DCO
UNET_LORA_TARGETS: dict[Layers, tuple[str, ...]] = {
    "attention": ATTENTION,
    # what shapes an image is in the convolutions of small denoisers, and in how time steers them
    "all": (*ATTENTION, "conv1", "conv2", "time_emb_proj"),
    # as in LongAlign (arXiv:2410.11817): everything in the blocks of convolutions and attention
    "blocks": (
        *(*ATTENTION, "ff.net.0.proj", "ff.net.2"),
        *("conv1", "conv2", "conv_shortcut", "time_emb_proj"),
    ),
}
CLIP_LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")
KOHYA_PREFIXES = {
    "lora_unet_": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
}
# How the original code of SDXL names its layers, which kohya's files keep.
KOHYA_SDXL = {
    r"unet\.(input_blocks|middle_block|output_blocks)_": (
        "kohya's files for SDXL cannot be read as yet"
    )
}
CLIP_TOKENS = 75  # between the start and the end of the text

# Direct Consistency Optimization (arXiv:2402.12004), Section 5; 5e-4 for embeddings in its
# appendix.
DCO_DEFAULTS = {
    "subject": TrainingDefaults(
        steps=1000,
        batch=1,
        layers="attention",
        lr=5e-5,
        beta=1000.0,
        rank=32,
        token_lr=5e-4,
        offset_noise=0.0,
    ),
    "style": TrainingDefaults(
        steps=1000,
        batch=1,
        layers="attention",
        lr=5e-5,
        beta=1000.0,
        rank=64,
        token_lr=0.0,
        offset_noise=0.1,
    ),
}

STABLE_DIFFUSION = FamilySpec(
    pipeline="StableDiffusionPipeline",
    title="Stable Diffusion 1.x, 2.x",
    about="a Stable Diffusion folder",
    model="stable_diffusion.StableDiffusion",
    parts=("unet", "text_encoder", "tokenizer", "vae", "scheduler"),
    denoiser="unet",
    text_encoders=("text_encoder",),
    weight_parts=("unet", "vae", "text_encoder"),
    text_tokens=CLIP_TOKENS,
    lora_targets=UNET_LORA_TARGETS,
    text_lora_targets=CLIP_LORA_TARGETS,
    key_prefixes=KOHYA_PREFIXES,
    unsupported_layers=KOHYA_SDXL,
    native_pixels=unet_native_pixels,
    multiple=unet_multiple,
    positions=unet_positions,
    sampling=SamplingDefaults(steps=25, guidance=7.5, guidance_rescale=0.0),
    training=DCO_DEFAULTS,
)
STABLE_DIFFUSION_XL = replace(
    STABLE_DIFFUSION,
    pipeline="StableDiffusionXLPipeline",
    title="XL",
    model="sdxl.StableDiffusionXL",
    parts=(*STABLE_DIFFUSION.parts, "text_encoder_2", "tokenizer_2"),
    text_encoders=("text_encoder", "text_encoder_2"),
    weight_parts=(*STABLE_DIFFUSION.weight_parts, "text_encoder_2"),
    image_prompt_blocks={
        "style": "up_blocks.0.attentions.1",
        "layout": "down_blocks.2.attentions.1",
    },
)
FAMILIES = {spec.pipeline: spec for spec in (STABLE_DIFFUSION, STABLE_DIFFUSION_XL)}


# Architectures that are not supported yet, as people call them, by the beginning of the class that
# their folders name; the longer beginnings first.
UNSUPPORTED = {
    "AuraFlow": "AuraFlow",
    "Chroma": "Chroma",
    "CogView": "CogView",
    "Flux2": "FLUX.2",
    "Flux": "FLUX.1",
    "HiDream": "HiDream",
    "HunyuanDiT": "Hunyuan-DiT",
    "HunyuanImage": "HunyuanImage",
    "IF": "DeepFloyd IF",
    "Kandinsky": "Kandinsky",
    "LatentConsistencyModel": "latent consistency",
    "Lumina": "Lumina",
    "OmniGen": "OmniGen",
    "PRX": "PRX",
    "PixArt": "PixArt",
    "QwenImage": "Qwen-Image",
    "Sana": "Sana",
    "StableCascade": "Stable Cascade",
    "StableDiffusion3": "Stable Diffusion 3",
    "StableDiffusionXL": "Stable Diffusion XL for another task",
    "StableDiffusion": "Stable Diffusion for another task",
    "Wan": "Wan",
    "Wuerstchen": "Würstchen",
    "ZImage": "Z-Image",
}


def family_spec(folder: Path) -> FamilySpec:
    """The architecture of a model folder.

    Raises:
        InputError: the folder names none, or one that cannot be used.
        EnvironmentFault: its index is broken in what was fetched or installed.
    """
    pipeline = pipeline_class(folder)
    if pipeline not in FAMILIES:
        raise unsupported_architecture(str(folder), pipeline)
    return FAMILIES[pipeline]


def unsupported_architecture(source: str, pipeline: str) -> InputError:
    """The error of a model that is whole, but cannot be used, with the name of what it is.

    Args:
        source: its folder, or its name on the hub.
        pipeline: the class that its model_index.json names; "" for none.
    """
    supported = f"give one of {' and '.join(FAMILIES)}"
    if not pipeline:
        return InputError(f"{source}/{MODEL_INDEX} names no architecture", supported)
    name = next((name for start, name in UNSUPPORTED.items() if pipeline.startswith(start)), "")
    what = f"{name} ({pipeline[:60]})" if name else pipeline[:60]
    return InputError(
        f"{source} holds {what}, an architecture that is not supported yet", supported
    )


def pipeline_files() -> tuple[str, ...]:
    """Patterns of the files that any architecture needs: safetensors of the known parts only."""
    parts = dict.fromkeys(part for spec in FAMILIES.values() for part in spec.parts)
    return (
        MODEL_INDEX,
        *(f"{part}/*.{kind}" for part in parts for kind in ("json", "txt", "safetensors")),
    )
