"""A Korean sentence with room for facts -> the same with the facts in it, the particle behind each by its last sound:
키를 and 그룹을, 7을 and 2를, JSON으로 and API로."""

import re
from collections.abc import Mapping

_PAIRS = (("은", "는"), ("이", "가"), ("을", "를"), ("과", "와"), ("으로", "로"), ("이라는", "라는"), ("이나", "나"))
_PAIR = {one: pair for pair in _PAIRS for one in pair}
_BEHIND = re.compile(rf"(\{{[^{{}}]+\}})({'|'.join(sorted(_PAIR, key=len, reverse=True))})(?![가-힣])")

#: As digits are read, and words in Latin letters mostly end: closed (JSON, name, chat; not IP), on an l (role).
_CLOSED = re.compile(r"[013678LMNlmn]$|(?i:ng)$|[lmn]e$|(?:(?:^|[^aeiou])[aeiou]|ou)[bckpt]$|[aio]ck$")
_ON_L = re.compile(r"[178Ll]$|le$")
_FINALS, _L = 28, 8  # of a syllable, in the order of Unicode


def filled(sentence: str, facts: Mapping[str, object]) -> str:
    """A particle that must not be joined, as behind what is to be copied, stands apart from its fact."""

    def joined(found: re.Match[str]) -> str:
        fact = found[1].format(**facts)
        return f"{fact}{particle(found[2], fact)}".replace("{", "{{").replace("}", "}}")

    return _BEHIND.sub(joined, sentence).format(**facts)


def particle(one: str, behind: str) -> str:
    """Of the two that it may be, the one that follows these words."""
    closed, open_ = _PAIR[one]
    word = re.sub(r"[^0-9A-Za-z가-힣]+$", "", behind)
    if "가" <= word[-1:] <= "힣":
        final = (ord(word[-1]) - ord("가")) % _FINALS
        is_closed, on_l = final > 0, final == _L
    else:
        is_closed, on_l = bool(_CLOSED.search(word)), bool(_ON_L.search(word))
    return closed if is_closed and not (on_l and open_ == "로") else open_
