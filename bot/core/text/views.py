"""Normalised views of a Korean text: what comes in is a message as it was typed, what goes out is how it reads once
the usual disguises (zero-width signs, separators, look-alikes, loose jamo, the wrong keyboard) are taken off."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from bot.core.text.lately import remembered

# ---- characters -------------------------------------------------------------------------------------------------

LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_LEAD = {jamo: index for index, jamo in enumerate(LEADS)}
_VOWEL = {jamo: index for index, jamo in enumerate(_VOWELS)}
_TAIL = {jamo: index for index, jamo in enumerate(_TAILS)}
_DOUBLE_TAIL = {
    "ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ", "ㄹㅂ": "ㄼ", "ㄹㅅ": "ㄽ", "ㄹㅌ": "ㄾ",
    "ㄹㅍ": "ㄿ", "ㄹㅎ": "ㅀ", "ㅂㅅ": "ㅄ",
}  # fmt: skip
_DOUBLE_VOWEL = {"ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ"}

#: Conjoining jamo (what NFKC makes of half-width and circled jamo) as the letters that people type.
_CONJOINING = str.maketrans(
    {chr(0x1100 + i): jamo for i, jamo in enumerate(LEADS)}
    | {chr(0x1161 + i): jamo for i, jamo in enumerate(_VOWELS)}
    | {chr(0x11A8 + i): jamo for i, jamo in enumerate(_TAILS[1:])}
)

# The two-set layout of every Korean keyboard: the Latin letter on the key, the jamo on the key.
KEYS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ", strict=True))
_KEYBOARD = str.maketrans(
    {key.upper(): jamo for key, jamo in KEYS.items()} | KEYS | dict(zip("QWERTOP", "ㅃㅉㄸㄲㅆㅒㅖ", strict=True))
)

# ---- canonical: only what cannot change a verdict ---------------------------------------------------------------

_PLAIN = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ\s\x21-\x7e]*")
#: Signs that change the direction of what follows, marks that have one, and the letters they act between.
_DIRECTED = re.compile("[\u061c\u200f\u202a-\u202e\u2066-\u2069]")
_OVERRIDE = re.compile("[\u202d\u202e]")
_PARAGRAPHS = re.compile("([\n\r\x1c-\x1e\x85\u2029])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG_RUN = re.compile(r"([ㄱ-ㅎㅏ-ㅣ!?~.])\1{3,}")


def _is_invisible(character: str) -> bool:
    # Format and control signs, variation selectors, and the letters that are drawn as nothing (Hangul fillers).
    return unicodedata.category(character) in {"Cf", "Cc"} and not character.isspace()


_INVISIBLE = re.compile(
    "[" + "".join(re.escape(chr(c)) for c in range(0x20000) if _is_invisible(chr(c)))
    + "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]+"
)  # fmt: skip


#: What is sorted by normalising: signs that combine with the letter before, the half-width ones as NFKC makes them.
_COMBINING = (
    "[" + "".join(chr(c) for c in range(0x20000) if unicodedata.combining(chr(c))) + "\u0f73\u0f75\u0f81\uff9e\uff9f]"
)  # fmt: skip
#: Unicode's stream-safe limit (UAX #15): a longer run stands for no text, and sorting it takes its length squared.
_HEAPED = re.compile(f"({_COMBINING}{{30}}){_COMBINING}+")
_HEAP = re.compile(f"[{_COMBINING[1:-1]}\u0488\u0489\u20dd-\u20e4\ua670-\ua672]{{3,}}")  # rings and frames, too


def canonical(text: str) -> str:
    """The text without what no reader sees, as it is shown: equal results deserve equal verdicts. Idempotent, never
    raises, linear.

    Folded: invisible signs, signs of direction (read as shown), lone surrogates, heaps of combining signs, NFC, runs of
    white space, and runs of more than three of the same jamo or of the same ! ? ~ . sign. Letters, case and spelling
    stay.
    """
    if _PLAIN.fullmatch(text):
        text = " ".join(text.split())
    else:
        text = _SURROGATE.sub("\ufffd", text)
        if _DIRECTED.search(text):
            text = _shown(text, "L")
        text = _HEAPED.sub(r"\1", _INVISIBLE.sub("", text))
        text = " ".join(unicodedata.normalize("NFC", text).split())
    return _LONG_RUN.sub(r"\1\1\1", text)


def unstyled(text: str) -> str:
    """The canonical text with full-width, circled and otherwise styled letters as plain ones, without marks on them;
    letters of other alphabets that only look like plain ones stay."""
    text = canonical(text)
    if text.isascii() or not _STYLED.search(text):
        return text
    return _MARKS.sub("", unicodedata.normalize("NFKC", text))


def readings(text: str) -> tuple[str, ...]:
    """All that `text` can be read as: itself; where signs of direction stand in it, as it is shown in a line from the
    left, in one from the right, and as it is stored. No two have the same canonical form."""
    if not _DIRECTED.search(text):
        return (text,)
    text = _SURROGATE.sub("\ufffd", text)
    found: dict[str, str] = {}
    for one in (_shown(text, "L"), _shown(text, "R"), _DIRECTED.sub("", text)):
        found.setdefault(canonical(one), one)
    return tuple(found.values())


def heaped(text: str) -> int:
    """How many combining signs stand upon letters that bear two already, which hardly any language needs."""
    return sum(len(heap[0]) - 2 for heap in _HEAP.finditer(text))


def overrides(text: str) -> int:
    """How many signs stand in `text` that turn letters round: nobody types them."""
    return len(_OVERRIDE.findall(text))


def _shown(text: str, base: str) -> str:
    """By the Unicode bidirectional algorithm (UAX #9), without its signs."""
    from bidi import get_display  # many a command reads no text

    lines = (get_display(line, base_dir=base) for line in _PARAGRAPHS.split(text))
    return _DIRECTED.sub("", "".join(lines))


# ---- views ------------------------------------------------------------------------------------------------------

_STYLED = re.compile(r"[^가-힣ㄱ-ㅎㅏ-ㅣ\x00-\x7f]+")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
_REPEATED = re.compile(r"(\D)\1{2,}")

#: Letters of other scripts that pass for a Latin letter or for a jamo.
_FOREIGN = str.maketrans(
    "аеорсхуіј丨亻人入口己卜丁工匚〇ー一", "aeopcxyijㅣㅅㅅㅅㅁㄹㅏㅜㅗㄷㅇㅡㅡ", "\ufdfa\ufdfb"
)  # 18 letters in one

_LOOK_ALIKES = (  # only beside a jamo or inside a word, so that ordinary digits and Latin stay what they are
    (re.compile(r"\^\^(?=[ㅏ-ㅣ1l|!]|[rh](?![a-z^]))"), "ㅆ"),
    (re.compile(r"\^(?=[ㅏ-ㅣ1l|!]|[rh](?![a-z^]))"), "ㅅ"),
    (re.compile(r"77(?=[ㅏ-ㅣ])"), "ㄲ"),
    (re.compile(r"(?<!\d)7(?=[ㅏ-ㅣ]|[hr](?![a-z]))"), "ㄱ"),
    (re.compile(r"(?<![\d.,:])0(?=[ㅏ-ㅣ]|[hlr](?![a-z\d]))"), "ㅇ"),
    (re.compile(r"(?<=[ㄱ-ㅊㅌㅍ])(?:[1il|]+|!+(?=[가-힣ㄱ-ㅎ]))"), "ㅣ"),
    (re.compile(r"(?<=[ㄱ-ㅊㅌㅍ])h(?![a-z])"), "ㅐ"),
    (re.compile(r"(?<=[ㄱ-ㅎ])r(?![a-z])"), "ㅏ"),
    (re.compile(r"(?<![a-z])ah(?=[가-힣])"), "새"),
    (re.compile(r"(?<=[시씨ㅅㅆ])8"), "팔"),
)
_HAS_LOOK_ALIKE = re.compile(r"[\^071il|!hr8]")
# What stands between two Korean letters and is neither a letter nor white space; 1 l | ! also pass for a long ㅣ.
_SEPARATOR = re.compile(
    r"(?<=[가-힣ㄱ-ㅎㅏ-ㅣ])(?:[^\w\s]|_)+(?=[가-힣ㄱ-ㅎㅏ-ㅣ])|(?<=[가-힣])[^\w\s]{0,2}[1l]{1,2}[^\w\s]{0,2}(?=[가-힣ㄱ-ㅎ])"
)
_ENCLOSED = re.compile(r"[(\[{<〈《「『【〔]([가-힣ㄱ-ㅎㅏ-ㅣ])[)\]}>〉》」』】〕]")
_SPELLED_OUT = re.compile(
    r"(?<![^\s(\[\"'])[가-힣ㄱ-ㅎㅏ-ㅣ]"
    r"(?:[^\w\s]{0,3} (?:[^\w\s]{1,3} )?[^\w\s]{0,3}[가-힣ㄱ-ㅎㅏ-ㅣ](?![가-힣ㄱ-ㅎㅏ-ㅣ]))+"
)
_NOT_KOREAN = re.compile(r"[^가-힣ㄱ-ㅎㅏ-ㅣ]+")
_LOOSE_SYLLABLE = re.compile(f"([{LEADS}])([ㅏ-ㅣ])((?:{'|'.join(_DOUBLE_TAIL)}|[ㄱ-ㄷㄹ-ㅂㅄ-ㅈㅊㅋ-ㅎ])(?![ㅏ-ㅣ]))?")
#: NFKC would glue the first two letters of a syllable of half-width jamo and leave the third.
_HALF_WIDTH = re.compile("[\uffa1-\uffbe\uffc2-\uffdc]+")
_TYPED_JAMO = str.maketrans(
    {
        chr(code): unicodedata.lookup(unicodedata.name(chr(code)).removeprefix("HALFWIDTH "))
        for code in (*range(0xFFA1, 0xFFBF), *range(0xFFC2, 0xFFDD))
        if unicodedata.name(chr(code), "")
    }
)
_LOOSE_VOWEL = re.compile(r"(?<=[가-힣])[ㅏ-ㅣ]+(?=[가-힣])")
_OPEN = "아애야얘어에여예오와왜외요우워웨위유으의이"
_STRETCHED = re.compile(f"[가-힣][{_OPEN}]+")
_LATIN_WORD = re.compile(r"(?<![A-Za-z])[A-Za-z]{4,24}(?![A-Za-z])|\b(?:tq|TQ)\b")
_INITIALS = re.compile(r"[ㄱ-ㅎ](?:[^\w\s]*+(?:[\d_l]{1,2}+[^\w\s]*+)?[ㄱ-ㅎ])++")
_SAME = re.compile(r"(.)\1+")


@dataclass(frozen=True, slots=True)
class Views:
    """How one text reads. A view without anything of its own is the empty string."""

    plain: str  # NFKC, lower case, at most two of the same character in a row
    opened: str  # plain without separators, look-alikes, loose jamo and stretched syllables: 씨.발, ㅅㅣ발, 시이발
    typed: str  # its Latin words as the same keys give on a Korean keyboard: tlqkf -> 시발
    initials: str  # its runs of bare consonants, with what stood between them dropped: ㅅ1ㅂ -> ㅅㅂ

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The views that say something of their own, as (name, text), `plain` first."""
        yield "plain", self.plain
        if self.opened:
            yield "opened", self.opened
        if self.typed:
            yield "typed", self.typed
        if self.initials:
            yield "initials", self.initials


def views(text: str) -> Views:
    """Every view of `text`. Time and size grow linearly with the text; never raises."""
    return _remembered(text) if len(text) <= 500 else _views(text)


def _views(text: str) -> Views:
    folded = _fold(canonical(text))
    plain = _REPEATED.sub(r"\1\1", folded.lower())
    opened = _opened(plain)
    initials = _initials(plain)
    return Views(
        plain=plain,
        opened=opened if opened != plain else "",
        typed=_typed(folded),
        initials=initials if initials not in plain else "",
    )


#: Rules and the guard ask for the views of the same few messages within moments; long texts are not kept alive for it.
_remembered = remembered(_views, most=2048)


def _fold(text: str) -> str:
    """Styled, circled, full- and half-width letters as plain ones. Typed jamo are spared: NFKC would glue them."""
    if text.isascii() or not _STYLED.search(text):
        return text
    text = _HALF_WIDTH.sub(_typed_apart, text)
    text = _STYLED.sub(lambda match: unicodedata.normalize("NFKC", match[0].translate(_FOREIGN)), text)
    return " ".join(_MARKS.sub("", text).translate(_CONJOINING).split())


def _typed_apart(match: re.Match[str]) -> str:
    """Half-width jamo as the syllables that they spell."""
    return _LOOSE_SYLLABLE.sub(_syllable, match[0].translate(_TYPED_JAMO))


def _opened(text: str) -> str:
    if _HAS_LOOK_ALIKE.search(text):
        for pattern, meant in _LOOK_ALIKES:
            text = pattern.sub(meant, text)
    bare, enclosed = _ENCLOSED.subn(r"\1", text)
    if enclosed > 1:  # one alone is a note: 이(가), 23일(월)
        text = bare
    text = _SEPARATOR.sub("", text)
    text = _SPELLED_OUT.sub(lambda match: _NOT_KOREAN.sub("", match[0]), text)
    text = _LOOSE_SYLLABLE.sub(_syllable, text)
    text = _LOOSE_VOWEL.sub("", text)
    return _STRETCHED.sub(_shortened, text)


def _syllable(match: re.Match[str]) -> str:
    lead, vowel, tail = match.groups(default=" ")
    tail = _DOUBLE_TAIL.get(tail, tail)
    return chr(0xAC00 + (_LEAD[lead] * 21 + _VOWEL[vowel]) * 28 + _TAIL[tail])


def _shortened(match: re.Match[str]) -> str:
    """시이이 -> 시, but 시어 stays: a syllable that only lengthens the vowel before it is dropped."""
    kept = [match[0][0]]
    for syllable in match[0][1:]:
        place, lengthens = ord(kept[-1]) - 0xAC00, _OPEN.index(syllable)
        if place % 28 or place // 28 % 21 != lengthens:
            kept.append(syllable)
    return "".join(kept)


def _typed(text: str) -> str:
    words = []
    for latin in _LATIN_WORD.findall(text):
        jamo = (latin.lower() if latin.isupper() else latin).translate(_KEYBOARD)  # all capitals: caps lock
        for apart, together in _DOUBLE_VOWEL.items():
            jamo = jamo.replace(apart, together)
        word = _LOOSE_SYLLABLE.sub(_syllable, jamo)
        # A word that leaves a loose jamo was Latin to begin with; ㅅㅂ is the one bare abbreviation worth reading.
        if word == "ㅅㅂ" or (len(word) > 1 and all("가" <= letter <= "힣" for letter in word)):
            words.append(word)
    return " ".join(words)


def _initials(text: str) -> str:
    runs = (_SAME.sub(r"\1", "".join(c for c in run if "ㄱ" <= c <= "ㅎ")) for run in _INITIALS.findall(text))
    return " ".join(run for run in runs if len(run) > 1)
