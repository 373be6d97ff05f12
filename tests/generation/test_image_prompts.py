"""Image prompts of a call: their pictures are read and checked, and drawn as diffusers draws."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.image_processor import IPAdapterMaskProcessor
from PIL import Image, ImageDraw
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from stickerforge.adapters.image_prompt import attach_image_prompt
from stickerforge.adapters.kinds import IMAGE
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.config.schema import ImagePromptConfig
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import AdapterLookup
from stickerforge.generation.image_features import encode_references, image_tokens, mask_tensor
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
            pixels=32,
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
    theirs = draw_with_diffusers(setup, model, 0.6, Image.open(picture))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def draw_with_diffusers(setup, model, scale, pictures, **others):
    """The picture that a pipeline of diffusers draws where `draw` draws ours."""
    kind = StableDiffusionXLPipeline if "xl" in setup.folder.name else StableDiffusionPipeline
    pipeline = kind.from_pretrained(
        setup.folder,
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(setup.encoder),
        feature_extractor=CLIPImageProcessorPil(size=32, crop_size=32),
    )
    pipeline.set_progress_bar_config(disable=True)
    place, name = str(setup.path.parent), setup.path.name
    pipeline.load_ip_adapter(place, subfolder="", weight_name=name)
    pipeline.set_ip_adapter_scale(scale)
    return pipeline(
        "a dog",
        ip_adapter_image=pictures,
        guidance_scale=5.0,
        num_inference_steps=3,
        height=32,
        width=32,
        latents=torch.randn((1, *model.latent_shape(32)), generator=generator(7, "latents")),
        output_type="pt",
        **others,
    ).images[0]


@pytest.fixture
def masks(picture):
    """Masks of 32 x 32 pixels: the left half, and a disc in the right one."""
    sides = {"left": (0, 0, 15, 31), "disc": (17, 8, 30, 24)}
    for name, box in sides.items():
        mask = Image.new("L", (32, 32))
        brush = ImageDraw.Draw(mask)
        (brush.rectangle if name == "left" else brush.ellipse)(box, fill=255)
        mask.save(picture.parent / f"{name}.png")
    Image.new("RGB", (40, 40), "green").save(picture.parent / "green.png")
    return [str(picture.parent / f"{name}.png") for name in sides]


@torch.no_grad()
def test_pictures_with_masks_are_those_of_plain_diffusers(setup, picture, masks):
    model = model_of(setup.folder)
    pictures = [picture, picture.parent / "green.png"]
    texts = [f"{path}:{scale}" for path, scale in zip(pictures, (0.6, 0.9), strict=True)]
    ours = draw(model, setup.tokens(model, setup.plan(*texts, masks=tuple(masks))))
    processor = IPAdapterMaskProcessor(vae_scale_factor=2)
    given = processor.preprocess([Image.open(path) for path in masks], height=32, width=32)
    theirs = draw_with_diffusers(
        setup,
        model,
        [[0.6, 0.9]],
        [[Image.open(path) for path in pictures]],
        cross_attention_kwargs={"ip_adapter_masks": [given.reshape(1, 2, 32, 32)]},
    )
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(ours, draw(model, setup.tokens(model, setup.plan(*texts))), atol=1e-3)


def test_masks_are_read_as_those_of_init_are(plain, picture, masks, tmp_path):
    """Grey counts partly, what is nearly white is white, the size is that of what is drawn."""
    left = Image.open(masks[0])
    left.resize((256, 256), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    left.convert("LA").save(tmp_path / "alpha.png")
    left.convert("RGB").save(tmp_path / "left.jpg", quality=90, subsampling=0)
    Image.new("L", (64, 64), 128).save(tmp_path / "grey.png")
    Image.fromarray(np.full((64, 64, 4), (255, 255, 255, 128), np.uint8)).save(
        tmp_path / "thin.png"
    )
    shown = {
        name: plain.plan(picture, masks=(str(tmp_path / name),)).masks[0].values
        for name in ("left.png", "large.png", "alpha.png", "left.jpg", "grey.png", "thin.png")
    }
    expected = np.asarray(left)
    for name in ("left.png", "large.png", "alpha.png", "left.jpg"):
        assert np.array_equal(shown[name], expected), name
    assert (shown["grey.png"] == 128).all() and (shown["thin.png"] == 128).all()
    tensor = mask_tensor(plain.plan(picture, masks=(masks[0],)).masks)
    assert tensor.shape == (1, 1, 32, 32) and tensor.dtype == torch.float32
    assert torch.equal(tensor[0, 0] * 255, torch.tensor(expected.tolist()))
    assert mask_tensor(plain.plan(picture).masks) is None


def test_masks_decide_the_parameters_by_content_and_none_leaves_them(plain, picture, masks):
    none, left, disc = (
        plain.plan(picture, masks=own).params() for own in ((), masks[:1], masks[1:])
    )
    assert set(none["references"][0]) == {"sha256", "scale"}
    assert set(left["references"][0]) == {"sha256", "scale", "mask"}
    assert len(left["references"][0]["mask"]) == 16 and left != disc
    prompt = plain.plan(picture, masks=masks[:1])
    assert prompt.names == {"references": ["ref.png"], "reference_masks": ["left.png"]}
    assert prompt.reads[:2] == [str(picture), masks[0]] and prompt.record()["masks"] == masks[:1]
    assert f"mask    {masks[0]}" in prompt.lines


@pytest.mark.parametrize("number", [1, 3])
def test_masks_are_as_many_as_pictures(plain, picture, masks, number):
    with pytest.raises(InputError, match=r"has \d masks?, --image-prompt 2 pictures") as error:
        plain.plan(picture, picture, masks=(masks * 2)[:number])
    assert error.value.hint == """give one for each: --set 'image_prompt.masks=["FILE", "FILE"]'"""
    with pytest.raises(InputError, match="and there are none") as error:
        plain.plan(masks=masks)
    assert error.value.hint == "give --image-prompt FILE too"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "image_prompt.masks: .*no picture that can be read"),
        ("pixel", "only 1 x 1 pixels"),
        ("clear", "black throughout: its picture would act nowhere"),
        ("black", "black throughout"),
        ("folder", "it is a folder"),
        ("empty", "an empty file"),
        ("gone", "image_prompt.masks: no picture"),
        ("wide", "is 64 x 32 pixels, what is drawn 32 x 32"),
        ("fine", "fades in the 8 x 8 positions of the model"),
        ("moving", "is animated"),
        ("", "image_prompt.masks names no file"),
    ],
)
def test_what_is_no_mask_is_said(plain, picture, kind, message, tmp_path):
    path = spoiled(kind, tmp_path)
    if kind in ("black", "wide"):
        colour = 5 if kind == "black" else 255  # black as a JPEG has it
        Image.new("L", (64 if kind == "wide" else 32, 32), colour).save(path)
    if kind == "fine":
        mask = Image.new("L", (32, 32))
        mask.paste(255, (15, 15, 17, 17))  # between four positions
        mask.save(path)
    if kind == "moving":
        path = tmp_path / "a.gif"
        frames = [Image.new("L", (40, 40), shade) for shade in (100, 200)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=message) as error:
        plain.plan(picture, masks=(str(path) if kind else "",))
    assert error.value.hint


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
    assert plain.plan(tmp_path / "a.gif").names == {"references": ["a.gif"]}
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
