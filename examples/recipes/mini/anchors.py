"""An AutoencoderKL whose norms do nothing.

One constant channel outweighs all others wherever a norm looks.

Group norm divides by the spread over the whole picture and so mixes its contents into every colour.
With it the autoencoder of version 1 missed the mean colour of solid cells by 11 levels of 255 after
62,000 pictures; without, one that saw 5,000 misses it by 2. diffusers has no switch for it, but a
channel that is ANCHOR everywhere makes mean and spread of a norm over all channels constants, which
its scale and shift undo. What ships is a plain AutoencoderKL all the same.
"""

import torch
from diffusers import AutoencoderKL
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

ANCHOR = 100.0


def anchor_writers(model: AutoencoderKL) -> list[nn.Conv2d]:
    """Convolutions whose first channel must be the anchor: they write what a norm will look at."""
    results = [model.encoder.conv_in, model.decoder.conv_in]
    for module in model.modules():
        if isinstance(module, ResnetBlock2D):
            results += [
                module.conv1,
                *([module.conv_shortcut] if module.conv_shortcut is not None else []),
            ]
        elif isinstance(module, (Downsample2D, Upsample2D)):
            results.append(module.conv)
    return results


def anchor_readers(model: AutoencoderKL) -> list[nn.Conv2d]:
    """Convolutions that see the anchor, and must not.

    Its column would learn a hundred times faster than the others.
    """
    return [
        module.conv for module in model.modules() if isinstance(module, (Downsample2D, Upsample2D))
    ] + [
        module.conv_shortcut
        for module in model.modules()
        if isinstance(module, ResnetBlock2D) and module.conv_shortcut is not None
    ]


@torch.no_grad()
def add_anchors(model: AutoencoderKL) -> AutoencoderKL:
    """Anchors in place, residual branches that begin at nothing, and signals that keep their size:
    no norm mends them.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias)
    for convolution in anchor_writers(model):
        convolution.weight[0], convolution.bias[0] = 0, ANCHOR
    for convolution in anchor_readers(model):
        convolution.weight[:, 0] = 0
    for module in model.modules():
        if isinstance(module, ResnetBlock2D):
            module.conv2.weight.zero_()
            module.conv2.bias.zero_()
        elif isinstance(module, nn.GroupNorm):
            assert module.num_groups == 1
            module.weight.fill_(ANCHOR * (module.num_channels - 1) ** 0.5 / module.num_channels)
            module.bias.fill_(ANCHOR / module.num_channels)
            module.weight[0], module.bias[0] = 0, 0
    return model


def freeze_anchors(model: AutoencoderKL) -> None:
    """Keep the anchors where they are while the rest is trained."""
    for convolution in anchor_writers(model):
        mask_gradient(convolution.weight, 0)
        mask_gradient(convolution.bias, 0)
    for convolution in anchor_readers(model):
        mask_gradient(convolution.weight, (slice(None), 0))
    for module in model.modules():
        if isinstance(module, ResnetBlock2D):
            mask_gradient(module.conv2.weight, 0)
            mask_gradient(module.conv2.bias, 0)
        elif isinstance(module, nn.GroupNorm):
            mask_gradient(module.weight, 0)
            mask_gradient(module.bias, 0)


def mask_gradient(parameter: nn.Parameter, place: int | tuple[slice, int]) -> None:
    """No gradient for a part of a parameter; one that is frozen has none anyway."""
    if not parameter.requires_grad:
        return

    def masked(gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        gradient[place] = 0
        return gradient

    parameter.register_hook(masked)
