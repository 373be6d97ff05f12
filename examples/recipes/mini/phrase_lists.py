"""Words and phrases that change nothing in a picture, for paraphrases.py.

What `wordings.txt` holds back for the bench is in no list of this module; a test checks that.
"""

import re


def split_phrases(text: str) -> tuple[str, ...]:
    """Phrases of a text that slashes separate; lines end behind a slash."""
    return tuple(phrase.strip() for phrase in text.split("/"))


MOODS = tuple(
    """
    adorable beautiful cute happy nice pretty sweet simple great good perfect lovable fabulous
    fantastic brilliant cheerful joyful playful friendly jolly merry graceful elegant stylish
    fancy classy cozy dreamy magical whimsical fluffy cuddly snuggly chubby kawaii clever smart
    brave bold proud calm gentle kind shy lazy sleepy excited lively energetic crazy wacky goofy
    dorky weird odd strange bizarre funky hip trendy modern vintage classic traditional ordinary
    normal regular typical basic plain clean neat crisp detailed realistic minimalist abstract
    artistic creative unique special rare original authentic real actual true favourite favorite
    beloved dear famous popular epic legendary heroic majestic mighty powerful strong royal noble
    fine superb splendid marvelous stunning breathtaking impressive incredible unbelievable
    outstanding excellent terrific magnificent glorious festive fresh young old new random certain
    lonely sad grumpy moody mysterious spooky ugly angelic heavenly tender warm homely rustic
    urban professional hilarious ridiculous absurd cheeky sassy spicy vibrant dazzling shiny
    glossy sparkly polished tasty yummy delicious juicy
    """.split()
)
INTENSE = tuple("very really so super extra totally quite pretty extremely too sooo".split())
VERBS = tuple(
    """
    draw make create generate show give get do design render produce send sketch craft imagine
    find
    """.split()
)
POLITE = tuple("please pls plz kindly hey hello hi ok okay yo now".split())
REQUESTS = split_phrases(
    """
    i want/i need/i would like/i'd like/i'd love/we need/i wish for/looking for/give me/show me/
    get me/can you/could you/would you/will you/can i get/could i have/may i have/
    i am looking for/what i want is/let it be/let me have/try/wanna have/id like
    """
)
KINDS = tuple(
    """
    picture image photo pic drawing illustration icon emoji sticker cartoon graphic clipart logo
    sketch art artwork portrait doodle emote design print badge symbol render close-up view
    """.split()
)
PICTURES = tuple(
    """
    picture image photo pic drawing illustration icon emoji sticker cartoon sketch art artwork
    thanks thank lol
    """.split()
)
PREPOSITIONS = tuple("of of of with showing for featuring depicting".split())
ENDINGS = split_phrases(
    """
    please/pls/plz/thanks/thank you/thx/lol/haha/xd/ok/now/asap/!/!!/.../?/./:)/<3/for me/
    for us/for you/for whatsapp/for telegram/for kids/for school/for work/sticker/emoji/icon/
    picture/image/drawing/cartoon/illustration/clipart/vector/digital art/concept art/
    high resolution/hd/highly detailed/masterpiece/trending on artstation/sharp focus/
    very detailed/no text/without text/isolated/centered/cute style/kawaii/like this/if you can/
    as a sticker/as an emoji/just for today/you know/i love it/so cute/today/again/
    one more time/in the picture/to print/and make it nice/that i can send/which looks good/
    to cheer me up/when you are done
    """
)
# Numbers that count nothing.
QUALITY = tuple(
    "4k 8k 2k uhd 1080p 720p 16:9 300dpi 2x 4x 3d 2d 24/7 100% v2 hq 10/10 1:1 5star no.1".split()
)
RECEIVERS = tuple(
    """
    mom mum dad son wife husband sister brother grandma grandpa friend cousin niece nephew boss
    neighbour colleague teammate teacher class club band office website blog channel server
    profile page shop menu poster card mug wall fridge notebook diary project homework
    presentation newsletter meeting team family kids students followers fans girlfriend boyfriend
    buddy crush roommate album story status messenger keyboard collection scrapbook planner
    invitation banner flyer
    """.split()
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
WEARING = (
    "wearing {}",
    "with {}",
    "with {} on",
    "in {}",
    "who wears {}",
    "that wears {}",
    "having {} on",
)
SYLLABLES = tuple(
    """
    ba blo cra den do dri fa fle gom gra hu ib jo ka kle lo lum ma mip na nor ob pa plu qui ra sko
    ta tri ub ve wi xo yel za zim
    """.split()
)
MIRROR_PHRASES = (
    "facing the other way",
    "mirrored",
    "flipped",
    "looking the other way",
    "turned around",
    "from the other side",
)


def listed_words(receivers: bool = True) -> set[str]:
    """Every word of the lists, in lower case.

    Args:
        receivers: with those that somebody might wish to see drawn, too ("for my mug").
    """
    text = " ".join(
        (*MOODS, *INTENSE, *VERBS, *POLITE, *REQUESTS, *PREPOSITIONS, *DETERMINERS, *WEARING)
    ).lower()
    text += " " + " ".join((*KINDS, *ENDINGS, *RECEIVERS) if receivers else PICTURES)
    return set(re.findall(r"\b[^\W\d_]+(?:['’-][^\W\d_]+)*", text))
