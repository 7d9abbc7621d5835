"""The kinds of harm: the one language that guards, rules, cards, reports and the API share."""

from enum import StrEnum


class HarmKind(StrEnum):
    """What is wrong with a text. What each means, with examples of what is not meant: corpus/GUIDE.md."""

    # Between people; corpus/ has lines of each.
    ABUSE = "abuse"
    HATE = "hate"
    THREAT = "threat"  # announcements of crimes, too
    SELF_HARM = "self_harm"
    SEXUAL_HARASSMENT = "sexual_harassment"
    GROOMING = "grooming"
    DOXXING = "doxxing"
    ADVERTISING = "advertising"
    FRAUD = "fraud"
    BULLYING = "bullying"
    # Asked of an LLM bot, or answered by it.
    SEXUAL = "sexual"
    VIOLENCE = "violence"
    DANGEROUS = "dangerous"
    # What a guard that only says "harmful" finds; of one that knows kinds, what fits none of them.
    UNSPECIFIED = "unspecified"
