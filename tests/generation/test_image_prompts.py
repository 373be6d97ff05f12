"""Image prompts of a call: their pictures are read and checked, and drawn as diffusers draws."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from stickerforge.adapters.image_prompt import attach_image_prompt
from stickerforge.adapters.kinds import IMAGE
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.config.schema import ImagePromptConfig
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import AdapterLookup
from stickerforge.generation.image_features import encode_references, image_tokens
from stickerforge.generation.image_prompts import plan_image_prompt, with_scales
from stickerforge.generation.image_references import parse_reference, read_references
from stickerforge.generation.sampler import (
    ConsistencyParams,
    GuidanceParams,
    SamplingParams,
    encode_guidance,
    measure,
    prompt_encoder,
    sample,
)
from stickerforge.generation.sampler import Sample as SampleOf
from stickerforge.models.registry import find_model, load_model
from stickerforge.runtime.seeds import generator
from tests.tiny import write_tiny_image_adapter, write_tiny_sdxl

CPU = torch.device("cpu")
STEPS = SamplingParams(3, 32)


def model_of(folder):
    return load_model(find_model(str(folder)), CPU, torch.float32)


@pytest.fixture
def picture(tmp_path):
    """A picture of noise, twice as wide as it is high."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "ref.png")
    return tmp_path / "ref.png"


class Setup:
    """A tiny model with an image adapter and an image encoder."""

    def __init__(self, folder, variant, encoder, place):
        self.folder, self.encoder, self.place, self.lines = folder, encoder, place, []
        self.path = write_tiny_image_adapter(place / f"{variant}.safetensors", folder, variant)

    def plan(self, *pictures, alone=False, steps=3, first=0, adapters=None, **settings):
        settings = {"encoder": str(self.encoder)} | settings
        config = ImagePromptConfig(pictures=tuple(map(str, pictures)), **settings)
        paths = [self.path] if adapters is None else adapters
        lookup = AdapterLookup()
        return plan_image_prompt(
            config,
            [lookup.find(str(path)) for path in paths],
            find_model(str(self.folder)),
            alone=alone,
            steps=range(first, steps),
            warn=self.lines.append,
        )

    def tokens(self, model, prompt):
        features = encode_references(prompt, CPU, offline=True, say=print)
        adapter = AdapterLookup().find(str(self.path))
        attached = IMAGE.attach(model, "adapter0", adapter.weights, adapter.source)
        images = image_tokens({adapter.source: attached}, features)
        attached.activate(1.0)
        return images


@pytest.fixture(params=["sd base", "sd plus", "sdxl base", "sdxl plus"])
def setup(request, tiny_sd, tiny_sdxl, image_encoder, tmp_path):
    family, variant = request.param.split()
    return Setup({"sd": tiny_sd, "sdxl": tiny_sdxl}[family], variant, image_encoder, tmp_path)


@pytest.fixture
def plain(tiny_sd, image_encoder, tmp_path):
    return Setup(tiny_sd, "base", image_encoder, tmp_path)


def draw(model, images, text="a dog", guidance=5.0, seed=7, **others):
    params = GuidanceParams(guidance, **others)
    return next(sample(model, [text], [seed], STEPS, params, base_texts=[text], images=images))


@torch.no_grad()
def test_pictures_are_those_of_plain_diffusers(setup, picture):
    model = model_of(setup.folder)
    images = setup.tokens(model, setup.plan(f"{picture}:0.6"))
    ours = draw(model, images)
    kind = StableDiffusionXLPipeline if "xl" in setup.folder.name else StableDiffusionPipeline
    pipeline = kind.from_pretrained(
        setup.folder,
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(setup.encoder),
        feature_extractor=CLIPImageProcessorPil(size=32, crop_size=32),
    )
    pipeline.set_progress_bar_config(disable=True)
    place, name = str(setup.path.parent), setup.path.name
    pipeline.load_ip_adapter(place, subfolder="", weight_name=name)
    pipeline.set_ip_adapter_scale(0.6)
    theirs = pipeline(
        "a dog",
        ip_adapter_image=Image.open(picture),
        guidance_scale=5.0,
        num_inference_steps=3,
        height=32,
        width=32,
        latents=torch.randn((1, *model.latent_shape(32)), generator=generator(7, "latents")),
        output_type="pt",
    ).images[0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_without_pictures_nothing_changes(setup, picture):
    model = model_of(setup.folder)
    before = draw(model, None)
    images = setup.tokens(model, setup.plan(picture))
    assert not torch.equal(draw(model, images), before)
    assert torch.equal(draw(model, None), before)
    none = setup.tokens(model_of(setup.folder), setup.plan(f"{picture}:0"))
    other = model_of(setup.folder)
    images = setup.tokens(other, setup.plan(f"{picture}:0"))
    assert torch.equal(none.seen, images.seen)
    assert torch.equal(draw(other, images), before)


def test_a_window_of_the_steps(plain, picture):
    model = model_of(plain.folder)
    before = draw(model, None)
    whole = plain.tokens(model, plain.plan(picture))
    early = plain.tokens(model, plain.plan(picture, end=0.5))
    drawn = [draw(model, images) for images in (whole, early)]
    assert not any(torch.equal(one, before) for one in drawn)
    assert not torch.equal(*drawn)
    with pytest.raises(InputError, match="no step lies between"):
        plain.plan(picture, start=0.9, steps=3)
    with pytest.raises(InputError, match="no step lies between"):
        plain.plan(picture, end=0.5, steps=4, first=2)  # as --init leaves steps out
    late = plain.plan(picture, start=0.9, steps=20)
    calls = []
    images = plain.tokens(model, late)

    class Told:
        def __call__(self, predict, noisy, timestep, step, steps):
            calls.append(step)

    windowed = images.during(Told(), lambda: lambda *arguments: None)
    for step in range(20):
        windowed(None, None, None, step, 20)
    assert calls == [18, 19]


def test_a_picture_that_is_given_twice_is_encoded_once(plain, picture, monkeypatch):
    from stickerforge.models import image_encoder

    seen = []
    vector = image_encoder.ClipImageEncoder.features
    monkeypatch.setattr(
        image_encoder.ClipImageEncoder,
        "features",
        lambda self, pixels, variant: seen.append(1) or vector(self, pixels, variant),
    )
    prompt = plain.plan(f"{picture}:0.3", f"{picture}:0.4")
    features = encode_references(prompt, CPU, offline=True, say=print)
    assert len(seen) == 1 and features.seen.shape == (2, 24)


def test_transparent_pictures_lie_on_their_ground(plain, tmp_path):
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (10, 10, 30, 30))
    clear.save(tmp_path / "clear.png")
    white = Image.new("RGB", (40, 40), "white")
    white.paste((0, 0, 255), (10, 10, 30, 30))
    white.save(tmp_path / "white.png")

    def features(name, **settings):
        prompt = plain.plan(tmp_path / name, **settings)
        return encode_references(prompt, CPU, offline=True, say=print).seen

    assert torch.equal(features("clear.png"), features("white.png"))
    assert not torch.equal(features("clear.png", ground="000000"), features("white.png"))


def test_blocks_of_style_and_layout_are_those_of_diffusers(image_encoder, tmp_path, picture):
    folder = write_tiny_sdxl(tmp_path / "deep-sdxl", deep=True)
    setup = Setup(folder, "base", image_encoder, tmp_path)
    model = model_of(folder)
    path = setup.path
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder)
    pipeline.load_ip_adapter(
        str(path.parent), subfolder="", weight_name=path.name, image_encoder_folder=None
    )
    attached = attach_image_prompt(model, AdapterLookup().find(str(path)).weights, "it")
    scales = {
        "style": {"up": {"block_0": [0.0, 1.0, 0.0]}},
        "layout": {"down": {"block_2": [0, 1]}},
    }
    for blocks, scale in scales.items():
        prompt = setup.plan(f"{picture}:1", blocks=blocks)
        attached.weigh(prompt.scales, prompt.layers)
        pipeline.set_ip_adapter_scale(scale)
        processors = pipeline.unet.attn_processors
        for name, (_, processor) in attached.layers.items():
            assert processor.scale == processors[f"{name}.processor"].scale
        assert sum(processor.scale[0] for _, processor in attached.layers.values()) == 2


def test_blocks_that_are_not_there_are_said(plain, tiny_sdxl, image_encoder, tmp_path, picture):
    with pytest.raises(InputError, match="only blocks of Stable Diffusion XL"):
        plain.plan(picture, blocks="style")
    setup = Setup(tiny_sdxl, "plus", image_encoder, tmp_path)
    with pytest.raises(InputError, match=r"no attention in down_blocks\.2"):
        setup.tokens(model_of(tiny_sdxl), setup.plan(picture, blocks="layout"))


@torch.no_grad()
def test_consistency_guidance_tells_the_base_the_picture_too(plain, picture):
    """Equation 13 of arXiv:2402.12004; the unconditional branch reads the zero convention."""
    model = model_of(plain.folder)
    images = plain.tokens(model, plain.plan(picture))
    adapters = AdapterSet(model)
    for parameter in adapters.add_trainable("lora", 2, "attention", 0):
        parameter.normal_(0, 0.3)
    adapters.activate({"lora": 1.0})
    params = GuidanceParams(4.0, consistency=ConsistencyParams(1.5))
    item = measure(model, SampleOf("a dog", 1, "", "a cat"), params)
    encode = prompt_encoder(model)
    guidance = encode_guidance(model, encode, [item], params, images)
    noisy, timestep = torch.randn(1, *model.latent_shape(32)), torch.tensor(500)
    result = guidance(model.predict, noisy, timestep, 0, 3)

    def predict(text, tokens):
        told = text.including("image_tokens", tokens[None])
        return model.predict(noisy, timestep, told)

    adapted = predict(encode(("a dog",), 1), images.seen)
    with adapters.disabled():
        base = predict(encode(("a cat",), 1, base=True), images.seen)
        nothing = predict(encode(("",), 1, base=True), images.unseen)
    expected = nothing + 4.0 * (base - nothing) + 1.5 * (adapted - base)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_scales_are_those_of_the_call_or_the_usual_ones(plain, picture):
    assert plain.plan(picture).scales == [0.5]
    assert plain.plan(picture, alone=True).scales == [1.0]
    assert plain.plan(picture, f"{picture}:1.5", alone=True).scales == [0.5, 1.5]
    thirds = plain.plan(picture, picture, picture)
    assert thirds.scales == [0.1667] * 3
    config = with_scales(ImagePromptConfig(), thirds)
    assert config.pictures == (f"{picture}:0.1667",) * 3


@pytest.mark.parametrize(
    ("text", "path", "scale"),
    [
        ("x.png", "x.png", None),
        ("x.png:0.5", "x.png", 0.5),
        ("x.png:2", "x.png", 2.0),
        ("x.png:.5", "x.png", 0.5),
        (r"C:\x.png", r"C:\x.png", None),
        (r"C:\x.png:0.5", r"C:\x.png", 0.5),
        ("a:b.png", "a:b.png", None),
        ("a:1:0.5", "a:1", 0.5),
    ],
)
def test_a_colon_begins_a_scale_where_a_number_follows(text, path, scale):
    assert (str(parse_reference(text)[0]), parse_reference(text)[1]) == (path, scale)


def test_a_file_with_a_colon_and_a_number_is_that_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x:0.5").write_bytes(b"")
    assert str(parse_reference("x:0.5")[0]) == "x:0.5" and parse_reference("x:0.5:1")[1] == 1.0


def spoiled(kind, folder):
    path = folder / "bad.png"
    if kind == "text":
        path.write_text("no picture")
    elif kind == "pixel":
        Image.new("RGB", (1, 1)).save(path)
    elif kind == "clear":
        Image.new("RGBA", (40, 40)).save(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "bad.png: no picture that can be read"),
        ("pixel", "only 1 x 1 pixels"),
        ("clear", "every pixel of it is transparent"),
        ("folder", "bad.png: "),
        ("empty", "an empty file"),
        ("gone", "there is no picture"),
    ],
)
def test_what_is_no_picture_is_said(kind, message, tmp_path):
    with pytest.raises(InputError, match=f"^--image-prompt.*{message}"):
        read_references([str(spoiled(kind, tmp_path))], alone=False)


@pytest.mark.parametrize("scale", ["-0.1", "2.1", "nan", "inf", "1e9"])
def test_scales_out_of_range_are_said(scale, picture):
    with pytest.raises(InputError, match="out of range"):
        read_references([f"{picture}:{scale}"], alone=False)


def test_what_is_no_scale_is_said(picture):
    for number in ("much", ""):
        with pytest.raises(InputError, match="is no scale"):
            read_references([f"{picture}:{number}"], alone=False)


def test_thirty_pictures_are_too_many(plain, picture):
    assert len(plain.plan(*[picture] * 8).references) == 8
    with pytest.raises(InputError, match="30 pictures for --image-prompt"):
        plain.plan(*[picture] * 30)


def test_an_animated_picture_is_its_first_frame(plain, tmp_path):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert plain.plan(tmp_path / "a.gif").names == ["a.gif"]
    assert plain.lines == ["a.gif is animated: its first frame is used"]


def test_adapters_and_pictures_need_each_other(plain, picture, tmp_path):
    with pytest.raises(InputError, match="^--image-prompt needs an image adapter"):
        plain.plan(picture, adapters=[])
    assert plain.plan() is None
    assert plain.lines[0].endswith("base.safetensors does nothing without --image-prompt")
    assert plain.lines[1:] == ["image_prompt.encoder does nothing without --image-prompt"]
    other = write_tiny_image_adapter(tmp_path / "two.safetensors", plain.folder, "plus")
    with pytest.raises(InputError, match="are image adapters, and a call takes one"):
        plain.plan(picture, adapters=[plain.path, other])


def test_what_does_not_fit_is_said_before_anything_is_loaded(plain, tiny_sdxl, tmp_path, picture):
    other = write_tiny_image_adapter(tmp_path / "xl.safetensors", tiny_sdxl, "base")
    with pytest.raises(InputError, match=r"\(texts of width 96\), and those of tiny-sd have 64"):
        plain.plan(picture, adapters=[other])
    with pytest.raises(InputError, match="is no colour"):
        plain.plan(picture, ground="white")


def test_an_encoder_of_another_adapter_is_said(plain, picture, tmp_path):
    from tests.tiny import tiny_vision

    config = tiny_vision()
    config.projection_dim = 12
    CLIPVisionModelWithProjection(config).save_pretrained(tmp_path / "narrow")
    prompt = plain.plan(picture, encoder=str(tmp_path / "narrow"))
    with pytest.raises(InputError, match="makes features of width 12"):
        encode_references(prompt, CPU, offline=True, say=print)
