"""Gates of a mixture of low-rank adapters (VersaT2I, Guo et al., arXiv:2403.18493).

A layer computes h = W x + sum_a g_a B_a A_a x. What is published says that the gates g are held in
balance; what they read and the form of the balance are ours.

Shapes: B images; L layers; A adapters; D width of the pooled text; U = D + TIME_WIDTH + 1.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

TIME_WIDTH = 64  # sines and cosines of a timestep
LONGEST_PERIOD = 10_000.0  # of these, over 2 pi, in timesteps


def gate_width(text_width: int) -> int:
    """U, from D."""
    return text_width + TIME_WIDTH + 1


def gate_inputs(text: Tensor, timestep: Tensor) -> Tensor:
    """What gates read, u, (B, U): the text, the timestep, and a 1, each of length 1.

    So a step of the optimizer changes gates alike whatever the width of a model's text is. A text
    that is the same everywhere, as one of zeros, counts for nothing.

    Args:
        text: pooled, (B, D).
        timestep: () or (B,).
    """
    width, count = text.shape[-1], len(text)
    own = F.layer_norm(text.float(), (width,)) / math.sqrt(width)
    time = time_embedding(timestep.to(text.device)).expand(count, -1)
    return torch.cat([own, time, torch.ones(count, 1, device=text.device)], 1)


def time_embedding(timestep: Tensor) -> Tensor:
    """Sines and cosines of timesteps, (1 or B, TIME_WIDTH), each row of length 1.

    Args:
        timestep: () or (B,).
    """
    half = TIME_WIDTH // 2
    rows = timestep.float().reshape(-1, 1)
    exponents = torch.arange(half, device=timestep.device) / half
    angles = rows * torch.exp(-math.log(LONGEST_PERIOD) * exponents)
    return torch.cat([angles.sin(), angles.cos()], 1) / math.sqrt(half)


def mixture_gates(weights: Tensor, inputs: Tensor, temperature: float) -> Tensor:
    """g = softmax(W_g u / temperature) of every layer, (B, L, A); they sum to 1.

    Args:
        weights: W_g of every layer, (L, A, U); all zeros weigh the adapters alike.
        inputs: u, (B, U).
        temperature: above 0; higher ones weigh the adapters more alike.
    """
    return (torch.einsum("lau,bu->bla", weights, inputs) / temperature).softmax(-1)


def balance(gates: Tensor) -> Tensor:
    """A sum_a P_a^2, P the mean gates of a batch, averaged over layers: a scalar in [1, A].

    It is 1 where all adapters are used alike and A where one is used alone: the term of the Switch
    Transformer (arXiv:2101.03961, Equation 4), A sum_a f_a P_a, with the mean gate for f_a, too.
    With the share of images whose largest gate is a's, as there, it may fall below 1.

    Args:
        gates: (B, L, A).
    """
    use = gates.mean(0)
    return use.shape[-1] * use.square().sum(-1).mean()
