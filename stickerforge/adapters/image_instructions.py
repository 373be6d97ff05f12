"""How an image adapter is loaded elsewhere, as its README.md says it."""

from pathlib import PurePath
from typing import TYPE_CHECKING

from stickerforge.adapters.lora_export import public_title
from stickerforge.models.image_encoder_place import JUDGE, SETTING, official_encoder

if TYPE_CHECKING:
    from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
    from stickerforge.adapters.store import Adapter

# What diffusers is given of a picture: for the CLIP that an adapter reads by, and for our judge.
BY_CLIP = """\
pipe = DiffusionPipeline.from_pretrained("MODEL", image_encoder=IMAGE_ENCODER)
{load}"""
BY_JUDGE = """\
pipe = DiffusionPipeline.from_pretrained("MODEL")
{load}
encoder = JudgeImageEncoder()
picture = Image.open("FILE").convert("RGBA")
seen = encoder.features(encoder.pixels(picture, "crop", (255, 255, 255)), "base")
features = torch.stack([encoder.no_features("base"), seen])  # (2, 1, E): of no picture first
# then pipe("a dog", ip_adapter_image_embeds=[features])"""
LOAD = """\
pipe.load_ip_adapter(".", subfolder="", weight_name="{file}", image_encoder_folder=None)"""


def readme(weights: "ImagePromptWeights", adapter: "Adapter") -> str:
    """The README.md of an image adapter: how it is used here, and elsewhere."""
    title, (file, *_) = public_title(adapter.base.title), adapter.files
    imports, code = ["from diffusers import DiffusionPipeline"], BY_CLIP
    if weights.encoder == JUDGE:
        judge = "from stickerforge.models.image_encoder import JudgeImageEncoder"
        imports, code = ["import torch", *imports, "from PIL import Image", "", judge], BY_JUDGE
    lines = "\n".join([*imports, "", code.format(load=LOAD.format(file=file))])
    return f"""\
# {adapter.name}

An image adapter (IP-Adapter, arXiv:2308.06721) for `{title}`, in the official layout.
{encoder_line(weights, adapter)}

- `stickerforge generate "a dog" --image-prompt FILE --adapter FOLDER --model MODEL`, with
  this folder for FOLDER.
- In diffusers, from this folder:

```python
{lines}
```
"""


def encoder_line(weights: "ImagePromptWeights", adapter: "Adapter") -> str:
    """Which image encoder an adapter reads pictures by; of a folder the name alone."""
    own = weights.encoder
    if own == JUDGE:
        return "It reads pictures by a judge that ships with stickerforge, and no CLIP."
    if not own and isinstance(folder := adapter.made.get("image_encoder"), str):
        return (
            f"It reads pictures by the image encoder of a folder, `{PurePath(folder).name}`:"
            f"\ngive `generate` that, too: `--set {SETTING}=PLACE`."
        )
    if own:
        return f"It reads pictures by the image encoder `{own}`."
    usual = official_encoder(weights.shape.variant, weights.shape.features)
    return f"It does not say its image encoder; that of official files is `{usual}`."
