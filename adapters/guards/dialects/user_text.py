"""User text is data: any string in, text out that cannot change a prompt's format, in windows that fit the guard.

What is done to it, the same for every transport, so that all of them judge the same bytes:

* It is stripped at both ends, as most chat templates do.
* Surrogate pairs are joined, lone surrogates become U+FFFD: the text is always valid UTF-8.
* Literals that some tokenizer may read as a control token (`<|eot_id|>`, `</s>`, `<END CONVERSATION>`, `[INST]`) get
  a zero width space after their bracket: the same to the eye, ordinary text to a tokenizer. Discord's mentions and
  emoji (`<@1>`, `<:name:1>`) are none of them.
* A line that opens like a section of the prompt or a line of the answer ("AI assistant:", "Harmful request:") is quoted
  with "> ", as in a reply by mail, invisible characters and other line separators before it notwithstanding.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

_ZERO_WIDTH_SPACE = "\u200b"

_CONTROL_TOKEN = re.compile(
    r"<(?=\||/?[A-Za-z][\w .&/|-]{0,60}>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_[A-Z]+|IMG[A-Z_]*|PREFIX|MIDDLE|SUFFIX|THINK|ARGS|CALL_ID"
    r"|[A-Z_]*AUDIO)\])",
    re.ASCII,
)

_LINE_BREAKS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0"
)

# Bounds the first guess for a window, so that a long text is not tokenised whole for each of them.
_MOST_CHARACTERS_A_TOKEN = 8


@cache
def _forged_line(sections: tuple[str, ...]) -> re.Pattern[str]:
    # Possessive and bounded, and no line break among the blanks: linear in the text, whatever the text.
    blank = rf"(?:[^\S{_LINE_BREAKS}]|[{_INVISIBLE}])"
    names = "|".join(rf"{blank}{{0,4}}".join(map(re.escape, section.split())) for section in sections)
    return re.compile(rf"((?:^|[{_LINE_BREAKS}]){blank}*+)(?=(?:{names}){blank}{{0,4}}[:：])", re.IGNORECASE)


def harmless(text: str, sections: tuple[str, ...] = ()) -> str:
    """The text as it may stand in a prompt whose sections and answer lines open with the given names."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _CONTROL_TOKEN.sub(lambda bracket: bracket[0] + _ZERO_WIDTH_SPACE, text.strip())
    return _forged_line(sections).sub(r"\1> ", text) if sections else text


def token_bound(text: str) -> int:
    """No fewer than the tokens of the text in any byte-level or byte-fallback vocabulary: its UTF-8 bytes, before or
    after NFC, whichever is more. Far too many for Korean (about 3.4 bytes a token in Llama 3's vocabulary), so an
    engine with a tokenizer passes its own count."""
    raw = len(text.encode())
    # Piece by piece: sorting a heap of combining signs takes the square of its length.
    return raw if text.isascii() else max(raw, sum(len(normal.encode()) for normal in _normalised(text)))


def _normalised(text: str) -> Iterator[str]:
    return (unicodedata.normalize("NFC", text[start : start + 64]) for start in range(0, len(text), 64))


def windows(text: str, budget: int, cost: Callable[[str], int]) -> tuple[str, ...]:
    """The text whole if it costs at most `budget` tokens, else in windows that do, each sharing an eighth of its
    length with the next, so that a phrase at a border stands whole in one of them."""
    if cost(text) <= budget:
        return (text,)
    found: list[str] = []
    start, longest = 0, budget * _MOST_CHARACTERS_A_TOKEN
    while True:
        end = min(len(text), start + longest)
        while (tokens := cost(text[start:end])) > budget and end - start > 1:
            end = start + max(1, (end - start) * budget * 31 // (tokens * 32))
        found.append(text[start:end])
        if end == len(text):
            return tuple(found)
        longest = min(2 * (end - start), budget * _MOST_CHARACTERS_A_TOKEN)  # text is much like the text before it
        start = max(start + 1, end - (end - start) // 8)


def pair_windows(prompt: str, response: str, budget: int, cost: Callable[[str], int]) -> tuple[tuple[str, str], ...]:
    """Windows over both texts that fit the budget together. The longer one is cut first; where both are long each gets
    half, and the windows of one walk beside those of the other: all text is seen, not every combination of it."""
    of_prompt, of_response = cost(prompt), cost(response)
    if of_prompt + of_response <= budget:
        return ((prompt, response),)
    prompts = windows(prompt, max(budget // 2, budget - of_response), cost)
    responses = windows(response, max(budget // 2, budget - of_prompt), cost)
    return tuple(
        (prompts[n % len(prompts)], responses[n % len(responses)]) for n in range(max(len(prompts), len(responses)))
    )
