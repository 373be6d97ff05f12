"""Every architecture that can be used, by the pipeline that its folders name. Imports no torch."""

from dataclasses import replace
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.models.card import MODEL_INDEX, pipeline_class, read_json
from stickerforge.models.families.base import FamilySpec, Layers, SamplingDefaults, TrainingDefaults


def unet_native_pixels(folder: Path) -> int:
    """The side in pixels of the latents that a UNet was configured for."""
    latents = int(read_json(folder / "unet" / "config.json").get("sample_size") or 64)
    return latents << halvings(folder / "vae")


def unet_multiple(folder: Path) -> int:
    """What a side must be a multiple of to survive every halving by autoencoder and UNet."""
    return 1 << (halvings(folder / "vae") + halvings(folder / "unet"))


def halvings(part: Path) -> int:
    """How often a convolutional network halves its input, by its configuration."""
    return len(read_json(part / "config.json").get("block_out_channels", [0])) - 1


def unet_positions(pixels: int) -> float:
    """Positions of the latents that an average weight of a UNet works on."""
    return (pixels / 8) ** 2 * 0.55


ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # as in the paper of DCO
UNET_LORA_TARGETS: dict[Layers, tuple[str, ...]] = {
    "attention": ATTENTION,
    # what shapes an image is in the convolutions of small denoisers, and in how time steers them
    "all": (*ATTENTION, "conv1", "conv2", "time_emb_proj"),
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
)
FAMILIES = {spec.pipeline: spec for spec in (STABLE_DIFFUSION, STABLE_DIFFUSION_XL)}


def family_spec(folder: Path) -> FamilySpec:
    """The architecture of a model folder.

    Raises:
        InputError: the folder names none, or one that cannot be used.
    """
    pipeline = pipeline_class(folder)
    if pipeline not in FAMILIES:
        raise InputError(
            f"{folder} holds a {pipeline or 'nameless pipeline'}",
            f"{' and '.join(FAMILIES)} folders work as yet",
        )
    return FAMILIES[pipeline]


def pipeline_files() -> tuple[str, ...]:
    """Patterns of the files that any architecture needs: safetensors of the known parts only."""
    parts = dict.fromkeys(part for spec in FAMILIES.values() for part in spec.parts)
    return (
        MODEL_INDEX,
        *(f"{part}/*.{kind}" for part in parts for kind in ("json", "txt", "safetensors")),
    )
