"""Tiny random Stable Diffusion folders, built from configurations: real code, no download."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoImageProcessor,
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipProcessor,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
)


def tiny_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer of single bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(c + "</w>" for c in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77
    )


def tiny_text(
    words: CLIPTokenizer, kind: type = CLIPTextModel, width: int = 64, **options: int
) -> CLIPTextModel:
    """A CLIP text encoder of two layers."""
    return kind(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=width,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=words.bos_token_id,
            pad_token_id=words.pad_token_id,
            **{"eos_token_id": words.eos_token_id} | options,
        )
    )


def tiny_vae(channels: int) -> AutoencoderKL:
    """An autoencoder that halves once."""
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(32, 32),
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )


# The levels of Stable Diffusion XL, with two transformer blocks in each attention of the lowest.
DEEP = {
    "block_out_channels": (32, 32, 64),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 1, 2),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}


def tiny_unet(text_width: int, **options: object) -> UNet2DConditionModel:
    """A UNet of two levels with attention in the lower one."""
    usual = {
        "sample_size": 16,
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "cross_attention_dim": text_width,
        "attention_head_dim": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    return UNet2DConditionModel(**usual | options)


def tiny_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def write_tiny_sd(folder: Path, *, channels: int = 3, seed: int = 0) -> Path:
    """A Stable Diffusion folder that draws noise of 32 x 32 pixels, in well under a second.

    Args:
        channels: 3, as everybody's; 4 for an autoencoder with (straight) alpha.
    """
    torch.manual_seed(seed)
    words = tiny_tokenizer()
    pipeline = StableDiffusionPipeline(
        vae=tiny_vae(channels),
        text_encoder=tiny_text(words),
        tokenizer=words,
        unet=tiny_unet(64),
        scheduler=tiny_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_tiny_sdxl(folder: Path, *, seed: int = 0, deep: bool = False) -> Path:
    """A Stable Diffusion XL folder whose second encoder says 2 for the end of text.

    Args:
        deep: whether the UNet has the levels and layers that the real one has.
    """
    torch.manual_seed(seed)
    words = tiny_tokenizer()
    unet = tiny_unet(
        64 + 32,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 16,
        **(DEEP if deep else {}),
    )
    pipeline = StableDiffusionXLPipeline(
        vae=tiny_vae(3),
        unet=unet,
        scheduler=tiny_scheduler(),
        tokenizer=words,
        tokenizer_2=tiny_tokenizer(),
        text_encoder=tiny_text(words),
        text_encoder_2=tiny_text(
            words, CLIPTextModelWithProjection, 32, projection_dim=16, eos_token_id=2
        ),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_tiny_control(folder: Path, model: Path, *, seed: int = 0, **changes: object) -> Path:
    """A random ControlNet for the UNet of a tiny model, which adds something everywhere.

    Args:
        changes: of its configuration.
    """
    torch.manual_seed(seed)
    unet = UNet2DConditionModel.from_pretrained(model / "unet")
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32))
    if changes:
        control = ControlNetModel.from_config(dict(control.config) | changes)
    outputs = [control.controlnet_cond_embedding.conv_out, control.controlnet_mid_block]
    for block in (*outputs, *control.controlnet_down_blocks):
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    control.save_pretrained(folder)
    return folder


def tiny_vision() -> CLIPVisionConfig:
    """CLIP's vision tower of two layers, 32 pixels."""
    return CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=24,
        image_size=32,
        patch_size=8,
    )


def write_tiny_image_encoder(folder: Path) -> Path:
    """The image encoder of an IP-Adapter."""
    torch.manual_seed(5)
    CLIPVisionModelWithProjection(tiny_vision()).save_pretrained(folder)
    return folder


def tiny_image_adapter(
    model: Path, variant: str, *, seed: int = 0, tokens: int = 0, depth: int = 4
) -> dict[str, torch.Tensor]:
    """Random tensors of an IP-Adapter in the official layout, for a model and `tiny_vision`.

    Args:
        tokens: of a picture; 0 for what official files have.
    """
    config = json.loads((model / "unet" / "config.json").read_text())
    width, sides = config["cross_attention_dim"], {}
    if variant == "base":
        tokens = tokens or 4
        sides = {"proj.weight": (tokens * width, 24), "proj.bias": (tokens * width,)}
        sides |= {f"norm.{part}": (width,) for part in ("weight", "bias")}
    else:
        tokens = tokens or 16
        sides = {"latents": (1, tokens, 40), "proj_in.weight": (40, 32), "proj_in.bias": (40,)}
        sides |= {"proj_out.weight": (width, 40), "proj_out.bias": (width,)}
        sides |= {f"norm_out.{part}": (width,) for part in ("weight", "bias")}
        block = {f"0.norm{n}.{part}": (40,) for n in (1, 2) for part in ("weight", "bias")}
        block |= {"0.to_q.weight": (128, 40), "0.to_kv.weight": (256, 40)}
        block |= {"0.to_out.weight": (40, 128), "1.0.weight": (40,), "1.0.bias": (40,)}
        block |= {"1.1.weight": (160, 40), "1.3.weight": (40, 160)}
        for number in range(depth):
            sides |= {f"layers.{number}.{name}": shape for name, shape in block.items()}
    sides = {f"image_proj.{name}": shape for name, shape in sides.items()}
    unet = UNet2DConditionModel.from_config(config)
    crossing = [name for name in unet.attn_processors if "attn2" in name]
    for index, name in enumerate(crossing):
        keys = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
        for part in "kv":
            sides[f"ip_adapter.{2 * index + 1}.to_{part}_ip.weight"] = (keys, width)
    random = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=random) * (0.5 if len(shape) > 1 else 0.1)
        + ("norm" in name and name.endswith("weight"))
        for name, shape in sides.items()
    }


def write_tiny_image_adapter(path: Path, model: Path, variant: str, **options: int) -> Path:
    """A file of an IP-Adapter; see `tiny_image_adapter`."""
    save_file(tiny_image_adapter(model, variant, **options), path)
    return path


def write_preprocessor(folder: Path, kind: str, side: int) -> None:
    """How pictures are prepared."""
    config = {
        "image_processor_type": kind,
        "size": {"height": side, "width": side},
        "do_center_crop": False,
        "do_resize": True,
    }
    config |= {
        "do_normalize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(config | {"do_convert_rgb": True}))


def write_tiny_clip(folder: Path) -> Path:
    """A CLIP of two layers in each tower."""
    words = tiny_tokenizer()
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=24,
        max_position_embeddings=20,
        eos_token_id=words.eos_token_id,
        bos_token_id=words.bos_token_id,
        pad_token_id=words.pad_token_id,
    )
    CLIPModel(
        CLIPConfig(text_config=text, vision_config=tiny_vision(), projection_dim=24)
    ).save_pretrained(folder)
    words.save_pretrained(folder)
    write_preprocessor(folder, "CLIPImageProcessor", 32)
    return folder


def write_tiny_dinov2(folder: Path) -> Path:
    """A DINOv2 of two layers."""
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        mlp_ratio=2,
    )
    Dinov2Model(config).save_pretrained(folder)
    write_preprocessor(folder, "BitImageProcessor", 28)
    return folder


TEMPLATE = (
    "{% for message in messages %}USER: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endfor %} ASSISTANT:"
)


def write_tiny_llava(folder: Path) -> Path:
    """A LLaVA of two layers that knows a few words."""
    torch.manual_seed(2)
    words = [
        "<unk>",
        "<pad>",
        "<image>",
        "USER",
        "ASSISTANT",
        ":",
        "Does",
        "this",
        "figure",
        "show",
        '"',
        "a",
        "red",
        "cat",
        "dog",
        "?",
        "Please",
        "answer",
        "yes",
        "or",
        "no",
        ".",
        "Yes",
        "No",
    ]
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=["<image>"],
    )
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    config = LlavaConfig(
        vision_config=tiny_vision(), text_config=text, image_token_index=2, vision_feature_layer=-1
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    write_preprocessor(folder, "CLIPImageProcessor", 32)
    images = AutoImageProcessor.from_pretrained(folder)
    LlavaProcessor(
        images,
        fast,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return folder


def write_tiny_blip(folder: Path) -> Path:
    """A BLIP that captions."""
    torch.manual_seed(0)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "[DEC]",
        "a",
        "cat",
        "dog",
        "on",
        "red",
        "ground",
    ]
    small = {
        "hidden_size": 32,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = small | {
        "vocab_size": len(words),
        "encoder_hidden_size": 32,
        "projection_dim": 24,
        "max_position_embeddings": 64,
        "bos_token_id": 5,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "pad_token_id": 0,
        "is_decoder": True,
    }
    vision = small | {"image_size": 32, "patch_size": 8}
    config = BlipConfig(
        text_config=text, vision_config=vision, projection_dim=24, image_text_hidden_size=24
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    write_preprocessor(folder, "BlipImageProcessor", 32)
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    BlipProcessor(AutoImageProcessor.from_pretrained(folder), tokenizer).save_pretrained(folder)
    return folder


def write_tiny_florence(folder: Path) -> Path:
    """A Florence-2 of one layer in each part."""
    torch.manual_seed(0)
    said = (
        "What does the image describe ? Describe in detail what is shown a cat dog on red ground ."
    )
    words = list(dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", "<image>", *said.split()]))
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    text = {
        "model_type": "bart",
        "vocab_size": len(words),
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 40,
        "decoder_ffn_dim": 40,
        "max_position_embeddings": 128,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": 2,
    }
    vision = {
        "embed_dim": (16, 32),
        "depths": (1, 1),
        "num_heads": (2, 2),
        "num_groups": (2, 2),
        "patch_size": (7, 3),
        "patch_stride": (4, 2),
        "patch_padding": (3, 1),
        "patch_prenorm": (False, True),
        "window_size": 4,
        "projection_dim": 32,
        "qkv_bias": True,
        "max_temporal_embeddings": 10,
        "max_position_embeddings": 16,
    }
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=words.index("<image>")
    )
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    write_preprocessor(folder, "CLIPImageProcessor", 32)
    images = AutoImageProcessor.from_pretrained(folder)
    images.image_seq_length = 17
    Florence2Processor(images, fast).save_pretrained(folder)
    return folder


def edit_json(path: Path, **changes: object) -> None:
    """Change values of a JSON file in place."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def as_flow(folder: Path, to: Path) -> Path:
    """A copy of a Stable Diffusion folder that says it follows a flow."""
    shutil.copytree(folder, to)
    FlowMatchEulerDiscreteScheduler(shift=1.0).save_pretrained(to / "scheduler")
    index = to / "model_index.json"
    edit_json(index, scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"])
    return to


def write_tiny_classifier(
    folder: Path, labels: tuple[str, ...], *, problem: str | None = None
) -> Path:
    """An image classifier of two layers."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
        problem_type=problem,
    )
    ViTForImageClassification(config).save_pretrained(folder)
    write_preprocessor(folder, "ViTImageProcessor", 32)
    return folder


def write_tiny_language_model(folder: Path, *, template: str | None = None) -> Path:
    """A language model of two layers that writes a few words."""
    torch.manual_seed(1)
    words = ["<unk>", "<pad>", "</s>", *"a red cat dog small happy on the beach in rain".split()]
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="</s>",
        chat_template=template,
    ).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        eos_token_id=2,
        bos_token_id=None,
        pad_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
