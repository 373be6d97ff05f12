"""The settings of `stickerforge evaluate`."""

from dataclasses import dataclass

from stickerforge.config.schema.common import device_setting
from stickerforge.config.setting import setting


@dataclass(frozen=True)
class EvaluateConfig:
    """`stickerforge evaluate`."""

    pictures: str = setting("", "A folder of stickers.", argument=True, path=True)
    prompts: str = setting(
        "",
        "What was asked for; ids are file names.",
        details="Without it: what the pictures remember.",
        flag="--prompts",
        metavar="FILE",
        path=True,
    )
    reference: str = setting(
        "", "Pictures of the subject.", flag="--reference", metavar="FOLDER", path=True
    )
    style_reference: str = setting(
        "",
        "Pictures in the style.",
        flag="--style-reference",
        metavar="FOLDER",
        path=True,
    )
    baseline: str = setting(
        "",
        "Stickers for the same prompts.",
        flag="--baseline",
        metavar="FOLDER",
        path=True,
    )
    encoder: str = setting(
        "judge",
        "judge, second, clip, siglip, dinov2 or a folder.",
        flag="--encoder",
        metavar="NAME|FOLDER",
        path=True,
    )
    metrics: tuple[str, ...] = setting(
        (),
        "Only these, for example cutout,alignment.",
        details="Names of metrics or of groups; without it all that can be had.",
        flag="--metrics",
    )
    reward: tuple[str, ...] = setting(
        (),
        "pickscore, aesthetic, vqascore, hpsv2=FOLDER or lpips=FILE.",
        flag="--reward",
        metavar="KIND[=PLACE]",
    )
    fail_under: tuple[str, ...] = setting(
        (),
        "Exit 5 where a figure is worse; may be given again.",
        flag="--fail-under",
        metavar="METRIC=VALUE",
    )
    device: str = device_setting("Of an encoder other than the judges.")
    allow_small: bool = setting(False, "Give distances even of sets that are too small for them.")
    out: str = setting(
        "evaluation",
        "Where to write the report.",
        flag="--out",
        short="-o",
        metavar="FOLDER",
        path=True,
    )
