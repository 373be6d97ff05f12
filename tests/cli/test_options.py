"""Options are made from settings; which there are is frozen."""

import dataclasses
from inspect import Parameter, Signature

import pytest
import typer
from typer.main import get_command

from stickerforge.cli import customize, evaluate, generate, tailor
from stickerforge.cli.app import app
from stickerforge.cli.options import flagged, option_value, options_from, settings_from
from stickerforge.config.reference import CONFIGS
from stickerforge.config.setting import setting, settings_of
from stickerforge.config.style_presets import style_presets
from tests.conftest import one_line

COMMON = {"--json", "--config", "--set", "--dry-run", "--offline", "--quiet", "-q"}
OPTIONS = {
    "generate": "--prompts --style -s --subject --adapter --count -n --seed --out -o --size"
    " --format --negative --init --image-prompt --control --steps --guidance --model"
    " -m --from --force --device",
    "customize": "--subject --style -s --class --name --steps --batch --rank --lr --beta"
    " --objective --mask --resolution --model -m --seed --keep --resume --force --device",
    "caption": "--subject --class --captioner --style -s --review --take --device",
    "tailor prompt": "--reward --name --model -m --adapter --steps --batch --rank --lr --length"
    " --reward-model --resolution --seed --resume --force --device",
    "tailor reward": "--prompts --aspects --name --count -n --rounds --model -m --steps --batch"
    " --rank --lr --resolution --seed --resume --force --device",
    "tailor alpha": "--name --model -m --steps --batch --lr --resolution --seed --resume --force"
    " --device",
    "tailor image": "--name --model -m --adapter --variant --steps --batch --lr --resolution --seed"
    " --resume --force --device",
    "tailor style": "--name --stage --arm --init-from --ratings --model -m --steps --batch --rank"
    " --lr --resolution --seed --resume --force --device",
    "merge": "--name --rename --force",
    "rate": "--question --against --rater --port --out -o --ratings --export",
    "evaluate": "--prompts --reference --style-reference --baseline --encoder --metrics --reward"
    " --fail-under --compare --out -o --device",
}
OTHERS = {
    "adapters list": "--json --offline --quiet -q",
    "adapters show": "--json --offline --quiet -q",
    "adapters export": "--model -m --json --dry-run --offline --quiet -q",
    "adapters bake": "--name --prompt --timestep --average --model -m --force --json --dry-run"
    " --offline --quiet -q",
    "adapters remove": "--json --dry-run --offline --quiet -q",
    "models list": "--json --offline --quiet -q",
    "models show": "--json --offline --quiet -q --words --sheet --group",
    "doctor": "--json --offline --quiet -q",
}
ORDERS = {
    "generate": generate.ORDER,
    "caption": [],
    "customize": customize.ORDER,
    "tailor prompt": tailor.ORDER,
    "tailor reward": tailor.REWARD_ORDER,
    "tailor alpha": tailor.ALPHA_ORDER,
    "tailor image": tailor.IMAGE_ORDER,
    "tailor style": tailor.STYLE_ORDER,
    "merge": [],
    "rate": [],
    "evaluate": evaluate.ORDER,
}


def parameters(name: str) -> list:
    """The parameters of a command of the application."""
    command = get_command(app)
    for word in name.split():
        command = command.commands[word]
    return command.params


def option_names(name: str) -> set[str]:
    """Every option of a command, short ones too."""
    return {
        text
        for parameter in parameters(name)
        for text in [*parameter.opts, *parameter.secondary_opts]
        if text.startswith("-")
    }


def test_every_command_is_frozen():
    top = get_command(app).commands
    names = {
        f"{name} {sub}".strip()
        for name, command in top.items()
        for sub in getattr(command, "commands", [""])
    }
    assert names == {*OPTIONS, *OTHERS}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_commands_with_settings_are_frozen(name):
    """An option is a promise: add it here together with its documentation."""
    assert option_names(name) == {*OPTIONS[name].split()} | COMMON


@pytest.mark.parametrize("name", OTHERS)
def test_options_of_other_commands_are_frozen(name):
    assert option_names(name) == {*OTHERS[name].split()}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_flag_of_a_setting_is_in_the_help_with_its_text(name):
    shown = {text: item.help for item in parameters(name) for text in item.opts}
    for declaration in flagged(CONFIGS[name]):
        text = shown[declaration.flag or declaration.name]
        assert text.startswith(declaration.help)
        if default := declaration.default_in_words:
            assert text == f"{declaration.help} (default {default})"


@pytest.mark.parametrize("name", CONFIGS)
def test_the_order_names_each_setting_and_parameter_once(name):
    order = ORDERS[name]
    assert len(set(order)) == len(order)
    if order:
        own = {"force", "picture", "resume", "compare"}
        usual = {item.name for item in flagged(CONFIGS[name]) if not item.panel}
        assert usual <= set(order) <= usual | own


def test_an_order_cannot_name_what_is_not_there():
    with pytest.raises(KeyError, match="sampling.stepz"):
        options_from(CONFIGS["generate"], order=["sampling.stepz"])


def test_the_help_names_every_style():
    text = next(item.help for item in parameters("generate") if "--style" in item.opts)
    assert all(name in text for name in style_presets())


@dataclasses.dataclass(frozen=True)
class Section:
    """Settings of a part."""

    depth: float | None = setting(None, "How deep.", low=0.0, high=9.0, flag="--depth")
    secret: int = setting(3, "Has no option.", low=0, high=9)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a command that does not exist."""

    place: str = setting("", "Where.", argument=True)
    sides: int = setting(4, "Sides.", low=0, high=9, flag="--sides", short="-i", words={"round": 0})
    tags: tuple[str, ...] = setting((), "Tags.", flag="--tag")
    section: Section = Section()


def test_a_new_flag_is_an_option_at_once():
    """Declaring it on the field is enough: type, help, default and value follow."""
    application, calls = typer.Typer(), []

    def act(**arguments):
        calls.append(settings_from(Config, arguments))

    own = [Parameter("force", Parameter.KEYWORD_ONLY, default=False, annotation=bool)]
    act.__signature__ = Signature(options_from(Config, own, ["force"]))
    application.command()(act)
    command = get_command(application)
    names = [item.opts[0] for item in command.params]
    assert names[:5] == ["--force", "place", "--sides", "--tag", "--depth"]
    assert next(item for item in command.params if "-i" in item.opts).help == "Sides. (default 4)"
    words = ["here", "--sides", "round", "--tag", "a", "--tag", "b", "--depth", "2"]
    application(words, standalone_mode=False)
    application([], standalone_mode=False)
    assert calls == [
        {"place": "here", "sides": 0, "tags": ["a", "b"], "section.depth": 2.0},
        {},
    ]


@pytest.mark.parametrize(
    ("command", "name", "text", "value"),
    [
        ("generate", "output.size", "native", 0),
        ("generate", "output.size", "256", 256),
        ("generate", "output.size", "huge", "huge"),
        ("generate", "sampling.steps", 7, 7),
        ("generate", "output.format", "7", "7"),
        ("customize", "training.beta", "auto", "auto"),
        ("customize", "training.beta", "8", 8.0),
        ("customize", "training.beta", "much", "much"),
    ],
)
def test_numbers_and_words_of_options(command, name, text, value):
    result = option_value(settings_of(CONFIGS[command])[name], text)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize("name", OPTIONS)
def test_common_options_come_last_the_device_among_them(name):
    last = "--json --config --set --dry-run --offline --device --quiet".split()
    if name in ("merge", "rate"):  # no model runs
        last.remove("--device")
    assert [item.opts[0] for item in parameters(name)][-len(last) :] == last


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        ("generate cat --matting none", "give --set matting=VALUE"),
        ("generate cat --consistency 2", "give --set sampling.consistency=VALUE"),
        ("generate cat --mask a.png", "give --set init.mask=VALUE"),
        ("tailor prompt x --mode compat", "give --set long_prompts.mode=VALUE"),
        ("tailor prompt x --save-every 5", "give --set training.save_every=VALUE"),
        ("generate cat --sizee 3", "see --help"),
        ("doctor --mask a.png", "see --help"),
    ],
)
def test_an_option_that_is_a_setting_is_told_how_to_be_given(cli, call, hint):
    ended = cli(*call.split())
    assert ended.code == 2 and hint in one_line(ended)
