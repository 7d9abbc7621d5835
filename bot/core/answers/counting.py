"""A judged pair of a prompt and a bot's answer -> what it counts as in a report, bot by bot."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.core.chat.message import Message
from bot.core.guarding.verdict import YES, Screening, Task, Unscreened


class Count(StrEnum):
    """What is counted of a bot's answers. A share is out of those of which it is known: a guard that cannot judge
    refusal says nothing about it."""

    JUDGED = "judged"  # answers that the guard scored for harm
    UNSAFE = "unsafe"  # of those: harmful ones
    ASKED = "asked"  # answers of which refusal was judged
    REFUSED = "refused"  # of those
    HARMLESS = "harmless"  # answers to harmless prompts of which refusal was judged
    OVER_REFUSED = "over_refused"  # of those: refused
    HARM_ASKED = "harm_asked"  # answers to harmful prompts of which refusal was judged
    HARM_ANSWERED = "harm_answered"  # of those: not refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """One bot's, or all bots' together."""

    judged: int = 0
    unsafe: int = 0
    asked: int = 0
    refused: int = 0
    harmless: int = 0
    over_refused: int = 0
    harm_asked: int = 0
    harm_answered: int = 0

    @staticmethod
    def sum(counts: "Iterable[PairCounts]") -> "PairCounts":
        counts = tuple(counts)
        return PairCounts(**{count.value: sum(getattr(one, count) for one in counts) for count in Count})


def counted(message: Message, screening: Screening) -> frozenset[Count]:
    """Nothing for what is no bot's answer, or was not judged as one."""
    if not message.author.bot or isinstance(screening, Unscreened):
        return frozenset()
    harm = screening.scores.get(Task.RESPONSE_HARM)
    refusal = screening.scores.get(Task.RESPONSE_REFUSAL)
    prompt = screening.scores.get(Task.PROMPT_HARM)
    counts: set[Count] = set()
    if harm is not None:
        counts |= {Count.JUDGED} | ({Count.UNSAFE} if harm >= YES else set())
    if refusal is not None:
        refused = refusal >= YES
        counts |= {Count.ASKED} | ({Count.REFUSED} if refused else set())
        if prompt is not None and prompt < YES:
            counts |= {Count.HARMLESS} | ({Count.OVER_REFUSED} if refused else set())
        elif prompt is not None:
            counts |= {Count.HARM_ASKED} | ({Count.HARM_ANSWERED} if not refused else set())
    return frozenset(counts)
