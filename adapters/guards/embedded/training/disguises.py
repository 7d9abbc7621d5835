"""The tricks people write with so that no filter reads them: a text and a source of chance come in, the text disguised
goes out. Laid over harmful and harmless lines alike: a disguise is read through, it is no harm."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from random import Random

from bot.core.text.views import KEYS

Trick = Callable[[str, Random], str]
Table = Mapping[int, str | int | None]  # of str.translate

_SYLLABLE = re.compile("[가-힣]")
_WORD = re.compile("[가-힣]{2,}")
_BETWEEN = re.compile("(?<=[가-힣])(?=[가-힣])")


def _named(kind: str, part: str) -> dict[str, str]:
    """The conjoining jamo of a part of the syllable -> the letter of another block that bears the same name."""
    first, count = {"CHOSEONG": (0x1100, 19), "JUNGSEONG": (0x1161, 21), "JONGSEONG": (0x11A8, 27)}[part]
    letters = (chr(first + i) for i in range(count))
    return {letter: unicodedata.lookup(unicodedata.name(letter).replace(f"HANGUL {part}", kind)) for letter in letters}


def _letters(kind: str) -> dict[int, str]:
    parts = ("CHOSEONG", "JUNGSEONG", "JONGSEONG")
    return str.maketrans({old: new for part in parts for old, new in _named(kind, part).items()})


_TYPED, _HALF = _letters("HANGUL LETTER"), _letters("HALFWIDTH HANGUL LETTER")
_PAIRS = str.maketrans(
    dict(
        zip(
            "ㄳㄵㄶㄺㄻㄼㅀㅄㅘㅙㅚㅝㅞㅟㅢ",
            re.findall("..", "ㄱㅅㄴㅈㄴㅎㄹㄱㄹㅁㄹㅂㄹㅎㅂㅅㅗㅏㅗㅐㅗㅣㅜㅓㅜㅔㅜㅣㅡㅣ"),
            strict=True,
        )
    )
)
_LATIN = str.maketrans({jamo: key for key, jamo in KEYS.items()} | dict(zip("ㅃㅉㄸㄲㅆㅒㅖ", "QWERTOP", strict=True)))
_TENSE = str.maketrans("ᄀᄃᄇᄉᄌ", "ᄁᄄᄈᄊᄍ")
_LAX = str.maketrans("ᄁᄄᄈᄊᄍ", "ᄀᄃᄇᄉᄌ")
_VOWELS = str.maketrans("ᅢᅦᅬᅫᅡᅥᅩᅮ", "ᅦᅢᅫᅬᅣᅧᅭᅲ")
_YAMIN = str.maketrans("대머멍귀유명파과공피부네내", "머대댕커윾띵따마끙끠분니네")
_DRAWN = str.maketrans({"ㅣ": "l", "ㅐ": "H", "ㅅ": "^", "ㅏ": "r", "ㅇ": "0", "ㄱ": "7", "ㅡ": "_", "ㅗ": "1"})
_HAN = str.maketrans("ㅣㅅㅁㄹㅏㅜㅗㄷㅇㅡ", "丨人口己卜丁工匚〇一")
_SOUNDS = str.maketrans("이일삼사오육칠팔발구영", "21345678890")
_LEET = str.maketrans("aeiost", "43105$")
_CARRIED = re.compile("([ᆨᆫᆮᆯᆷᆸᆺᆽᆾᆿᇀᇁ])ᄋ")  # a final before an empty lead is spoken as that lead
_LEAD_OF = str.maketrans("ᆨᆫᆮᆯᆷᆸᆺᆽᆾᆿᇀᇁ", "ᄀᄂᄃᄅᄆᄇᄉᄌᄎᄏᄐᄑ")


def _some(pattern: re.Pattern[str], change: Callable[[str], str], text: str, chance: Random) -> str:
    """The change at some of the places where the pattern matches, at one of them at least."""
    share, places = chance.uniform(0.4, 1), list(pattern.finditer(text))
    sure = chance.randrange(len(places)) if places else 0
    numbers = iter(range(len(places)))
    return pattern.sub(lambda m: change(m[0]) if next(numbers) == sure or chance.random() < share else m[0], text)


def _syllables(change: Callable[[str], str]) -> Trick:
    return lambda text, chance: _some(_SYLLABLE, change, text, chance)


def _jamo(table: Table) -> Trick:
    """Some syllables with their jamo exchanged."""
    return _syllables(lambda s: unicodedata.normalize("NFC", unicodedata.normalize("NFD", s).translate(table)))


def _apart(letters: Table, drawn: Table | None = None) -> Trick:
    """Some syllables as the letters they are typed with, perhaps drawn with other signs."""
    return _syllables(lambda s: unicodedata.normalize("NFD", s).translate(letters).translate(drawn or {}))


def _words(change: Callable[[str], str]) -> Trick:
    return lambda text, chance: _some(_WORD, change, text, chance)


def _put_between(*signs: str) -> Trick:
    def trick(text: str, chance: Random) -> str:
        sign = chance.choice(signs)
        return _some(_BETWEEN, lambda _: sign, text, chance)

    return trick


def _keyboard(word: str) -> str:
    return unicodedata.normalize("NFD", word).translate(_TYPED).translate(_PAIRS).translate(_LATIN)


def _roman(syllable: str) -> str:
    return unicodedata.name(syllable).removeprefix("HANGUL SYLLABLE ").lower()


def _needless_finals(text: str, chance: Random) -> str:
    def closed(syllable: str) -> str:
        return (
            chr(ord(syllable) + chance.choice((1, 4, 8, 16, 17, 19, 21)))
            if (ord(syllable) - 0xAC00) % 28 == 0
            else syllable
        )

    return _some(_SYLLABLE, closed, text, chance)


def _linked(text: str, chance: Random) -> str:
    spoken = _CARRIED.sub(lambda m: m[1].translate(_LEAD_OF), unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", spoken)


def _stretched(syllable: str) -> str:
    vowel = (ord(syllable) - 0xAC00) // 28 % 21
    held = {2: 0, 3: 1, 6: 4, 7: 5, 12: 8, 17: 13}.get(vowel, vowel)  # ㅑ is held as ㅏ
    return syllable + chr(0xAC00 + (11 * 21 + held) * 28) * 2


def _styled(text: str, chance: Random) -> str:
    start = chance.choice((0xFF21 - 0x41, 0x1D5D4 - 0x41, 0x24B6 - 0x41))
    return re.sub("[A-Za-z]", lambda m: chr(start + ord(m[0].upper())), text)


def _marked(text: str, chance: Random) -> str:
    mark = chance.choice("\u0336\u0335\u0338\u0332\u20e0\u0301")
    return _some(_SYLLABLE, lambda s: s + mark, text, chance)


def _wrapped(*pairs: tuple[str, str]) -> Trick:
    """The whole text, or some of its words, between signs that the network draws otherwise."""

    def trick(text: str, chance: Random) -> str:
        before, after = chance.choice(pairs)
        if chance.random() < 0.5:
            return f"{before}{text}{after}"
        return _some(_WORD, lambda word: f"{before}{word}{after}", text, chance)

    return trick


def _vertical(text: str, chance: Random) -> str:
    return _some(_BETWEEN, lambda _: "\n", text, chance)


def _enclosed(text: str, chance: Random) -> str:
    before, after = chance.choice(("()", "[]", "「」"))
    return _some(_SYLLABLE, lambda s: before + s + after, text, chance)


def _overridden(text: str, chance: Random) -> str:
    return _some(_WORD, lambda word: f"\u202e{word[::-1]}\u202c", text, chance)


def _noise(text: str, chance: Random) -> str:
    return text + chance.choice(
        (" ㅋㅋㅋㅋ", " ㅎㅎ", "~~~", "!!!!", " ㅠㅠ", " ^^", "ㅇㅅㅇ", " 헤헤", " zzz", "…")
    ) * chance.randint(1, 2)


#: Harm as if another had said it, by somebody who only wants to say it.
_DRESSES = (
    "쟤가 '{}' 래요 ㅋㅋ", '누가 "{}" 라던데 ㅋㅋㅋ', '"{}" 라고 전하래요', "친구가 너한테 '{}' 래 ㅎㅎ",
    "> {}\n라고 하던데 난 모름 ㅋ", "내가 한 말 아님 ㅋㅋ 걔가 '{}' 라고 함", '어떤 애가 "{}" 이라고 쓰래서 씀',
    "(전달) {}", "'{}' 이거 욕 아니고 인용임 ㅋㅋ", '아는 형이 대신 전해달래 "{}"',
    '"{}" ← 이렇게 말하면 안 되겠지? ㅋㅋ', '@지수 "{}" 래 반박해봐 ㅋㅋ',
)  # fmt: skip


def _dressed(text: str, chance: Random) -> str:
    return chance.choice(_DRESSES).format(text)


#: What training writes with.
TRICKS: Mapping[str, Trick] = {
    "split jamo": _apart(_TYPED),
    "half-width jamo": _apart(_HALF),
    "spaced": _put_between(" "),
    "separators": _put_between(".", "~", "-", "_", "*", "/", ",", "·", "!", "@", "^"),
    "hearts": _put_between("♥", "♡", "❤", "💕", "★"),
    "emoji": _put_between("🔥", "😀", "👍", "🤡", "🐶"),
    "digits between": _put_between("1", "2", "7", "l"),
    "zero-width": _put_between("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad"),
    "fillers": _put_between("\u3164", "\uffa0", "\u115f"),
    "dashes": _put_between("ㅡ", "ー", "—"),
    "initials": _words(
        lambda word: "".join(_named("HANGUL LETTER", "CHOSEONG")[unicodedata.normalize("NFD", s)[0]] for s in word)
    ),
    "wrong keyboard": _words(_keyboard),
    "tense": _jamo(_TENSE),
    "lax": _jamo(_LAX),
    "needless finals": _needless_finals,
    "other vowels": _jamo(_VOWELS),
    "repeated": _syllables(lambda s: s * 3),
    "spoilers": _wrapped(("||", "||")),
    "markdown": _wrapped(("**", "**"), ("~~", "~~"), ("`", "`"), ("__", "__")),
    "look-alike syllables": lambda text, chance: text.translate(_YAMIN),
    "drawn jamo": _apart(_TYPED, _DRAWN),
    "digits for sounds": lambda text, chance: text.translate(_SOUNDS),
    "styled Latin": _styled,
    "marks": _marked,
    "romanised": _words(lambda word: "".join(map(_roman, word))),
    "no spaces": lambda text, chance: text.replace(" ", ""),
    "digits for Latin": lambda text, chance: text.translate(_LEET),
    "right to left": _overridden,
    "noise": _noise,
}

#: Never trained with: how a disguise fares that nobody has thought of.
UNSEEN: Mapping[str, Trick] = {
    "spoken finals": _linked,
    "vertical": _vertical,
    "Chinese strokes": _apart(_TYPED, _HAN),
    "enclosed": _enclosed,
    "stretched": _syllables(_stretched),
    "quoting dress": _dressed,
}


#: What the views cannot take off, or people do without meaning to hide anything: three times as often.
OFTEN = (
    "no spaces", "spaced", "initials", "romanised", "other vowels", "needless finals", "tense", "drawn jamo",
    "repeated",
)  # fmt: skip


def disguised(text: str, chance: Random) -> str:
    """The text behind one of the tricks of training, now and then two."""
    for name in chance.sample(sorted((*TRICKS, *OFTEN, *OFTEN)), 2 if chance.random() < 0.15 else 1):
        text = TRICKS[name](text, chance)
    return text
