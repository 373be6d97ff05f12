"""Pictures follow a ControlNet as plain diffusers has it, and it reads the text alone."""

import numpy as np
import pytest
import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
)
from PIL import Image

from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import IMAGE
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.config.schema import ControlConfig
from stickerforge.errors import InputError
from stickerforge.generation.control import plan_control, with_scale
from stickerforge.generation.control_pictures import parse_control, read_control
from stickerforge.generation.inference import attach
from stickerforge.generation.sampler import (
    ConsistencyParams,
    GuidanceParams,
    SamplingParams,
    sample,
)
from stickerforge.models.registry import find_model, load_model
from stickerforge.runtime.seeds import generator
from tests.tiny import write_tiny_control, write_tiny_image_adapter

CPU = torch.device("cpu")
STEPS = SamplingParams(4, 32)
LONG = "a red dog beside a blue house " * 12


def model_of(folder):
    return load_model(find_model(str(folder)), CPU, torch.float32)


@pytest.fixture
def picture(tmp_path):
    """A picture of noise of the size that is sampled."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "pose.png")
    return tmp_path / "pose.png"


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def network(folder, tmp_path):
    return write_tiny_control(tmp_path / "control", folder)


def plan(folder, network, *texts, steps=4, lines=None, **settings):
    config = ControlConfig(pictures=tuple(texts), model=str(network), **settings)
    warn = [].append if lines is None else lines.append
    card = find_model(str(folder))
    return plan_control(config, card, pixels=None, steps=range(steps), warn=warn)


def controlled(folder, network, text, **settings):
    """(a model, its control)."""
    model = model_of(folder)
    return model, attach(plan(folder, network, text, **settings), network, model, 32)


def draw(model, control, text="a dog", guidance=5.0, seed=7, negative="", **others):
    params = GuidanceParams(guidance, **others)
    texts = {"negatives": [negative], "base_texts": [text]}
    return next(sample(model, [text], [seed], STEPS, params, control=control, **texts))


@pytest.mark.parametrize(
    ("scale", "guidance", "window", "negative"),
    [
        (1.0, 5.0, (0.0, 1.0), ""),
        (0.5, 1.0, (0.0, 1.0), ""),
        (2.0, 5.0, (0.25, 0.75), "a blue house"),
    ],
)
@torch.no_grad()
def test_pictures_are_those_of_plain_diffusers(
    folder, network, picture, scale, guidance, window, negative
):
    start, end = window
    control = {"start": start, "end": end}
    model, ours = controlled(folder, network, f"pose:{picture}:{scale}", **control)
    drawn = draw(model, ours, guidance=guidance, negative=negative)
    kind = StableDiffusionControlNetPipeline
    if "xl" in folder.name:
        kind = StableDiffusionXLControlNetPipeline
    pipeline = kind.from_pretrained(
        folder, controlnet=ControlNetModel.from_pretrained(network), safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a dog",
        negative_prompt=negative or None,
        image=Image.open(picture),
        controlnet_conditioning_scale=scale,
        control_guidance_start=start,
        control_guidance_end=end,
        guidance_scale=guidance,
        num_inference_steps=4,
        height=32,
        width=32,
        latents=torch.randn((1, *model.latent_shape(32)), generator=generator(7, "latents")),
        output_type="pt",
    ).images[0]
    torch.testing.assert_close(drawn, theirs, atol=1e-4, rtol=1e-4)
    plain = draw(model, None, guidance=guidance, negative=negative)
    assert (plain - drawn).abs().max() > 1e-3


def test_scale_zero_is_no_control_to_the_bit(folder, network, picture):
    before = draw(model_of(folder), None)
    model, control = controlled(folder, network, f"pose:{picture}:0")
    assert torch.equal(draw(model, control), before)
    assert torch.equal(draw(model, None), before)
    model.control_network.scale = 0.0
    whole = controlled(folder, network, f"pose:{picture}:1")[1]
    assert torch.equal(draw(model, whole), before), "nor do residuals of nothing change a bit"


@torch.no_grad()
def test_residuals_do_not_depend_on_image_prompts(folder, network, picture, tmp_path):
    model, control = controlled(folder, network, f"pose:{picture}")
    adapter = write_tiny_image_adapter(tmp_path / "ip.safetensors", folder, "base")
    attached = IMAGE.attach(model, "adapter0", IMAGE.read(read_file(adapter)), "ip")
    attached.weigh([1.0], "")
    attached.activate(1.0)
    text = model.encode_prompt(["a dog"]).including("control", control.picture)
    residuals, predictions, noisy = [], [], torch.randn(1, *model.latent_shape(32))
    own = model.control_network.residuals

    def keep(*arguments):
        residuals.append(own(*arguments))
        return residuals[-1]

    model.control_network.residuals = keep
    width = text["hidden"].shape[-1]
    for tokens in (None, torch.randn(1, 1, 4, width), torch.randn(1, 1, 4, width)):
        told = text if tokens is None else text.including("image_tokens", tokens)
        predictions.append(model.predict(noisy, torch.tensor(500), told))
    first = residuals[0]
    assert not any(map(torch.equal, predictions[1:], predictions)), "the denoiser reads them"
    assert len(residuals) == 3 and all(level.abs().max() > 0 for level in first[0])
    for levels, middle in residuals[1:]:
        assert all(map(torch.equal, levels, first[0])) and torch.equal(middle, first[1])


@torch.no_grad()
def test_adapters_change_the_denoiser_and_not_the_control(folder, network, picture):
    model, control = controlled(folder, network, f"pose:{picture}")
    text = model.encode_prompt(["a dog"]).including("control", control.picture)
    noisy, timestep = torch.randn(1, *model.latent_shape(32)), torch.tensor(500)
    added = None
    if "xl" in folder.name:
        added = {
            "text_embeds": text["pooled"],
            "time_ids": torch.tensor([[32.0, 32, 0, 0, 32, 32]]),
        }
    before = model.control_network.residuals(noisy, timestep, text, added)
    predicted, drawn = model.predict(noisy, timestep, text), draw(model, control)
    adapters = AdapterSet(model)
    for parameter in adapters.add_trainable("lora", 2, "attention", 0):
        parameter.normal_(0, 0.3)
    adapters.activate({"lora": 1.0})
    after = model.control_network.residuals(noisy, timestep, text, added)
    assert all(map(torch.equal, before[0], after[0]))
    assert not torch.equal(model.predict(noisy, timestep, text), predicted)
    led = draw(model, control, consistency=ConsistencyParams(0.0))
    assert torch.equal(led, drawn), "the base alone follows the control, too"
    led = draw(model, control, consistency=ConsistencyParams(2.0))
    assert not torch.equal(led, drawn) and not torch.equal(led, draw(model, control))


@pytest.mark.parametrize("consistency", [None, ConsistencyParams(0.5)])
def test_pictures_do_not_depend_on_their_company(folder, network, picture, consistency):
    model, control = controlled(folder, network, f"pose:{picture}")
    texts = ["a dog", LONG, "a cat"]
    params = GuidanceParams(4.0, consistency=consistency)
    sampling = SamplingParams(2, 32, batch=2)

    def drawn(texts, seeds):
        images = sample(model, texts, seeds, sampling, params, base_texts=texts, control=control)
        return list(images)

    together = drawn(texts, [1, 2, 3])
    for index, text in enumerate(texts):
        assert torch.equal(drawn([text], [index + 1])[0], together[index])


def test_every_other_size_than_the_square_is_laid_in_its_middle(tmp_path):
    wide = Image.new("RGBA", (64, 32), (200, 100, 0, 255))
    wide.paste((0, 0, 0, 0), (0, 0, 32, 32))
    wide.save(tmp_path / "wide.png")
    square = read_control([f"depth:{tmp_path / 'wide.png'}"]).square(32)
    assert square.shape == (32, 32, 3) and not square[:8].any() and not square[24:].any()
    assert not square[8:24, :12].any(), "what is clear is black"
    assert (square[8:24, 20:] == (200, 100, 0)).all()
    edges = read_control([f"edges:{tmp_path / 'wide.png'}"]).square(32)
    rows, columns = np.nonzero(edges[..., 0])
    assert set(columns) <= {15, 16} and set(rows) == set(range(8, 24)), "no edge around the picture"


def test_the_outline_of_a_sticker_is_found_whatever_its_colour(tmp_path):
    for colour in ("black", "white", "grey"):
        image = Image.new("RGBA", (40, 40))
        image.paste(colour, (10, 10, 30, 30))
        image.save(tmp_path / "a.png")
        edges = read_control([f"edges:{tmp_path / 'a.png'}"]).square(40)[..., 0] > 0
        assert (edges[12:28].sum(1) == 2).all() and edges.sum() < 90


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("edges:x.png", ("edges", "x.png", 1.0)),
        ("Edges:x.png:0.5", ("edges", "x.png", 0.5)),
        (r"edges:C:\x.png:0.5", ("edges", r"C:\x.png", 0.5)),
        (r"pose:C:\x.png", ("pose", r"C:\x.png", 1.0)),
        ("pose:C:/x.png:2", ("pose", "C:/x.png", 2.0)),
        ("other:a:b.png:0", ("other", "a:b.png", 0.0)),
    ],
)
def test_kind_file_and_scale(text, parts):
    assert parse_control(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("x.png", "begins with no kind"),
        (f"{__file__}:0.5", "begins with no kind"),
        (r"C:\x.png", "begins with no kind"),
        (":x.png", "begins with no kind"),
        ("edge:x.png", "there is no kind 'edge'"),
        ("edges:", "names no file"),
        ("edges:x.png:3", "out of range"),
        ("edges:x.png:-0.1", "out of range"),
        ("edges:x.png:nan", "out of range"),
    ],
)
def test_what_is_no_control(text, message):
    with pytest.raises(InputError, match=message):
        parse_control(text)


def test_a_file_whose_name_holds_a_colon_and_a_scale_that_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x:1").touch()
    assert parse_control("pose:x:1") == ("pose", "x:1", 1.0)
    (tmp_path / "x.png").touch()
    with pytest.raises(InputError) as error:
        parse_control("pose:x.png:much")
    assert error.value.hint == "give pose:x.png:0.6"


def test_what_is_saved_and_what_does_nothing(tiny_sd, tmp_path, picture):
    network, lines = write_tiny_control(tmp_path / "control", tiny_sd), []
    control = plan(tiny_sd, network, f"depth:{picture}", lines=lines)
    config = ControlConfig(pictures=(f"depth:{picture}",))
    assert with_scale(config, control).pictures == (f"depth:{picture}:1.0",)
    assert with_scale(ControlConfig(), None) == ControlConfig()
    assert not lines and plan(tiny_sd, network, lines=lines, end=0.5) is None
    assert lines == [f"control.{name} does nothing without --control" for name in ("model", "end")]
    plan(tiny_sd, network, f"depth:{picture}:0", lines=lines)
    assert lines[-1] == "--control does nothing with the scale 0"


def test_a_window_without_a_step(tiny_sd, tmp_path, picture):
    network = write_tiny_control(tmp_path / "control", tiny_sd)
    with pytest.raises(InputError, match="no step lies between control.start = 0.3"):
        plan(tiny_sd, network, f"depth:{picture}", start=0.3, end=0.4, steps=4)


def test_pictures_that_are_no_lines_on_black_are_told(tmp_path):
    def remarks(kind, image):
        image.save(tmp_path / "a.png")
        return read_control([f"{kind}:{tmp_path / 'a.png'}"]).remarks()

    ink, paper = Image.new("RGB", (40, 40), "white"), Image.new("RGB", (40, 40), "black")
    ink.paste("black", (10, 10, 30, 12))
    paper.paste("red", (10, 10, 30, 12))
    clear = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
    clear.paste("white", (10, 10, 30, 12))
    for kind in ("canny", "lineart", "mlsd", "pose", "scribble", "softedge"):
        (line,) = remarks(kind, ink)
        assert "is not black" in line and f"ControlNets for {kind} read" in line
        assert not remarks(kind, paper) and not remarks(kind, clear)
    for kind in ("edges", "depth", "normal", "segmentation", "tile", "other"):
        assert not remarks(kind, ink)
