"""Does customize teach? Held-out subjects, taught from three styles, asked for in the fourth and in scenes.

python examples/mini/teach.py [--subjects 8] [--drift 2]      needs data/ (fetch.py, art.py); results in runs/teach

Each subject is taught with default settings from its renders in three of the four styles (the fourth rotates).
Then it is asked for in the fourth style and in five scenes, two pictures each, with the adapter and, as its class
words, without. A picture counts where the nearest of all renders (32 px, as in gate.py) shows the subject.
Drift: how far pictures for 50 prompts without the new word move while the adapter is on (root mean square over
premultiplied pixels), for DCO and for plain training of several lengths, interpolated at DCO's training error. That
error is measured afterwards, on the references under 240 fixed draws of noise and timestep.
"""

import argparse
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from art import Subject, load, withheld_names
from gate import drawn, render_vectors, vector
from scenes import Scenes
from settings import RUNS, STYLES

HOME = RUNS / "teach"
TAUGHT = ("llama", "whale", "tulip", "banana", "hedgehog", "pineapple", "axe", "tent")  # chosen before anything was trained
SCENES = ("a {} wearing a crown", "a {} wearing glasses", "a red {}", "a {}, mirrored", "a {} on a blue background")
TIMES = 2  # pictures per prompt
BATCH = 12
STEPS, GUIDANCE = 12, 2.0


def references(subject: Subject, scenes: Scenes, held: int) -> Path:
    """A folder with the subject's renders in three styles."""
    folder = HOME / "pictures" / subject.name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for style in range(len(STYLES)):
        if style != held:
            premultiplied = np.ascontiguousarray(scenes.sprite(subject, style))
            picture = Image.frombuffer("RGBa", premultiplied.shape[1::-1], premultiplied.tobytes(), "raw", "RGBa", 0, 1)
            picture.convert("RGBA").save(folder / f"{STYLES[style]}.png")
    return folder


def family_with(names: list[str]):
    """sticker-mini with these adapters on."""
    from stickerforge.commands.adapted import attach, in_use
    from stickerforge.models.catalog import located
    from stickerforge.models.loading import load as load_model

    family = load_model(located("sticker-mini"), torch.device("cpu"), torch.float32)
    attached = attach(family, [in_use(name) for name in names])
    family.adapters.use(dict.fromkeys(attached.values(), 1.0))
    return family


def taught(subject: Subject, scenes: Scenes, held: int, name: str, **training) -> dict[str, float]:
    """Run customize; returns its figures and how long it took."""
    from stickerforge.commands.customize import customize

    settings = {"subject": subject.name, "name": name, "preview.count": 0} | {f"training.{key}": value for key, value in training.items()}
    started = time.monotonic()
    made = customize(references(subject, scenes, held), settings=settings, force=True)
    return made.figures | {"seconds": time.monotonic() - started}


@torch.no_grad()
def training_error(name: str, draws: int = 240) -> float:
    """Squared error of an adapter on its references, always under the same draws."""
    from stickerforge.adapters.store import folder
    from stickerforge.objectives.dco import squared_error

    family = family_with([name])
    captions = {row["picture"]: row["caption"] for row in map(json.loads, (folder(name) / "captions.jsonl").read_text().splitlines())}
    errors = []
    for number, (path, caption) in enumerate(sorted(captions.items())):
        rgba = (
            np.asarray(Image.open(path).convert("RGBa").resize((family.pixels, family.pixels), Image.Resampling.LANCZOS), np.float32) / 255
        )
        mean, _ = family.encode(torch.from_numpy(rgba.transpose(2, 0, 1).copy())[None])
        count = draws // len(captions)
        noise = torch.randn((count, *mean.shape[1:]), generator=torch.Generator().manual_seed(number))
        timesteps = torch.linspace(0, family.timesteps - 1, count).long()
        latents = mean.expand(count, *mean.shape[1:])
        text = family.encode_prompt([caption]).expanded(count)
        prediction = family.predict(family.noised(latents, noise, timesteps), timesteps, text)
        errors.append(float(squared_error(prediction, family.target(latents, noise, timesteps)).mean()))
    return float(np.mean(errors))


def shares(pictures: list[np.ndarray], subject: Subject, subjects: list[Subject], vectors: np.ndarray) -> list[bool]:
    """Whether the nearest render of each picture is the subject's."""
    return [
        subjects[int(np.square(vectors - vector(picture)).mean(1).argmin()) // len(STYLES)].index == subject.index for picture in pictures
    ]


def asked(subject: Subject, held: int, word: str) -> list[str]:
    """The prompts: the style that was not shown, and the scenes in the house style."""
    return [f"a {word} in {STYLES[held]} style", *(f"{scene.format(word)}, in fluent style" for scene in SCENES)]


def teaching(subjects: list[Subject], scenes: Scenes, chosen: list[Subject]) -> dict:
    """The first table."""
    vectors, rows, sheet = render_vectors(subjects, scenes.sprites), [], []
    for number, subject in enumerate(chosen):
        held = number % len(STYLES)
        name = subject.name.replace(" ", "-")
        figures = taught(subject, scenes, held, name)
        row = {"subject": subject.name, "held_style": STYLES[held]} | figures
        for kind, family, word in (("with", family_with([name]), f"<{name}>"), ("without", family_with([]), subject.name)):
            prompts = [prompt for prompt in asked(subject, held, word) for _ in range(TIMES)]
            pictures = drawn(prompts, STEPS, GUIDANCE, BATCH, family)
            row[kind] = shares(pictures, subject, subjects, vectors)
            sheet.append(np.concatenate([p[..., :3] + 0.8 * (1 - p[..., 3:]) for p in pictures], 1))
        rows.append(row)
        print(f"{subject.name:12} with {np.mean(row['with']):.0%} without {np.mean(row['without']):.0%} {figures}", flush=True)
    Image.fromarray((np.concatenate(sheet) * 255).clip(0, 255).astype(np.uint8)).save(HOME / "teach.png")
    with_adapter, without = (float(np.mean([row[kind] for row in rows])) for kind in ("with", "without"))
    print(f"nearest render is the taught subject: {with_adapter:.1%} with the adapter, {without:.1%} without")
    return {"rows": rows, "with": with_adapter, "without": without}


def drift(subjects: list[Subject], scenes: Scenes, chosen: list[Subject], lengths: tuple[float, ...] = (0.15, 0.3, 0.6, 1.0)) -> list[dict]:
    """The second table."""
    learned = [s for s in subjects if s.kind]
    rng = np.random.default_rng(5)
    prompts = [f"{learned[i].name} in {STYLES[int(rng.integers(4))]} style" for i in rng.choice(len(learned), 50, replace=False)]
    base = np.stack(drawn(prompts, STEPS, GUIDANCE, BATCH, family_with([])))
    rows = []
    for number, subject in enumerate(chosen):
        name, held = subject.name.replace(" ", "-"), number % len(STYLES)

        def measured(adapter: str) -> dict[str, float]:
            moved = np.stack(drawn(prompts, STEPS, GUIDANCE, BATCH, family_with([adapter])))
            return {
                "error": training_error(adapter),
                "drift": float(np.sqrt(np.square(moved - base).mean())),
            }

        from stickerforge.adapters import store

        dco, plain = measured(name), []
        for share in lengths:
            other, steps = f"{name}-plain-{round(100 * share)}", max(1, round(share * store.found(name).made["steps"]))
            taught(subject, scenes, held, other, objective="plain", steps=steps)
            plain.append(measured(other))
        errors, drifts = ([row[key] for row in sorted(plain, key=lambda row: row["error"])] for key in ("error", "drift"))
        inside = errors[0] <= dco["error"] <= errors[-1]
        equal = float(np.interp(dco["error"], errors, drifts)) if inside else None
        rows.append({"subject": subject.name, "dco": dco, "plain": plain, "plain_at_equal_error": equal})
        print(f"{subject.name:12} drift: dco {dco}, plain at the same error {equal}; plain {plain}", flush=True)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=len(TAUGHT))
    parser.add_argument("--drift", type=int, default=2, help="subjects of the second table")
    parser.add_argument("--names", default="", help="other subjects, comma-separated: for development")
    args = parser.parse_args()
    os.environ["STICKERFORGE_HOME"] = str(HOME / "home")
    everything, sprites = load()
    by_name = {subject.name: subject for subject in everything}
    wanted = [by_name[name] for name in (args.names.split(",") if args.names else TAUGHT[: args.subjects])]
    assert {subject.name for subject in wanted} <= withheld_names()
    HOME.mkdir(parents=True, exist_ok=True)
    all_scenes = Scenes(everything, sprites)
    results = {"teaching": teaching(everything, all_scenes, wanted)}
    results["drift"] = drift(everything, all_scenes, wanted[: args.drift])
    (HOME / "teach.json").write_text(json.dumps(results, indent=1, default=float))
