"""Networks with all of their weights: those of which some are missing are refused.

The libraries make up what a folder lacks, which draws other pictures in silence.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from jinja2 import TemplateError
from safetensors import SafetensorError

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.card import read_schema
from stickerforge.models.model_files import ShardIndex
from stickerforge.models.network_config import CONFIG, check_network_config
from stickerforge.models.origin import broken_model
from stickerforge.models.pretrained import load_network
from stickerforge.runtime.device import memory_fault
from stickerforge.runtime.install_hints import install_command
from stickerforge.runtime.text import plural

# What the libraries raise over folders that are cut short, of another kind, or need what is not
# installed.
LOAD_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
    TemplateError,
)
STEM = r"(?:diffusion_pytorch_model|model)"
# model.safetensors, model.fp16.safetensors, model-00001-of-00002.fp16.safetensors, and so on.
WEIGHTS = re.compile(rf"{STEM}(?:-\d+-of-\d+)?(?:\.(?P<variant>\w+))?(?:-\d+-of-\d+)?\.safetensors")
INDEX = re.compile(rf"{STEM}\.safetensors\.index(?:\.(?P<variant>\w+))?\.json")
VARIANTS = ("", "fp32", "bf16", "fp16")  # the earlier ones are taken where there are several
PICKLED = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.msgpack")


def load_complete(kind: Any, folder: Path, dtype: Any = None, *, exact: bool = False) -> Any:
    """A network of which no weight is missing.

    Args:
        kind: a model class of transformers or diffusers, or one of transformers' auto classes.
        dtype: the precision that the weights are brought to; None for the library's choice.
        exact: whether tensors that the network does not know are a fault, too. Otherwise only those
            of further layers are: a folder may hold several networks.

    Raises:
        InputError: weights are missing, not finite, or not those of the configuration.
        EnvironmentFault: likewise in what was fetched or installed.
        Exception: what the library raises, see `LOAD_ERRORS`.
    """
    silence_libraries()
    if not (folder / CONFIG).exists():
        hint = f"give a folder with {CONFIG} and safetensors weights"
        raise broken_model(folder, f"{folder} holds no model: it has no {CONFIG}", hint)
    check_network_config(folder)
    options = {"variant": variant} if (variant := find_variant(folder)) else {}
    if dtype is not None:
        is_ours = kind.__module__.startswith("diffusers.")
        options["torch_dtype" if is_ours else "dtype"] = dtype
    network, info = load_network(
        kind, folder, output_loading_info=True, ignore_mismatched_sizes=True, **options
    )
    if fault := loading_fault(network, info, exact=exact) or weights_fault(network):
        raise broken_model(folder, f"{folder} {fault}")
    return network


def find_variant(folder: Path) -> str:
    """The variant of its weights that a folder is loaded by: "" for the plain one, or "fp16".

    Raises:
        InputError: there are no safetensors weights, or a file of them is missing.
        EnvironmentFault: a file of them is missing in what was fetched or installed.
    """
    files = sorted(path.name for path in folder.iterdir())
    matches = [
        match for name in files if (match := WEIGHTS.fullmatch(name) or INDEX.fullmatch(name))
    ]
    variants = {match["variant"] or "" for match in matches}
    if not variants:
        raise no_weights(folder)
    known = [variant for variant in VARIANTS if variant in variants]
    variant = known[0] if known else min(variants)
    for match in matches:
        if INDEX.fullmatch(match[0]) and (match["variant"] or "") == variant:
            check_shards(folder / match[0])
    return variant


def no_weights(folder: Path) -> InputError:
    """The error of a folder without safetensors weights; to fetch it again would not help."""
    pickled = sorted(path.name for kind in PICKLED for path in folder.glob(kind))
    return InputError(
        f"{folder} has only pickled weights ({pickled[0][:60]}), which are never loaded"
        if pickled
        else f"{folder} has no safetensors weights",
        "give a model that has safetensors weights",
    )


def check_shards(index: Path) -> None:
    """Make sure that all files of an index are there.

    Raises:
        InputError: the index is broken, or one is missing.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    for name in sorted(set(read_schema(index, ShardIndex).weight_map.values())):
        if not (index.parent / name).is_file():
            raise broken_model(index, f"{index.parent} lacks {name}")


def loading_fault(network: Any, info: Mapping[str, Any], *, exact: bool) -> str:
    """What a library's loading information says is wrong, with the first tensor; "" for nothing."""
    if missing := sorted(map(str, info["missing_keys"])):
        return f"lacks {plural(len(missing), 'weight')}, first {missing[0][:100]}"
    if mismatched := sorted(info["mismatched_keys"]):
        name, found, expected = mismatched[0]
        return f"has {str(name)[:100]} in shape {list(found)[:8]}, not {list(expected)}"
    unexpected = sorted(map(str, info["unexpected_keys"]))
    if not exact:
        layers = {without_numbers(name) for name in network.state_dict()}
        unexpected = [name for name in unexpected if without_numbers(name) in layers]
    if unexpected:
        number = plural(len(unexpected), "weight")
        return f"has {number} that its {CONFIG} does not know, first {unexpected[0][:100]}"
    errors = list(info.get("error_msgs") or ())
    return f"cannot be read: {str(errors[0])[:160]}" if errors else ""


def weights_fault(network: Any) -> str:
    """What is wrong with the numbers of a network, with the first tensor; "" for nothing."""
    for name, weight in network.named_parameters():  # a single one spoils everything
        # Without a copy of the weight, as `isfinite` makes one.
        if weight.numel() and not all(bound.isfinite() for bound in weight.detach().aminmax()):
            return f"has weights that are not finite, first {name[:100]}"
    return ""


def without_numbers(name: str) -> str:
    """A tensor's name that is the same for all layers of its sort."""
    return re.sub(r"\d+", "#", name)


@contextmanager
def load_faults(folder: Path, what: str) -> Iterator[None]:
    """Turn what a library raises over a folder into one line.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: what was fetched is broken, does not fit the memory, or needs a package
            that is not there.
    """
    silence_libraries()
    try:
        yield
    except Exception as error:
        # Those of tokenizers are of no kind of their own.
        if not isinstance(error, LOAD_ERRORS) and type(error) is not Exception:
            raise
        if memory := memory_fault(error, "use a smaller model, or --device cpu"):
            raise memory from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        if isinstance(error, ImportError):
            needs_torchvision = "torchvision" in reason.lower()
            raise EnvironmentFault(
                f"{folder} needs what is not installed: {reason}",
                install_command("torchvision") if needs_torchvision else "give another model",
            ) from None
        raise broken_model(folder, f"{folder} cannot be read: {reason}", f"give {what}") from None


def silence_libraries() -> None:
    """Keep the remarks and bars of transformers and diffusers from stderr, as --quiet promises."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if "diffusers" in sys.modules:
        import diffusers

        diffusers.logging.set_verbosity_error()
        diffusers.logging.disable_progress_bar()
