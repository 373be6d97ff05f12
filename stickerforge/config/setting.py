"""A setting, declared once: its default, help text, bounds and flag on the dataclass field.

`resolve` checks values against it, the command line makes its options of it, and docs/settings.md
is a table of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar, get_args, get_type_hints

Config = TypeVar("Config")

# The default of a field that the model's card, or else the method, fills in before work begins.
# It is None until then, but the field is typed as what it holds afterwards: `steps: int`.
UNSET: Any = None

METADATA_KEY = "setting"


@dataclass(frozen=True)
class Setting:
    """What is known of a setting.

    Args:
        default: value without the user's; UNSET where the model or the method fills it in.
        help: a sentence for `--help` and the reference.
        details: further sentences, for the reference only.
        default_text: the default in words, where the value does not say it.
        low, high: bounds, both included; both None for none.
        flag, short: its options ("--steps", "-s"); "" for none.
        argument: whether it is the positional argument of its command.
        metavar: what stands for its value in `--help`; "" for the type's.
        words: values that its option takes as a word ("native" for 0).
        panel: heading of its option in `--help`; "" for the usual one.
        alias: the dotted name that it had in earlier versions; "" for none.
        path: whether it takes a path, or a name in whose place a path may stand.
        name: dotted name within its command's configuration ("sampling.steps").
        annotation: type of its value.
    """

    default: Any
    help: str
    details: str = ""
    default_text: str = ""
    low: float | None = None
    high: float | None = None
    flag: str = ""
    short: str = ""
    argument: bool = False
    metavar: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)
    panel: str = ""
    alias: str = ""
    path: bool = False
    name: str = ""
    annotation: Any = None

    def __post_init__(self) -> None:
        """A declaration that contradicts itself is a bug, found on import."""
        if not self.help:
            raise TypeError("a setting needs a help text")
        if (self.low is None) != (self.high is None):
            raise TypeError("give both bounds, or none")
        if isinstance(self.default, int | float) and not self.allows(self.default):
            raise TypeError(f"the default {self.default} is out of bounds")

    @property
    def default_in_words(self) -> str:
        """The default for people; "" where nothing is the default."""
        if self.default_text:
            return self.default_text
        if self.default is None:
            return "" if type(None) in get_args(self.annotation) else "the model's"
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return "" if self.default in ("", ()) else str(self.default)

    def allows(self, value: float) -> bool:
        """Whether a number is within the bounds; NaN is not."""
        return self.low is None or self.high is None or self.low <= value <= self.high


def setting(
    default: Any,
    help: str,
    *,
    details: str = "",
    default_text: str = "",
    low: float | None = None,
    high: float | None = None,
    flag: str = "",
    short: str = "",
    argument: bool = False,
    metavar: str = "",
    words: Mapping[str, Any] | None = None,
    panel: str = "",
    alias: str = "",
    path: bool = False,
) -> Any:
    """A dataclass field with everything that is known of a setting; the arguments of `Setting`."""
    declaration = Setting(
        default,
        help,
        details=details,
        default_text=default_text,
        low=low,
        high=high,
        flag=flag,
        short=short,
        argument=argument,
        metavar=metavar,
        words=words or {},
        panel=panel,
        alias=alias,
        path=path,
    )
    return field(default=default, metadata={METADATA_KEY: declaration})


def settings_of(kind: type, prefix: str = "") -> dict[str, Setting]:
    """Every setting of a configuration by its dotted name, sections included, in their order."""
    settings: dict[str, Setting] = {}
    annotations = get_type_hints(kind)
    for item in fields(kind):
        name, annotation = prefix + item.name, annotations[item.name]
        if is_dataclass(annotation):
            settings |= settings_of(annotation, f"{name}.")  # type: ignore[arg-type]
        else:
            declaration = item.metadata[METADATA_KEY]
            settings[name] = replace(declaration, name=name, annotation=annotation)
    return settings


def fill_unset(config: Config, recommended: Mapping[str, Any]) -> Config:
    """The configuration with each field that is None set to what is recommended, if anything is."""
    values = {
        item.name: recommended[item.name]
        for item in fields(config)  # type: ignore[arg-type]
        if getattr(config, item.name) is None and item.name in recommended
    }
    return replace(config, **values)  # type: ignore[type-var]
