"""Names of files hang on a digest of everything that decides a picture: twenty calls keep theirs, whatever is moved or renamed here.

They change with the weights of sticker-mini, and only then may the names below be replaced by those that a failure prints.
"""

import json

import pytest

NAMES = {
    "dog": ("dog-3-4c138795.png", "dog-4-3c61597d.png"),
    "dog --style sticker": ("dog-3-a425ef87.png", "dog-4-b3e3baae.png"),
    "dog --style flat": ("dog-3-8d06b717.png", "dog-4-18678f92.png"),
    "dog --style noto": ("dog-3-8d61ff2d.png", "dog-4-a9e287f2.png"),
    "dog --style twemoji": ("dog-3-25206b22.png", "dog-4-eada3638.png"),
    "dog --negative grass": ("dog-3-0f9a46e8.png", "dog-4-fcbee1b8.png"),
    "dog --size native": ("dog-3-aa1d98fa.png", "dog-4-228a7454.png"),
    "dog --size 256": ("dog-3-b9bf45a2.png", "dog-4-67bcaca2.png"),
    "dog --format webp": ("dog-3-58ce5e44.webp", "dog-4-572952c8.webp"),
    "dog --steps 5": ("dog-3-b0f41bf2.png", "dog-4-ad0d1d51.png"),
    "dog --guidance 3.5": ("dog-3-b3c9ccd2.png", "dog-4-171763cb.png"),
    "dog --set sampling.scheduler=dpm++": ("dog-3-b01e49ea.png", "dog-4-ea1a4135.png"),
    "dog --set sampling.guidance_rescale=0.5": ("dog-3-99cd1495.png", "dog-4-3b4bad23.png"),
    "dog --set output.colours=flat": ("dog-3-c6da2279.png", "dog-4-d9e91ab2.png"),
    "dog --set output.colours=drawn": ("dog-3-2a8ecb87.png", "dog-4-f98ba731.png"),
    "dog --set output.prompt=false": ("sticker-3-4c138795.png", "sticker-4-3c61597d.png"),
    "dog --matting none": ("dog-3-1cdda8c4.png", "dog-4-7292c4c7.png"),
    "dog on a blue background": (
        "dog-on-a-blue-background-3-b1654943.png",
        "dog-on-a-blue-background-4-53fec30d.png",
    ),
    "dog in flat style": ("dog-in-flat-style-3-c35a9d96.png", "dog-in-flat-style-4-12bf70c5.png"),
    "Çà et là, 猫!": ("ca-et-la-3-d3decd69.png", "ca-et-la-4-aa08d1f7.png"),
}


@pytest.mark.parametrize("call", NAMES)
def test_twenty_calls_keep_the_names_of_their_files(cli, call):
    prompt, *options = call.split(" --", 1)
    words = f"--{options[0]}".split(" ") if options else []
    ended = cli("generate", prompt, *words, "--seed", 3, "--count", 2, "--dry-run", "--json")
    writes = [path.split("/")[-1] for path in json.loads(ended.out)["result"]["writes"]]
    assert tuple(writes[:2]) == NAMES[call]
