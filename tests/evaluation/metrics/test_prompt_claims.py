"""What prompts claim."""

import pytest

from stickerforge.evaluation.metrics.prompt_claims import parse_claims, vocabulary

NAMES = {
    "cat face": "cat face",
    "dog face": "dog face",
    "dragon": "dragon",
    "dragon face": "dragon face",
    "red apple": "apple",
    "astronaut": "astronaut",
    "crown": "crown",
    "cherry": "cherry",
    "top hat": "top hat",
    "hot dog": "hot dog",
    "T-Rex": "T-Rex",
    "fox": "fox",
    "beach with umbrella": "beach",
    "woman’s hat": "hat",
}
COLOURS, STYLES = ("red", "green", "blue", "pale blue"), ("noto", "fluent", "high-contrast")


@pytest.mark.parametrize(
    "prompt, things, colours, count, style",
    [
        ("a cat", ["cat face"], [], 0, ""),
        ("cat astronaut, in fluent style", ["cat face", "astronaut"], [], 0, "fluent"),
        ("three red apples", ["apple"], ["red"], 3, ""),
        ("two cherries and a fox", ["cherry", "fox"], [], 3, ""),
        ("2 foxes, noto style", ["fox"], [], 2, "noto"),
        ("a blue dog wearing a top hat", ["dog face", "top hat"], ["blue"], 0, ""),
        ("a hot dog", ["hot dog"], [], 0, ""),
        ("a dragon face", ["dragon face"], [], 0, ""),
        ("a dragon", ["dragon"], [], 0, ""),
        ("a green dinosaur on a red ground", ["T-Rex"], ["green"], 0, ""),
        (
            "a fox, high-contrast style, on a ground that fades from red to blue",
            ["fox"],
            [],
            0,
            "high-contrast",
        ),
        ("a fox on a blue background, red crown", ["fox", "crown"], ["red"], 0, ""),
        ("something else entirely", [], [], 0, ""),
        ("six foxes", ["fox"], [], 0, ""),
        ("CAT", ["cat face"], [], 0, ""),
        ("a cat in a red hat on a blue background", ["cat face"], ["red"], 0, ""),
        ("two kids eating a hot dog", ["hot dog"], [], 0, ""),
        ("three friends and a dog", ["dog face"], [], 0, ""),
        ("two small red foxes", ["fox"], ["red"], 2, ""),
        ("a woman's hat", ["hat"], [], 0, ""),
        ("a fox on a pale blue and red background", ["fox"], [], 0, ""),
    ],
)
def test_claims(prompt, things, colours, count, style):
    found = parse_claims(prompt, vocabulary(NAMES), COLOURS, STYLES)
    assert (list(found.things), list(found.colours), found.count, found.style) == (
        things,
        colours,
        count,
        style,
    )
