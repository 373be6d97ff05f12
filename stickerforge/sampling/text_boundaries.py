"""Where sentences, clauses and characters of a text end, in any script.

Positions are those between characters: 0 is before the first one. They are in order.
"""

import re
import unicodedata
from collections.abc import Set

# Some leave no space after them (Chinese, Japanese), or are of scripts in which a full stop is
# nothing else (Arabic, Devanagari, Armenian, Ethiopic, Burmese, Khmer, Tibetan, Mongolian).
FULL_STOPS = "。｡．！？；؟۔।॥։።፧။។៕།᠃᠉"
STOPS = ".!?…‼⁇⁈⁉;"
COMMAS = ",，、､；：،؛՝፣፤၊᠂᠈"
# Marks of direction may follow a stop as quotes and brackets do.
CLOSING = "\"'”’»›)\\]}」』》〉】）〕］\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"
END = re.compile(
    rf"(?P<breaks>[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+)"
    rf"|(?P<stops>(?:[{FULL_STOPS}]|[{STOPS}])+)(?P<closing>[{CLOSING}]*)(?P<space>\s*)"
)
COMMA = re.compile(rf"[{COMMAS}]+[{CLOSING}]*\s*|[;:]+\s+|\s+[-–—]+\s+|[–—]+\s*")
PAIRS = dict(zip("([{“«‹「『《〈【（〔［", ")]}”»›」』》〉】）〕］", strict=True)) | {"„": "“”"}
WORD_BEFORE = re.compile(r"[\w.]{1,40}$")
DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # "a.m", "U.S"
# Before a name, or within a sentence.
TITLES = frozenset(
    "dr mr mrs ms mx prof st vs gen col capt lt sgt rev hon mt messrs cf viz sra srta mme mlle"
    " bzw ggf".split()
)
BEFORE_NUMBERS = frozenset("no nos nr fig figs vol pp ch sec art approx ca est min max".split())
AT_ENDS = frozenset("etc jr sr inc ltd co corp al ave dept usw ff approx ca".split())
# Scripts that put no spaces between words, with the ranges of their characters.
UNSPACED = {
    "Han": ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x9FFF), (0xF900, 0xFAFF)),
    "Han beyond": ((0x20000, 0x3FFFF),),
    "Hiragana": ((0x3041, 0x309F),),
    "Katakana": ((0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "Thai and Lao": ((0x0E00, 0x0EFF),),
    "Tibetan": ((0x0F00, 0x0FFF),),
    "Burmese": ((0x1000, 0x109F), (0xAA60, 0xAA7F)),
    "Khmer": ((0x1780, 0x17FF),),
}
LEADING_VOWELS = re.compile("[\u0e40-\u0e44\u0ec0-\u0ec4]")  # Thai and Lao: written before theirs
JOINER = "\u200d"


def sentence_ends(text: str, enclosed: Set[int]) -> list[int]:
    """Where sentences end, after the white space that follows them.

    Args:
        enclosed: positions at which none ends, such as those within quotes.
    """
    ends, begin = list[int](), 0
    for match in END.finditer(text):
        after = match.end("closing") if match["stops"] else match.end()
        if match["breaks"] or (after not in enclosed and is_end(text, match, begin)):
            begin = match.end()
            ends.append(begin)
    return ends


def is_end(text: str, match: re.Match[str], begin: int) -> bool:
    """Whether a sentence that starts at `begin` ends with the marks that END has found."""
    stops, closing, space = match["stops"], match["closing"], match["space"]
    following = text[match.end() : match.end() + 1]
    if stops[-1] in FULL_STOPS:
        if following.isdigit() and stops[-1] == "．" and not space:
            return False
        return not (closing and following.isalpha() and not space)  # 「…。」と
    if not space and following:
        return stops[-1] != "." and bool(unspaced_script(following))
    if following.islower() and (closing or "…" in stops or stops.endswith("..")):
        return False  # "Wow!" says the fox; well... no
    return stops != "." or not is_abbreviation(text, match.start(), following, begin)


def is_abbreviation(text: str, dot: int, following: str, begin: int) -> bool:
    """Whether a full stop belongs to the word before it.

    Args:
        dot: its position.
        following: the first character after the white space that follows it; "" at the end.
        begin: where the sentence starts.
    """
    match = WORD_BEFORE.search(text, max(begin, dot - 40), dot)
    if not match:
        return False
    word, lower = match[0], match[0].lower()
    if word.isdigit():  # of a list: "1. a cat"
        return not text[begin : match.start()].strip()
    if lower in BEFORE_NUMBERS and following.isdigit():
        return True
    if DOTTED.fullmatch(word):
        return not (word.islower() and following.isupper())
    if len(word) == 1 and word.isupper() and word != "I":  # an initial
        return True
    return lower in TITLES or (lower in AT_ENDS and not following.isupper())


def enclosed_positions(text: str) -> frozenset[int]:
    """The positions within pairs of quotes and brackets."""
    closed, open_marks = list[tuple[int, int]](), list[tuple[str, int]]()
    for at, mark in enumerate(text):
        straight = mark == '"'
        depths = [
            depth
            for depth, (opening, _) in enumerate(open_marks)
            if (straight and opening == '"') or mark in PAIRS.get(opening, "")
        ]
        if depths:
            closed.append((open_marks[depths[-1]][1], at))
            del open_marks[depths[-1] :]
        elif mark in PAIRS or (straight and not text[at - 1 : at].isdigit()):  # no 3" of snow
            open_marks.append((mark, at))
    return frozenset(at for start, end in closed for at in range(start + 1, end + 1))


def comma_ends(text: str) -> list[int]:
    """The positions after commas, colons and dashes, and the white space that follows them."""
    return [
        match.end()
        for match in COMMA.finditer(text)
        if not text[match.start() - 1 : match.start()].isdigit()
        or not text[match.end() : match.end() + 1].isdigit()
        or match[0][-1].isspace()
    ]


def script_changes(text: str) -> list[int]:
    """Where words may end that no space divides: where the script changes.

    Not before Hiragana that follows Han, which mostly is the ending of a Japanese word.
    """
    changes = []
    for at in grapheme_starts(text):
        before, after = unspaced_script(text[at - 1]), unspaced_script(text[at])
        is_ending = before == "Han" and after == "Hiragana"
        if before != after and not is_ending and text[at].isalnum():
            changes.append(at)
    return changes


def unspaced_script(character: str) -> str:
    """The script of a character that needs no spaces between words; "" for any other one."""
    code = ord(character)
    if code < 0x0E00:
        return ""
    for script, ranges in UNSPACED.items():
        if any(low <= code <= high for low, high in ranges):
            return script
    return ""


def grapheme_starts(text: str) -> list[int]:
    """Where what readers take for characters begins, but for the first.

    Accents, joined emoji, flags and syllables stay whole; nearly as Unicode's annex 29 has it.
    """
    starts, flags = list[int](), 0
    for at, (before, after) in enumerate(zip(text, text[1:], strict=False), 1):
        flags = flags + 1 if is_flag_letter(before) else 0
        half_a_flag = bool(flags % 2) and is_flag_letter(after)
        if not (half_a_flag or before == JOINER or continues_character(before, after)):
            starts.append(at)
    return starts


def is_flag_letter(character: str) -> bool:
    """Whether two of such characters are a flag."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def continues_character(before: str, after: str) -> bool:
    """Whether a character belongs to the one before it."""
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    return (
        unicodedata.category(after) in ("Mn", "Mc", "Me", "Cf")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # tones of skin
        or "\u1160" <= after <= "\u11ff"  # vowels and final consonants of Hangul
        or bool(LEADING_VOWELS.match(before))
    )
