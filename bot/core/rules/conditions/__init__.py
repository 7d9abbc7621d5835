"""What a rule may ask about a message: typed conditions, each of which says why it does or does not hold.

A condition is declared once, in the file of its subject; how a rule writes it, when it is asked and what it relies on
follow from that. docs/adding/condition.md.
"""

from bot.core.rules.conditions import author, contents, conversation, listed, text, verdict
from bot.core.rules.conditions.author import ByBot, ByStaff, Channel, FirstMessages, NewAuthor, Role
from bot.core.rules.conditions.condition import (
    NOTHING_BEFORE,
    Check,
    Condition,
    Explanation,
    Fact,
    Past,
    Rank,
    Situation,
    Written,
)
from bot.core.rules.conditions.contents import Carries, Edited, Filtered, Forwarded, Link, Mentions, ViaBot
from bot.core.rules.conditions.conversation import Flood, Offences, Paired, Pieces, Repeats, SameText
from bot.core.rules.conditions.listed import Listed
from bot.core.rules.conditions.searching import Group, Sought, Words
from bot.core.rules.conditions.text import NOT_SEARCHED, Named, NoText, Overrides, Text
from bot.core.rules.conditions.verdict import (
    Calibrated,
    Category,
    IsUnscreened,
    Kind,
    NoKind,
    Pair,
    PairIs,
    Possible,
    Quarrel,
    Recurring,
    Score,
)

__all__ = [
    "CONDITIONS",
    "NOTHING_BEFORE",
    "NOT_SEARCHED",
    "ByBot",
    "ByStaff",
    "Calibrated",
    "Carries",
    "Category",
    "Channel",
    "Check",
    "Condition",
    "Edited",
    "Explanation",
    "Fact",
    "Filtered",
    "FirstMessages",
    "Flood",
    "Forwarded",
    "Group",
    "IsUnscreened",
    "Kind",
    "Link",
    "Listed",
    "Mentions",
    "Named",
    "NewAuthor",
    "NoKind",
    "NoText",
    "Offences",
    "Overrides",
    "Pair",
    "PairIs",
    "Paired",
    "Past",
    "Pieces",
    "Possible",
    "Quarrel",
    "Rank",
    "Recurring",
    "Repeats",
    "Role",
    "SameText",
    "Score",
    "Situation",
    "Sought",
    "Text",
    "ViaBot",
    "Words",
    "Written",
]  # fmt: skip

#: Every condition, in the order in which a rule asks them.
CONDITIONS: tuple[type[Condition], ...] = tuple(
    sorted(
        (
            *verdict.CONDITIONS,
            *conversation.CONDITIONS,
            *author.CONDITIONS,
            *contents.CONDITIONS,
            *text.CONDITIONS,
            *listed.CONDITIONS,
        ),
        key=lambda condition: condition.rank,
    )
)
