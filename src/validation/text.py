"""Text that people write and others read: one form of it, and what is no text.

Nothing here looks at what a text says. Private use and unassigned characters may be in it (each
version of Unicode adds emoji), but what only one font shows does not make a text visible.
"""

from typing import Literal, TypeAlias
from unicodedata import normalize

from anyascii import anyascii
from regex import V1, compile  # noqa: A004 - it knows the properties of Unicode, which re does not

MAX_MARKS = 8  # in a row: Tibetan stacks have as many, and more run into other lines
# A raw text may be so many times longer than its form: a character has up to four parts.
MAX_GROWTH = 4

# Blank for all its general category: Braille, hieroglyphs, a note without a head, an object.
_BLANK = r"\u2800\U00013441\U00013442\U0001d159\ufffc"
_VISIBLE = compile(
    r"[[\p{L}\p{N}\p{P}\p{S}\p{Cn}]"
    rf"--[\p{{Default_Ignorable_Code_Point}}\p{{Noncharacter_Code_Point}}{_BLANK}]]",
    V1,
)
_LINE_BREAKS = ("\r\n", "\r", "\x85", "\u2028", "\u2029")
# Overrides make a text read other than it is stored, in prose and in code.
_NOT_TEXT = compile(r"[[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}\u202d\u202e]--[\t\n]]", V1)
# Other text stands beside a line, so nothing in it may change the direction of that.
_NOT_IN_A_LINE = compile(r"[\t\u202a-\u202e\u2066-\u2069]")
# On nothing, or too many on one letter; those of a class are the ones that NFC sorts.
_MISPLACED_MARKS = compile(
    rf"\A\p{{M}}|[\p{{Mn}}\p{{Me}}[\p{{M}}--\p{{ccc=0}}]]{{{MAX_MARKS + 1}}}", V1
)
_WORD = compile(r"[\p{L}\p{N}\p{M}]+")
_NOT_IN_A_WORD = compile(r"[^a-z0-9\n]+")

Fault: TypeAlias = Literal[
    "text_control_character", "text_line_break", "text_invisible", "text_marks"
]


class NotTextError(ValueError):
    """Something is no text; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def text_in_lines(raw: str) -> str:
    """The text in NFC, its lines ended by line feeds.

    Raises:
        NotTextError: it shows nothing, or has control characters, overrides of its direction, or
            marks on nothing or too many on one letter.
    """
    text = raw
    for line_break in _LINE_BREAKS:
        text = text.replace(line_break, "\n")
    # What is not text is not printable either, which is found out in a twentieth of the time.
    if not text.replace("\n", " ").isprintable() and _NOT_TEXT.search(text):
        raise NotTextError("text_control_character")
    if not is_visible(text):
        raise NotTextError("text_invisible")
    # Before the normalisation, which takes quadratic time for marks in a row. ASCII has none.
    if not text.isascii() and _MISPLACED_MARKS.search(text):
        raise NotTextError("text_marks")
    return normalize("NFC", text)


def text_in_one_line(raw: str) -> str:
    """The text in NFC, without white space around it.

    Raises:
        NotTextError: as above, or it has a line break or changes the direction around it.
    """
    text = text_in_lines(raw.strip())
    if "\n" in text:
        raise NotTextError("text_line_break")
    if _NOT_IN_A_LINE.search(text):
        raise NotTextError("text_control_character")
    return text


def ascii_words(text: str) -> list[str]:
    """The words of a text in any script, in lower-case ASCII letters and digits.

    Signs and emoji are left out: they have names in ASCII, but no sound.
    """
    words = "\n".join(_WORD.findall(normalize("NFKC", text)))  # no letter becomes a line feed
    return [word for word in _NOT_IN_A_WORD.sub("", anyascii(words).lower()).split("\n") if word]


def is_visible(text: str) -> bool:
    """Whether it shows anything: a letter, a digit, a sign."""
    return _VISIBLE.search(text) is not None
