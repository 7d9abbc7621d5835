"""What a look at every part finds: how it is, and what to do where it is not well."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: How far our clock may be off a platform's: decisions hang on how old messages are.
CLOCK_OFF = timedelta(minutes=1)


class State(StrEnum):
    WELL = "well"
    ODD = "odd"  # it works, and somebody should know
    ILL = "ill"  # it does not


@dataclass(frozen=True, slots=True)
class Found:
    """`part`: the name of one (`doctor.part.…`) or a platform; `told` and `remedy` are for whoever runs the bot."""

    part: str
    state: State
    told: str
    remedy: str = ""


def is_off(ours: datetime, theirs: datetime | None) -> bool:
    return theirs is not None and abs(ours - theirs) > CLOCK_OFF
