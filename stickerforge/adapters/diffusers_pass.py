"""A program of its own: plain diffusers loads an image adapter and makes one pass with it.

    python diffusers_pass.py MODEL VARIANT PIPELINE FOLDER FILE INPUTS OUTPUT

MODEL is the folder of a base model, VARIANT that of its weights ("" or "fp16"), PIPELINE the class
of diffusers that it is of, FILE the adapter in FOLDER. INPUTS are safetensors: "noisy", "timestep",
"hidden" and "image_embeds", and what else the denoiser reads beside the text by diffusers' names.
OUTPUT becomes its "prediction".

It imports nothing of stickerforge, so that what it finds is what others will find.
"""

import inspect
import socket
import sys
from pathlib import Path

socket.has_ipv6 = False  # urllib3 opens a socket when it is imported, to learn whether there is

import diffusers  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402


def main(
    model: str, variant: str, pipeline: str, folder: str, file: str, inputs: str, output: str
) -> None:
    """Write the prediction of a model with an image adapter."""
    unet = diffusers.UNet2DConditionModel.from_pretrained(
        Path(model) / "unet",
        variant=variant or None,
        torch_dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
    )
    kind = getattr(diffusers, pipeline)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    parts = [part.name for part in parameters if part.default is part.empty]
    whole = kind(**dict.fromkeys(parts) | {"unet": unet})  # a pass needs no other part
    whole.load_ip_adapter(
        folder, subfolder="", weight_name=file, image_encoder_folder=None, local_files_only=True
    )
    given = load_file(inputs)
    first = [given.pop(name) for name in ("noisy", "timestep", "hidden")]
    beside = given | {"image_embeds": [given["image_embeds"]]}  # a list: one for each adapter
    with torch.no_grad():
        prediction = whole.unet(*first, added_cond_kwargs=beside, return_dict=False)[0]
    save_file({"prediction": prediction.contiguous()}, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
