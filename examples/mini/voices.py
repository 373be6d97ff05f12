"""How people put what they want: the same scene in many voices, drawn anew each time.

python examples/mini/voices.py [--count 40]      a list of samples, each beside what it means

Words that change a picture (colours, numbers, sizes, places, what is worn) keep their meaning; moods, requests, picture words,
endings, words that mean nothing here and slips of the finger are to change nothing. What `examples/bench/wordings.txt` holds back
for the bench is in no list of this module; a test holds that.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backdrops import phrase
from captions import NUMBERS, article, noun, own_name, place, plural
from scenes import EYEWEAR
from world import Thing, Truth

MOODS = tuple(
    """adorable beautiful cute happy nice pretty sweet simple great good perfect lovable fabulous fantastic brilliant cheerful joyful
    playful friendly jolly merry graceful elegant stylish fancy classy cozy dreamy magical whimsical fluffy cuddly snuggly chubby
    kawaii clever smart brave bold proud calm gentle kind shy lazy sleepy excited lively energetic crazy wacky goofy dorky weird odd
    strange bizarre funky hip trendy modern vintage classic traditional ordinary normal regular typical basic plain clean neat crisp
    detailed realistic minimalist abstract artistic creative unique special rare original authentic real actual true favourite
    favorite beloved dear famous popular epic legendary heroic majestic mighty powerful strong royal noble fine superb splendid
    marvelous stunning breathtaking impressive incredible unbelievable outstanding excellent terrific magnificent glorious festive
    fresh young old new random certain lonely sad grumpy moody mysterious spooky ugly angelic heavenly tender warm homely rustic
    urban professional hilarious ridiculous absurd cheeky sassy spicy vibrant dazzling shiny glossy sparkly polished tasty yummy
    delicious juicy""".split()
)
INTENSE = tuple("very really so super extra totally quite pretty extremely too sooo".split())
VERBS = tuple(
    "draw make create generate show give get do design render produce send sketch craft imagine find".split()
)
POLITE = tuple("please pls plz kindly hey hello hi ok okay yo now".split())
ASKS = tuple(
    """i want/i need/i would like/i'd like/i'd love/we need/i wish for/looking for/give me/show me/get me/can you/could you/would you/
    will you/can i get/could i have/may i have/i am looking for/what i want is/let it be/let me have/try/wanna have/id like""".replace(
        "\n    ", ""
    ).split("/")
)
KINDS = tuple(
    """picture image photo pic drawing illustration icon emoji sticker cartoon graphic clipart logo sketch art artwork portrait doodle
    emote design print badge symbol render close-up view""".split()
)
PICTURES = tuple(
    "picture image photo pic drawing illustration icon emoji sticker cartoon sketch art artwork thanks thank lol".split()
)
LINKS = tuple("of of of with showing for featuring depicting".split())
ENDINGS = tuple(
    """please/pls/plz/thanks/thank you/thx/lol/haha/xd/ok/now/asap/!/!!/.../?/./:)/<3/for me/for us/for you/for whatsapp/for telegram/
    for kids/for school/for work/sticker/emoji/icon/picture/image/drawing/cartoon/illustration/clipart/vector/digital art/concept art/
    high resolution/hd/highly detailed/masterpiece/trending on artstation/sharp focus/very detailed/no text/without text/isolated/
    centered/cute style/kawaii/like this/if you can/as a sticker/as an emoji/just for today/you know/i love it/so cute/today/again/
    one more time/in the picture/to print/and make it nice/that i can send/which looks good/to cheer me up/when you are done""".replace(
        "\n    ", ""
    ).split("/")
)
QUALITY = tuple(
    "4k 8k 2k uhd 1080p 720p 16:9 300dpi 2x 4x 3d 2d 24/7 100% v2 hq 10/10 1:1 5star no.1".split()
)  # numbers that count nothing
RECEIVERS = tuple(
    """mom mum dad son wife husband sister brother grandma grandpa friend cousin niece nephew boss neighbour colleague teammate teacher
    class club band office website blog channel server profile page shop menu poster card mug wall fridge notebook diary project
    homework presentation newsletter meeting team family kids students followers fans girlfriend boyfriend buddy crush roommate
    album story status messenger keyboard collection scrapbook planner invitation banner flyer""".split()
)
DETERMINERS = (
    "my",
    "the",
    "this",
    "that",
    "your",
    "our",
    "his",
    "her",
    "another",
    "some",
    "any",
    "just a",
    "only a",
)
DRESSED = (
    "wearing {}",
    "with {}",
    "with {} on",
    "in {}",
    "who wears {}",
    "that wears {}",
    "having {} on",
)
SYLLABLES = tuple(
    """ba blo cra den do dri fa fle gom gra hu ib jo ka kle lo lum ma mip na nor ob pa plu qui ra sko ta tri ub ve wi xo yel za
    zim""".split()
)
MIRRORED = (
    "facing the other way",
    "mirrored",
    "flipped",
    "looking the other way",
    "turned around",
    "from the other side",
)
INVENTED = 0.2  # share of added adjectives that no language has
SLIP = 0.06  # share of captions with a slip of the finger in one of their words


@dataclass(frozen=True)
class Voiced:
    """One scene in two ways.

    Args:
        plain: as sticker-mini 2 was told it.
        said: as somebody might type it; means the same.
    """

    plain: str
    said: str


def chosen(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    """One of them."""
    return words[int(rng.integers(len(words)))]


def invented(rng: np.random.Generator) -> str:
    """A word that means nothing."""
    return "".join(chosen(rng, SYLLABLES) for _ in range(int(rng.integers(2, 4))))


def mood(rng: np.random.Generator) -> str:
    """An adjective that changes nothing, now and then two, or a stressed one."""
    word = invented(rng) if rng.random() < INVENTED else chosen(rng, MOODS)
    drawn = rng.random()
    if drawn < 0.12:
        return f"{chosen(rng, INTENSE)} {word}"
    if drawn < 0.25:
        return f"{chosen(rng, MOODS)}{chosen(rng, (' ', ', ', ' and '))}{word}"
    return word


def ending(rng: np.random.Generator) -> str:
    """What comes after the thing."""
    drawn = rng.random()
    if drawn < 0.45:
        return chosen(rng, ENDINGS)
    if drawn < 0.6:
        said = [
            chosen(rng, QUALITY),
            chosen(rng, ("quality picture", "high resolution", "detailed", "sharp", "", "")),
            chosen(rng, QUALITY),
        ]
        return ", ".join(part for part in said[: int(rng.integers(1, 4))] if part)
    if drawn < 0.7:
        return " ".join(invented(rng) for _ in range(int(rng.integers(1, 3))))
    receiver = invented(rng) if rng.random() < INVENTED else chosen(rng, RECEIVERS)
    kind = (
        f"{chosen(rng, RECEIVERS) if rng.random() < 0.5 else mood(rng)} "
        if rng.random() < 0.4
        else ""
    )
    whose = chosen(rng, ("my", "the", "our", "a", "his", "her"))
    return f"{chosen(rng, ('for', 'for', 'for', 'to give to', 'to show', 'on'))} {whose} {kind}{receiver}"


def opening(rng: np.random.Generator) -> str:
    """A request before the thing."""
    praise = f"{mood(rng)} " if rng.random() < 0.2 else ""
    kind = f"{chosen(rng, ('a ', 'an ', '', '', 'the ', 'some '))}{praise}{chosen(rng, KINDS)} {chosen(rng, LINKS)}"
    drawn = rng.random()
    if drawn < 0.35:
        return kind
    verb = chosen(rng, VERBS) + chosen(rng, ("", "", " me", " us", " for me"))
    ask = chosen(rng, ASKS)
    if ask.split()[0] in ("can", "could", "would", "will", "may") and ask.endswith("you"):
        ask = f"{ask} {chosen(rng, ('', 'please '))}{verb}"
    words = verb if drawn < 0.65 else ask
    if rng.random() < 0.2:
        words = f"{chosen(rng, POLITE)}{chosen(rng, (' ', ', '))}{words}"
    return f"{words} {kind}" if rng.random() < 0.25 else words


def slipped(words: str, rng: np.random.Generator) -> str:
    """With one slip in one longer word: two letters swapped, one left out, doubled, or struck beside."""
    spots = [match.span() for match in re.finditer(r"[a-z]{4,}", words)]
    if not spots:
        return words
    start, end = spots[int(rng.integers(len(spots)))]
    at = int(rng.integers(start + 1, end - 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return words[:at] + words[at + 1] + words[at] + words[at + 2 :]
    if kind == 1:
        return words[:at] + words[at + 1 :]
    return (
        words[:at]
        + (words[at] if kind == 2 else chr(97 + int(rng.integers(26))))
        + words[at + (kind == 3) :]
    )


def named(thing: Thing, name: str, rng: np.random.Generator, *, sized: bool, moods: float) -> str:
    """A thing with adjectives that change nothing, and some article: "my cute small dog with a crown on".

    Args:
        name: its colour and name, "red apple".
        moods: how likely it has such an adjective.
    """
    before = f"{mood(rng)} " if rng.random() < moods else ""
    if thing.count > 1:
        number = NUMBERS[thing.count] if rng.random() < 0.6 else str(thing.count)
        lead = chosen(rng, ("", "", "", "my ", "the ", "these "))
        return f"{lead}{number} {before}{plural(name)}"
    size = f"{thing.size} " if sized and thing.size == "small" else ""
    words = f"{size}{before}{name}" if rng.random() < 0.3 else f"{before}{size}{name}"
    if thing.wears == "space suit" and rng.random() < 0.5:
        words = f"{words} astronaut"
    drawn = rng.random()
    words = (
        words
        if drawn < 0.35
        else article(words)
        if drawn < 0.75
        else f"{chosen(rng, DETERMINERS)} {words}"
    )
    if thing.wears == "space suit":
        return words if words.endswith("astronaut") else f"{words} in a space suit"
    if thing.wears:
        worn = f"{mood(rng)} {thing.wears}" if rng.random() < moods / 3 else thing.wears
        words += " " + chosen(rng, DRESSED).format(
            worn if thing.wears in EYEWEAR else article(worn)
        )
    return words


def voiced(truth: Truth, rng: np.random.Generator, names: Sequence[str] = ()) -> Voiced:
    """A scene as somebody might ask for it, and plainly.

    Args:
        names: what its things are called, with their colours; by default as the sets call them.
    """
    single = len(truth.things) == 1
    first, short = truth.things[0], bool(rng.random() < 0.7)
    called = names or [own_name(thing, short) for thing in truth.things]
    parts = [
        named(thing, name, rng, sized=single, moods=0.45 if single else 0.3)
        for thing, name in zip(truth.things, called, strict=True)
    ]
    said = f" {truth.relation} ".join(parts)
    meant = f" {truth.relation} ".join(noun(thing, short, sized=single) for thing in truth.things)
    if single and first.size != "large" and first.count == 1:
        said, meant = (f"{words} {place(first)}" for words in (said, meant))
    if first.mirrored:
        said, meant = f"{said} {chosen(rng, MIRRORED)}", f"{meant}, mirrored"
    style = f"in {truth.style} style" if truth.style and rng.random() < 0.75 else ""
    ground = phrase(truth.ground)
    if rng.random() < 0.55:
        said = f"{opening(rng)} {said}"
    tail = [style, ground if rng.random() < 0.7 else ground.replace(" ground", " background")]
    tail.insert(int(rng.integers(3)), ending(rng) if rng.random() < 0.5 else "")
    for part in tail:
        said += (
            "" if not part else part if part[0] in "!.?" else f"{chosen(rng, (', ', ' '))}{part}"
        )
    if rng.random() < SLIP:
        said = slipped(said, rng)
    drawn = rng.random()
    said = said if drawn < 0.8 else said.capitalize() if drawn < 0.93 else said.upper()
    return Voiced(", ".join(part for part in (meant, style, ground) if part), said)


def words(receivers: bool = True) -> set[str]:
    """Every word of the lists, in lower case.

    Args:
        receivers: with those that somebody might wish to see drawn, too ("for my mug").
    """
    text = " ".join(
        (*MOODS, *INTENSE, *VERBS, *POLITE, *ASKS, *LINKS, *DETERMINERS, *DRESSED)
    ).lower()
    text += " " + " ".join((*KINDS, *ENDINGS, *RECEIVERS) if receivers else PICTURES)
    return set(re.findall(r"\b[^\W\d_]+(?:['’-][^\W\d_]+)*", text))


if __name__ == "__main__":
    from lessons import lessons

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=40)
    scenes = lessons()
    for index in range(parser.parse_args().count):
        made = scenes.truth(np.random.default_rng(index))
        if made:
            both = voiced(made, np.random.default_rng((1, index)))
            print(f"{both.plain:70}  {both.said}")
