"""Adapters that are given by a path: what others write, at its strength, or refused by name."""

import json
import math

import pytest
import torch
from safetensors.torch import save, save_file

from stickerforge.adapters import store, weight_files
from stickerforge.adapters.kinds import LORA
from stickerforge.adapters.lora_format import encode, parse
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.adapters.removal import remove
from stickerforge.adapters.sources import read_source
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.active_adapters import AdapterLookup

MODULE = "mid_block.attentions.0.transformer_blocks.0.attn1"
LAYER = f"unet.{MODULE}.to_q"
CLIP = "encoder.layers.0.self_attn.q_proj"


def pair(rank=4, outputs=6, inputs=5):
    random = torch.Generator().manual_seed(rank)
    return torch.randn((rank, inputs), generator=random), torch.randn(
        (outputs, rank), generator=random
    )


def peft_tensors(*modules, rank=4):
    down, up = pair(rank)
    return {
        f"base_model.model.{module}.lora_{letter}.weight": factor.clone()
        for module in modules
        for letter, factor in (("A", down), ("B", up))
    }


def write_peft(folder, *modules, **config):
    folder.mkdir(parents=True)
    save_file(peft_tensors(*modules), folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none"} | config
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return folder


def scales(path):
    """{layer: scale} of what is read at a path."""
    lora = parse(*read_source(path)).lora
    return {layer: factors.alpha / factors.rank for layer, factors in lora.items()}


TO_Q, TO_K = f"{MODULE}.to_q", f"{MODULE}.to_k"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (2.0, 2.0)),
        ({"lora_alpha": 1}, (0.25, 0.25)),
        ({"alpha_pattern": {"to_k": 2}}, (2.0, 0.5)),
        ({"alpha_pattern": {f"^{TO_K}": 16}}, (2.0, 4.0)),
        ({"alpha_pattern": {"^to_k": 16}}, (2.0, 2.0)),
        ({"alpha_pattern": {"attn1.to_q": 4, "to_q": 12}}, (1.0, 2.0)),
        ({"rank_pattern": {"to_k": 4}, "r": 2}, (2.0, 2.0)),
        ({"use_rslora": True}, (4.0, 4.0)),
        ({"use_rslora": True, "alpha_pattern": {"to_k": 2}}, (4.0, 1.0)),
    ],
)
def test_a_folder_of_peft_is_as_strong_as_its_configuration_says(tmp_path, config, expected):
    folder = write_peft(tmp_path / "it", TO_Q, TO_K, **config)
    found = scales(folder)
    assert (found[TO_Q], found[TO_K]) == pytest.approx(expected)
    assert scales(folder / "adapter_model.safetensors") == scales(folder)


def test_the_scales_are_those_of_peft_itself(tmp_path):
    from peft import LoraConfig, inject_adapter_in_model

    said = {"r": 4, "lora_alpha": 6, "use_rslora": True, "alpha_pattern": {"one.to_q": 3}}
    parts = {name: torch.nn.ModuleDict({"to_q": torch.nn.Linear(5, 6)}) for name in ("one", "two")}
    network = torch.nn.ModuleDict(parts)
    inject_adapter_in_model(LoraConfig(target_modules=["to_q"], **said), network)
    folder = write_peft(tmp_path / "it", "one.to_q", "two.to_q", **said)
    for layer, scale in scales(folder).items():
        assert network.get_submodule(layer).scaling["default"] == pytest.approx(scale)


def test_a_configuration_decides_the_digest_that_pictures_keep(tmp_path):
    weak, strong = (
        AdapterLookup().find(str(write_peft(tmp_path / str(alpha), TO_Q, lora_alpha=alpha)))
        for alpha in (1, 8)
    )
    assert weak.sha256 != strong.sha256


def test_the_folders_of_one_network_each_are_one_adapter(tmp_path):
    write_peft(tmp_path / "both" / "unet", TO_Q)
    write_peft(tmp_path / "both" / "text_encoder", f"text_model.{CLIP}", lora_alpha=2)
    assert scales(tmp_path / "both") == {LAYER: 2.0, f"text_encoder.{CLIP}": 0.5}
    mapping = {"base_model_class": "CLIPTextModelWithProjection"}
    alone = write_peft(tmp_path / "alone", f"text_model.{CLIP}", auto_mapping=mapping)
    assert scales(alone) == {f"text_encoder_2.{CLIP}": 2.0}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"use_dora": True}, "holds DoRA"),
        ({"peft_type": "LOHA"}, "holds LOHA"),
        ({"peft_type": "OFT"}, "holds OFT"),
        ({"init_lora_weights": "pissa_niter_16"}, "changes the base model"),
        ({"init_lora_weights": "olora"}, "changes the base model"),
        ({"bias": "lora_only"}, "LoRA with biases"),
        ({"lora_alpha": "strong"}, "metadata about alpha is broken"),
        ({"lora_alpha": float("nan")}, "is no configuration of peft"),
        ({"lora_alpha": 10**400}, "metadata about alpha is broken"),
        ({"alpha_pattern": {".*to_k": 2}}, "has an expression"),
        ({"alpha_pattern": {"(a+)+": 2}}, "has an expression"),
        ({"alpha_pattern": [2]}, "metadata about alpha is broken"),
    ],
)
def test_a_folder_of_peft_that_is_no_plain_lora_is_refused_by_name(tmp_path, config, said):
    folder = write_peft(tmp_path / "it", TO_Q, **config)
    with pytest.raises(InputError, match=said):
        scales(folder)


def test_a_file_of_peft_is_not_used_without_its_configuration(tmp_path):
    folder = write_peft(tmp_path / "it", TO_Q)
    (folder / "adapter_config.json").unlink()
    for path in (folder, folder / "adapter_model.safetensors"):
        with pytest.raises(InputError, match="is missing, where peft writes how strong"):
            read_source(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\udcff"])
def test_a_broken_configuration_is_one_line(tmp_path, text):
    folder = write_peft(tmp_path / "it", TO_Q)
    (folder / "adapter_config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="no configuration of peft"):
        read_source(folder)


def processor_tensors(prefix):
    """As diffusers 0.15 to 0.21 wrote them."""
    down, up = pair()
    names = ("to_q_lora", "to_k_lora", "to_v_lora", "to_out_lora")
    return {
        f"{prefix}{MODULE}.processor.{name}.{side}.weight": factor.clone()
        for name in names
        for side, factor in (("down", down), ("up", up))
    }


@pytest.mark.parametrize("prefix", ["unet.", ""])
def test_attention_processors_of_older_diffusers(tmp_path, prefix):
    text = "text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora"
    down, up = pair()
    more = {f"{text}.down.weight": down, f"{text}.up.weight": up}
    save_file(processor_tensors(prefix) | more, tmp_path / "a.safetensors")
    found = parse(*read_source(tmp_path / "a.safetensors")).lora
    layers = {f"{prefix}{MODULE}.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")}
    assert set(found) == layers | {"text_encoder.encoder.layers.0.self_attn.out_proj"}
    assert all(factors.alpha == 4.0 for factors in found.values())


@pytest.mark.parametrize(
    "alpha",
    [
        torch.tensor(8),
        torch.tensor([8], dtype=torch.int32),
        torch.tensor(8, dtype=torch.uint8),
        torch.tensor([[8.0]], dtype=torch.float64),
        torch.tensor(8, dtype=torch.bfloat16),
        torch.tensor(8).to(torch.float8_e4m3fn),
    ],
    ids=lambda alpha: f"{alpha.dtype} {list(alpha.shape)}",
)
def test_any_number_is_an_alpha(tmp_path, alpha):
    down, up = pair()
    flat = f"lora_unet_{TO_Q.replace('.', '_')}"
    tensors = {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
    save_file(tensors | {f"{flat}.alpha": alpha}, tmp_path / "a.safetensors")
    assert list(scales(tmp_path / "a.safetensors").values()) == [2.0]


@pytest.mark.parametrize("alpha", [math.nan, math.inf, 1e30])
def test_an_absurd_alpha_is_named(tmp_path, alpha):
    down, up = pair()
    tensors = {f"{LAYER}.lora_A.weight": down, f"{LAYER}.lora_B.weight": up}
    save_file(tensors | {f"{LAYER}.alpha": torch.tensor(alpha)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"not finite|absurd"):
        scales(tmp_path / "a.safetensors")


FACTOR = torch.ones(4, 5)
LORA_KEYS = {f"{LAYER}.lora_A.weight": FACTOR, f"{LAYER}.lora_B.weight": torch.ones(6, 4)}
FOREIGN = {
    "LoHa": {f"lora_unet_{TO_Q}.hada_w1_a": FACTOR},
    "LoKr": {"lycoris_x.lokr_w1": FACTOR, "lycoris_x.lokr_w2_a": FACTOR},
    "DoRA": LORA_KEYS | {f"{LAYER}.lora_magnitude_vector": torch.ones(6)},
    "DoRA (": LORA_KEYS | {"lora_unet_x.dora_scale": torch.ones(6, 1)},
    "OFT": {"lora_unet_x.oft_blocks": FACTOR},
    "GLoRA": {"lora_unet_x.a1.weight": FACTOR},
    "Tucker": LORA_KEYS | {"lora_unet_x.lora_mid.weight": FACTOR},
    "differences of whole weights": {"lora_unet_x.diff": FACTOR},
    "LoRA with biases": LORA_KEYS | {f"{LAYER}.lora_B.bias": torch.ones(6)},
    "bundle of LoRA and embeddings": LORA_KEYS | {"bundle_emb.x.string_to_param.*": FACTOR},
    r"embedding \(textual": {"emb_params": FACTOR},
    "embedding": {"clip_l": FACTOR, "clip_g": FACTOR},
    "an embedding": {"<cat-toy>": torch.ones(5)},
    "whole model": {"model.diffusion_model.input_blocks.0.0.weight": FACTOR},
    "a whole model": {"first_stage_model.decoder.conv_in.weight": FACTOR},
    "whole network": {"down_blocks.0.resnets.0.conv1.weight": FACTOR},
    "of a whole network": {"text_model.encoder.layers.0.mlp.fc1.weight": FACTOR},
    "IP-Adapter": {"image_proj.proj.weight": FACTOR, "ip_adapter.1.to_k_ip.weight": FACTOR},
    "ControlNet": {"control_model.input_blocks.0.0.weight": FACTOR},
    "no part of a LoRA": {"strange": FACTOR},
    "the same twice": LORA_KEYS | {f"{LAYER}.lora.down.weight": FACTOR},
}


@pytest.mark.parametrize(("said", "tensors"), FOREIGN.items())
def test_a_refusal_names_what_was_found(tmp_path, said, tensors):
    path = tmp_path / "a.safetensors"
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, path)
    with pytest.raises(InputError, match=said.removesuffix(" (")):
        AdapterLookup().find(str(path))
    with pytest.raises(InputError, match=said.removesuffix(" (")):
        AdapterLookup().find(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 a zip of torch.save", "PyTorch"),
        (b"\x80\x02}q\x00.", "pickled"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"GGUF\x03\x00\x00\x00 of another program", "GGUF"),
    ],
)
def test_what_is_no_safetensors_file_is_named(tmp_path, content, said):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_source(tmp_path / "a.safetensors")


def test_a_folder_says_what_it_holds_instead_of_an_adapter(tmp_path):
    with pytest.raises(InputError, match="holds no LoRA file"):
        read_source(tmp_path)
    for name in ("a", "b"):
        save_file(LORA_KEYS, tmp_path / f"{name}.safetensors")
    with pytest.raises(InputError, match="more than one adapter: a.safetensors, b.safetensors"):
        read_source(tmp_path)
    save_file(LORA_KEYS, tmp_path / "pytorch_lora_weights.safetensors")
    assert read_source(tmp_path)[0].path.name == "pytorch_lora_weights.safetensors"
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(InputError, match="whole model.*--model"):
        read_source(tmp_path)


def test_a_folder_may_be_given_by_its_bare_name(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write_peft(tmp_path / "rex", TO_Q)
    assert set(AdapterLookup().find("rex").read_weights().lora) == {TO_Q}
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="there is no adapter 'dog'"):
        AdapterLookup().find("dog")


def ours(encoders=("clip_l",)):
    down, up = pair()
    rows = {encoder: torch.arange(3.0) for encoder in encoders}
    more = {encoder: torch.arange(3.0) + 1 for encoder in encoders}
    lora = {
        LAYER: LoraWeights(down, up, 1.5),
        f"text_encoder.{CLIP}": LoraWeights(*pair(2), 2.0),
        f"unet.{TO_K}": LoraWeights(*pair(3), 3.0),
    }
    return AdapterWeights(lora, {"<dog>": rows, "<cat>": more})


def install(weights, home, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(home))
    base = store.Base("sticker-mini", "2.1", "0" * 16)
    words = {"<dog>": "puppy", "<cat>": "kitten"}
    kind = {"kind": "merged", "base": base, "tokens": words}
    return store.save("both", weights, **kind, phrase="", made={})


@pytest.mark.parametrize("encoders", [("clip_l",), ("clip_l", "clip_g")])
def test_two_files_give_back_the_adapter_by_any_path(tmp_path, monkeypatch, encoders):
    weights = ours(encoders)
    adapter = install(weights, tmp_path, monkeypatch)
    assert encode(store.read_weights(adapter)) == encode(weights)
    assert len(adapter.paths) == 2
    for path in (*adapter.paths, store.folder("both")):
        active = AdapterLookup().find(str(path))
        assert encode(active.read_weights()) == encode(weights)
        assert active.sha256 == adapter.sha256
        assert dict(zip(active.tokens, active.class_words, strict=True)) == adapter.tokens


def as_of_old(adapter, weights):
    """The adapter in the store as older versions left it: one file, FORMAT 1."""
    content, folder = encode(weights), store.folder(adapter.name)
    card = json.loads((folder / store.CARD).read_text())
    for path in adapter.paths:
        path.unlink()
    file = f"adapter-{adapter.sha256[:12]}.safetensors"
    (folder / file).write_bytes(content)
    del card["files"]
    (folder / store.CARD).write_text(json.dumps(card | {"format": 1, "file": file}))
    return folder / file


def test_an_adapter_of_one_file_is_read_and_is_two_when_it_is_written(tmp_path, monkeypatch):
    weights = ours()
    adapter = install(weights, tmp_path, monkeypatch)
    path = as_of_old(adapter, weights)
    old = store.find("both")
    assert old.paths == [path] and old.sha256 == adapter.sha256
    assert encode(store.read_weights(old)) == encode(weights)
    assert AdapterLookup().find(str(path)).sha256 == adapter.sha256
    assert AdapterLookup().find("both").params() == AdapterLookup().find("both").params()
    again = install(store.read_weights(old), tmp_path, monkeypatch)
    assert again == adapter and not path.exists() and all(one.exists() for one in again.paths)


def test_an_adapter_of_one_file_is_two_once_it_is_used(tmp_path, monkeypatch):
    weights = ours()
    adapter = install(weights, tmp_path, monkeypatch)
    path = as_of_old(adapter, weights)
    (store.folder("both") / "loss.png").write_bytes(b"a plot")
    first, second = AdapterLookup().find("both"), AdapterLookup().find("both")
    assert path.exists(), "looking at it changes nothing"
    params = first.params()
    for active in (first, second):  # the second has read the description before
        assert encode(active.read_weights()) == encode(weights)
    assert store.find("both") == adapter and not path.exists()
    assert AdapterLookup().find("both").params() == params
    assert (store.folder("both") / "loss.png").read_bytes() == b"a plot"


@pytest.mark.parametrize("meanwhile", ["replaced", "removed"])
def test_what_became_of_an_adapter_meanwhile_is_not_undone(tmp_path, monkeypatch, meanwhile):
    """An adapter of one file that is read, while another call teaches it anew or removes it."""
    weights, other = ours(), ours(("clip_l", "clip_g"))
    as_of_old(install(weights, tmp_path, monkeypatch), weights)
    active, read = AdapterLookup().find("both"), store.read_weights
    after = []

    def read_slowly(adapter):
        weights = read(adapter)
        if meanwhile == "removed":
            remove("both")
        else:
            after.append(install(other, tmp_path, monkeypatch))
        return weights

    monkeypatch.setattr(store, "read_weights", read_slowly)
    assert encode(active.read_weights()) == encode(weights)
    assert store.names() == [adapter.name for adapter in after]
    assert not after or encode(read(store.find("both"))) == encode(other)


def test_an_adapter_of_one_file_is_used_where_nothing_can_be_written(tmp_path, monkeypatch):
    weights = ours()
    path = as_of_old(install(weights, tmp_path, monkeypatch), weights)

    def full(path, content, **options):
        raise EnvironmentFault("the disk is full")

    for module in (store, weight_files):
        monkeypatch.setattr(module, "write_whole", full)
    assert encode(AdapterLookup().find("both").read_weights()) == encode(weights)
    assert store.find("both").paths == [path]
    path.write_bytes(b"damage")
    with pytest.raises(InputError, match="is damaged"):
        AdapterLookup().find("both").read_weights()


@pytest.mark.parametrize("writes", range(1, 5))
def test_a_crash_between_any_two_files_loses_nothing(tmp_path, monkeypatch, writes):
    """The adapter that was there is there until the new one is, and the next call cleans up."""
    before = install(ours(), tmp_path, monkeypatch)
    new = ours()
    new.lora[LAYER].up.mul_(2)
    done, write = [], weight_files.write_whole

    def crash(path, content, **options):
        if len(done) == writes - 1:
            raise KeyboardInterrupt
        done.append(path)
        write(path, content, **options)

    with monkeypatch.context() as patch:
        for module in (store, weight_files):
            patch.setattr(module, "write_whole", crash)
        with pytest.raises(KeyboardInterrupt):
            install(new, tmp_path, monkeypatch)
    found = store.find("both")
    expected = ours() if writes < 4 else new  # the third is its description
    assert encode(store.read_weights(found)) == encode(expected)
    assert (found == before) == (writes < 4)
    after = install(new, tmp_path, monkeypatch)
    assert sorted(store.folder("both").glob("*.safetensors")) == sorted(after.paths)


def test_equal_adapters_keep_the_digest_that_older_pictures_remember():
    weights = AdapterWeights({LAYER: LoraWeights(*pair(), 4.0)}, {"<dog>": {"clip_l": FACTOR[0]}})
    down, up = pair()
    old = save(
        {
            f"{LAYER}.alpha": torch.tensor(4.0),
            f"{LAYER}.lora_A.weight": down,
            f"{LAYER}.lora_B.weight": up,
            "token.<dog>.clip_l": FACTOR[0].clone(),
        },
        {"format": "pt"},
    )
    assert LORA.encode(weights) == old


def test_a_file_of_peft_by_another_name_has_the_strength_of_the_configuration_beside_it(tmp_path):
    folder = write_peft(tmp_path / "one", TO_Q)
    renamed = (folder / "adapter_model.safetensors").rename(folder / "dog.safetensors")
    assert scales(renamed) == {TO_Q: 2.0}
    assert not AdapterLookup().find(str(renamed)).remark


def test_a_file_of_peft_alone_is_taken_at_1_and_that_is_said(tmp_path):
    path = tmp_path / "dog.safetensors"
    save_file(peft_tensors(TO_Q), path)
    assert scales(path) == {TO_Q: 1.0}
    remark = AdapterLookup().find(str(path)).remark
    assert str(path) in remark and "adapter_config.json" in remark
    alphas = {f"base_model.model.{TO_Q}.alpha": torch.tensor(8.0)}
    save_file(peft_tensors(TO_Q) | alphas, path)
    assert scales(path) == {TO_Q: 2.0} and not AdapterLookup().find(str(path)).remark
