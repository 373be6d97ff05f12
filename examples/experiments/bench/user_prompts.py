"""What a stranger would ask for, three seeds each, on sheets to be judged by eye.

python -m examples.experiments.bench.user_prompts [--model sticker-mini] [--lists dev|test]
    [--out FOLDER]

Could one of the three be sent to somebody? The prompts (user_prompts.txt) were written by somebody
who knew no training caption. Half of them are sealed in user_prompts_test.txt, to be read once, for
the result: `--lists test` opens them. Sheets of 25 prompts lie in FOLDER; what an eye finds goes
into RESULTS.md.
"""

import argparse
import base64
import hashlib
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

from examples.experiments.bench.bench_images import run_generate

HERE = Path(__file__).resolve().parent
SEEDS, COLUMNS, ROWS, SIDE = (1, 2, 3), 5, 5, 128


def read_prompts(which: str) -> list[str]:
    """Those of a list; of the sealed one each is held against its sha256."""
    if which == "dev":
        return [
            line
            for line in (HERE / "user_prompts.txt").read_text().splitlines()
            if not line.startswith("#")
        ]
    lines = [
        line
        for line in (HERE / "user_prompts_test.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    result = (
        zlib.decompress(base64.b64decode(lines[-1].removeprefix("sealed "))).decode().splitlines()
    )
    assert [hashlib.sha256(prompt.encode()).hexdigest() for prompt in result] == lines[:-1], (
        "user_prompts_test.txt is not what was sealed"
    )
    return result


def generate_images(prompts: list[str], model: str, folder: Path) -> None:
    """Make what is missing."""
    rows = [
        {"id": f"wish-{number:03d}-{seed}", "prompt": prompt, "seed": seed, "style": "sticker"}
        for number, prompt in enumerate(prompts)
        for seed in SEEDS
    ]
    run_generate(rows, folder, ["--model", model, "--quiet"])


def write_sheets(prompts: list[str], folder: Path) -> list[Path]:
    """All pictures, each prompt's beside each other over its words."""
    results, each = [], COLUMNS * ROWS
    for start in range(0, len(prompts), each):
        page = Image.new(
            "RGB", (COLUMNS * (len(SEEDS) * SIDE + 12), ROWS * (SIDE + 20)), (206, 206, 206)
        )
        pen = ImageDraw.Draw(page)
        for place, prompt in enumerate(prompts[start : start + each]):
            x, y = place % COLUMNS * (len(SEEDS) * SIDE + 12), place // COLUMNS * (SIDE + 20)
            for number, seed in enumerate(SEEDS):
                path = folder / "pictures" / f"wish-{start + place:03d}-{seed}.png"
                if path.exists():  # else nothing was left to draw
                    picture = Image.open(path).convert("RGBA")
                    page.paste(picture, (x + number * SIDE, y), picture)
            pen.text(
                (x + 4, y + SIDE + 2),
                f"{start + place + 1}. {prompt}"[:64],
                fill=(0, 0, 0),
                font_size=12,
            )
        results.append(folder / f"sheet-{start // each + 1}.png")
        page.save(results[-1])
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="sticker-mini")
    parser.add_argument("--lists", choices=("dev", "test"), default="dev")
    parser.add_argument("--out", type=Path, default=Path("user-prompts"))
    args = parser.parse_args()
    wanted, place = read_prompts(args.lists), args.out / f"{Path(args.model).name}-{args.lists}"
    generate_images(wanted, args.model, place)
    print("\n".join(map(str, write_sheets(wanted, place))))
