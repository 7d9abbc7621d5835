"""A community's own words and a text -> where one of them stands as a word: with particles behind it, in any spacing or
disguise that the views take off, and not inside a longer word.

`시발` is found in "시발이 뭐야", "시 발", "ㅅㅣ발ㅋㅋ", and not in "시발점" or "다시 발표"; `시발*` also where it
goes on, `*시발` where it has begun before, `*시발*` anywhere.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from bot.core.text.views import LEADS, views

LONGEST = 40  # characters of a word
_ANYWHERE = "*"

#: What is joined to a noun: particles, plural and title, the copula and how hearsay quotes it.
_PARTICLE = (
    "에게서|에게|에서|에선|에다|에도|에는|에|한테서|한테|께서|께|으로서|으로써|으로|로서|로써|로|이랑|랑|하고|이나|나|이든지|이든|든지|든|이라도|라도"
    "|이라고|라고|이라는|라는|이라면|라면|이라서|라서|이라니|라니|이란|란|이라|이며|이야말로|야말로|이야|야|이여|여|아|이다|다|입니다|입니까|이에요|예요|이네|네"
    "|이지|지|이죠|죠|인데|인가|인지|인|임|이었다|였다|이고|고|이냐|냐|처럼|같은|같이|만큼|보다|마다|까지|부터|조차|마저|밖에|뿐|따위|이|가|은|는|을|를|의|와|과|도|만"
)
_TAIL = re.compile(rf"(?:들|님|씨)?(?:{_PARTICLE}){{0,3}}(?:요)?")
_LONGEST_TAIL = 10
_LAUGHTER = frozenset("ㅋㅎㅠㅜㅡㅏㅓㅗㅣㅇ")


class Hit(NamedTuple):
    """A word of the list, and where it stands in the text that was searched."""

    word: str
    start: int
    end: int


class _Form(NamedTuple):
    """How a word of the list reads without its spaces."""

    word: str
    opens: bool  # only where a word begins
    closes: bool  # only where it ends, but for particles


class WordList:
    """Finds all of many words at once. Time grows with the text, not with the list."""

    __slots__ = ("_forms", "_lengths")

    def __init__(self, words: Iterable[str]) -> None:
        self._forms: dict[str, _Form] = {}
        lengths: dict[str, set[int]] = {}
        for word in words:
            for letters in _spellings(word):
                self._forms[letters] = _wider(self._forms.get(letters), _form(word))
                lengths.setdefault(letters[:2], set()).add(len(letters))
        #: How a word begins -> how long those are that begin so, the longest first.
        self._lengths = {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()}

    def __bool__(self) -> bool:
        return bool(self._forms)

    def hits(self, text: str) -> Iterator[Hit]:
        """In one view of a text. From left to right; none begins within another."""
        places = [place for place, letter in enumerate(text) if not letter.isspace()]
        letters = "".join([text[place] for place in places])
        after = 0
        for start in range(len(letters)):
            if start >= after and (found := self._at(start, letters, text, places)):
                word, end = found
                after = end
                yield Hit(word, places[start], places[end - 1] + 1)

    def _at(self, start: int, letters: str, text: str, places: Sequence[int]) -> tuple[str, int] | None:
        for head in (letters[start : start + 2], letters[start]):
            for length in self._lengths.get(head, ()):
                form = self._forms.get(letters[start : start + length])
                if form and _stands(form, text, places[start : start + length]):
                    return form.word, start + length
        return None


NO_WORDS = WordList(())


@lru_cache(maxsize=256)
def word_list(words: tuple[str, ...]) -> WordList:
    return WordList(words) if words else NO_WORDS


def objection(word: str) -> str | None:
    """Why a word is not taken into a list, as a code (see the texts, under `word.`); None where it is."""
    bare = word.strip(_ANYWHERE)
    letters = sum(not letter.isspace() for letter in bare)
    if not any(letter.isalnum() or ord(letter) > 0x2000 for letter in bare):
        return "empty"
    if len(word) > LONGEST:
        return "long"
    if _ANYWHERE in bare or not all(letter.isprintable() for letter in bare):
        return "sign"
    return "everything" if letters < 2 and word != bare else None


def initials(word: str) -> str:
    """The bare consonants by which a word is written for short: 시발 -> ㅅㅂ; empty where it has fewer than two."""
    found = [LEADS[(ord(letter) - 0xAC00) // 588] for letter in word if "가" <= letter <= "힣"]
    return "".join(found) if len(found) > 1 else ""


def _form(word: str) -> _Form:
    return _Form(word, not word.startswith(_ANYWHERE), not word.endswith(_ANYWHERE))


def _wider(one: _Form | None, other: _Form) -> _Form:
    """Of two that read the same: wherever either stands."""
    return _Form(one.word, one.opens and other.opens, one.closes and other.closes) if one else other


def _spellings(word: str) -> frozenset[str]:
    seen = views(word.strip(_ANYWHERE))
    return frozenset(filter(None, ("".join(one.split()) for one in (seen.plain, seen.opened))))


def _stands(form: _Form, text: str, places: Sequence[int]) -> bool:
    """Whether the letters at these places are the word: not torn out of others."""
    first, last = places[0], places[-1]
    torn = last - first >= len(places)
    if torn and len(places) < 3 and text[first : last + 1].lower() != form.word.strip(_ANYWHERE).lower():
        return False  # 시 발: what is spelled out has a view of its own, the rest are two words
    opens, closes = form.opens or torn, form.closes or torn
    return not (opens and _goes_on(text[first], text[first - 1 : first])) and not (
        closes and not _ends(text[last], text[last + 1 : last + 2 + _LONGEST_TAIL])
    )


def _ends(last: str, after: str) -> bool:
    if not _goes_on(last, after[:1]):
        return True
    if not "가" <= last <= "힣":
        return False
    tail = re.match("[가-힣]*", after)
    return tail is not None and _TAIL.fullmatch(tail[0]) is not None


def _goes_on(edge: str, beside: str) -> bool:
    """Whether the letter beside the edge of a word belongs to a longer word."""
    if "가" <= edge <= "힣":
        return "가" <= beside <= "힣"
    if "ㄱ" <= edge <= "ㅣ":
        return "ㄱ" <= beside <= "ㅣ" and beside not in _LAUGHTER
    return edge.isalnum() and beside.isalnum() and not "ㄱ" <= beside <= "힣"
