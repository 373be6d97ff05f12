"""Adapter files: written and read back, those of others, and broken ones."""

import json
import time
import tracemalloc

import pytest
import torch
from safetensors.torch import save_file

from stickerforge.adapters.header import read_file
from stickerforge.adapters.lora_format import encode, parse
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.errors import InputError
from stickerforge.models.families.specs import STABLE_DIFFUSION

LAYER = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def read(path):
    return parse(read_file(path))


def pair(rank=2, outputs=4, inputs=3):
    random = torch.Generator().manual_seed(rank)
    return torch.randn((rank, inputs), generator=random), torch.randn(
        (outputs, rank), generator=random
    )


def test_what_is_encoded_reads_back(tmp_path):
    down, up = pair()
    weights = AdapterWeights(
        {LAYER: LoraWeights(down, up, 1.5)},
        {"<dog>": {"clip_l": torch.arange(5.0), "clip_g": torch.ones(3)}},
    )
    (tmp_path / "a.safetensors").write_bytes(encode(weights))
    back = read(tmp_path / "a.safetensors")
    assert back.lora[LAYER].alpha == 1.5
    assert torch.equal(back.lora[LAYER].down, down) and torch.equal(back.lora[LAYER].up, up)
    assert torch.equal(back.tokens["<dog>"]["clip_l"], torch.arange(5.0)) and set(
        back.tokens["<dog>"]
    ) == {"clip_l", "clip_g"}


def test_other_peoples_layouts(tmp_path):
    down, up = pair(4)
    path = tmp_path / "b.safetensors"
    module = LAYER.removeprefix("unet.")
    layouts = {
        "diffusers": (
            {f"{LAYER}.lora.down.weight": down, f"{LAYER}.lora.up.weight": up},
            LAYER,
            4.0,
        ),
        "peft": (
            {
                f"base_model.model.{module}.lora_A.weight": down,
                f"base_model.model.{module}.lora_B.weight": up,
            },
            LAYER,
            4.0,
        ),
        "kohya": (
            {
                f"lora_unet_{module.replace('.', '_')}.lora_down.weight": down,
                f"lora_unet_{module.replace('.', '_')}.lora_up.weight": up,
                f"lora_unet_{module.replace('.', '_')}.alpha": torch.tensor(1.0),
            },
            "unet." + module.replace(".", "_"),
            1.0,
        ),
    }
    for name, (tensors, layer, alpha) in layouts.items():
        save_file(tensors, path)
        found = read(path).lora
        (key,) = found
        assert STABLE_DIFFUSION.layer_name(key) == layer and found[key].alpha == alpha, name
        assert torch.equal(found[key].down, down) and torch.equal(found[key].up, up)


def test_diffusers_says_alpha_in_its_metadata(tmp_path):
    down, up = pair(4)
    said = {
        "unet.lora_alpha": 8,
        "unet.r": 4,
        "unet.alpha_pattern": {"mid_block.attentions.0.transformer_blocks.0.attn1.to_k": 2},
    }
    other = LAYER.replace("to_q", "to_k")
    tensors = {f"{layer}.lora_A.weight": down.clone() for layer in (LAYER, other)} | {
        f"{layer}.lora_B.weight": up.clone() for layer in (LAYER, other)
    }
    save_file(tensors, tmp_path / "c.safetensors", {"lora_adapter_metadata": json.dumps(said)})
    found = read(tmp_path / "c.safetensors").lora
    assert (found[LAYER].alpha, found[other].alpha) == (8.0, 2.0)


def broken(tmp_path, kind):
    path = tmp_path / f"{kind}.safetensors"
    down, up = pair()
    keys = (f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight")
    tensors = {
        "nan": dict(zip(keys, (down * float("nan"), up), strict=True)),
        "inf": dict(zip(keys, (down, up / 0), strict=True)),
        "int8": dict(zip(keys, (down.to(torch.int8), up.to(torch.int8)), strict=True)),
        "rank": dict(zip(keys, pair(5000), strict=True)),
        "alone": {keys[0]: down},
        "empty tensor": dict(zip(keys, (torch.zeros(0, 3), torch.zeros(4, 0)), strict=True)),
        "unfit": dict(zip(keys, (down, torch.ones(4, 3)), strict=True)),
        "alphas": dict(zip(keys, (down, up), strict=True)) | {f"{LAYER}.alpha": torch.ones(2)},
        "kernel": dict(zip(keys, (torch.ones(2, 3, 1, 1), torch.ones(4, 2, 3, 3)), strict=True)),
        "foreign": {"unet.x.hada_w1_a": down},
        "nothing": {},
    }
    if kind in tensors:
        save_file(tensors[kind], path)
    elif kind == "cut":
        save_file(tensors["rank"] | {}, path)
        save_file(dict(zip(keys, (down, up), strict=True)), path)
        path.write_bytes(path.read_bytes()[:-5])
    else:
        shape = b'{"a":{"dtype":"F32","shape":5,"data_offsets":[0,4]}}'
        path.write_bytes(
            {
                "shape": len(shape).to_bytes(8, "little") + shape + b"0000",
                "text": b"hello world, hello",
                "empty file": b"",
                "pickle": b"\x80\x02}q\x00." * 9,
            }[kind]
        )
    return path


BROKEN = {
    "nan": "not finite",
    "inf": "not finite",
    "int8": "I8",
    "rank": "rank 5000",
    "alone": "no up factor",
    "empty tensor": "empty tensor",
    "unfit": "do not fit",
    "foreign": "holds LoHa",
    "nothing": "holds no LoRA",
    "alphas": "no single number",
    "kernel": "do not fit",
    "shape": "no safetensors",
    "cut": "broken",
    "text": "no safetensors",
    "empty file": "no safetensors",
    "pickle": "no safetensors",
}


@pytest.mark.parametrize(("kind", "said"), BROKEN.items())
def test_broken_files_are_named(tmp_path, kind, said):
    with pytest.raises(InputError, match=said):
        read(broken(tmp_path, kind))


def test_a_huge_header_is_refused_unread(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write((59_000_000).to_bytes(8, "little") + b'{"a":')
        file.truncate(60_000_000)
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(InputError, match="header of 59 MB"):
        read(path)
    seconds, (_, peak) = time.perf_counter() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.1 and peak < 1_000_000


@pytest.mark.parametrize(
    "said", ["[1]", "{", '{"unet.lora_alpha": "x"}', '{"unet.alpha_pattern": 3}']
)
def test_broken_metadata_is_named(tmp_path, said):
    down, up = pair()
    save_file(
        {f"{LAYER}.lora_A.weight": down, f"{LAYER}.lora_B.weight": up},
        tmp_path / "m.safetensors",
        {"lora_adapter_metadata": said},
    )
    with pytest.raises(InputError, match="metadata about alpha"):
        read(tmp_path / "m.safetensors")


def test_rank_stabilised_files_are_scaled_by_the_root_of_their_rank(tmp_path):
    down, up = pair(4)
    said = json.dumps({"unet.lora_alpha": 8, "unet.use_rslora": True})
    save_file(
        {f"{LAYER}.lora_A.weight": down, f"{LAYER}.lora_B.weight": up},
        tmp_path / "r.safetensors",
        {"lora_adapter_metadata": said},
    )
    factors = read(tmp_path / "r.safetensors").lora[LAYER]
    assert factors.alpha / factors.rank == pytest.approx(8 / 4**0.5)
