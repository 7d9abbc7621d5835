"""Who may do what: a deed goes in, the rights that it takes come out. docs/permissions.md shows the whole table.

Platforms say which rights somebody has in a community, asked anew for each deed:

| | Discord | Telegram |
|---|---|---|
| delete | manage_messages | can_delete_messages |
| mute | moderate_members | can_restrict_members |
| kick | kick_members | can_restrict_members |
| ban | ban_members | can_restrict_members |
| manage | manage_guild | can_change_info and can_restrict_members |
| own | the owner | the creator |
| review | any of these | any of these |

An owner has them all; whoever has the title of an admin and none of these rights has none.
"""

from collections.abc import Mapping
from enum import StrEnum

from bot.core.chat.rights import Right
from bot.core.incidents.card import Button
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call, wanted
from bot.core.rules.actions import Action, Ban, Delete, Timeout


class Deed(StrEnum):
    """What people ask for otherwise than by a card's buttons."""

    FLAG = "flag"  # point the moderators to a message
    APPEAL = "appeal"  # about a message of one's own
    PRIVACY = "privacy"
    STATUS = "status"
    CHECK = "check"
    TEST = "test"
    JUDGE = "judge"  # what would be decided about a message that stands there
    HISTORY = "history"
    EXPLAIN = "explain"  # shows an incident with its text
    REPORT = "report"
    REPORT_NAMES = "report_names"  # with members' names
    SET_UP = "set_up"  # preset, mode, language, who is called in an emergency
    BIND_ROOM = "bind_room"  # where cards or reports go: in the community and in that room
    EXEMPT = "exempt"
    THRESHOLD = "threshold"
    PAUSE = "pause"
    NATIVE_FILTER = "native_filter"
    BOTS = "bots"
    SCHEDULE = "schedule"


_NOBODY_ASKED, _REVIEW, _DELETE, _MANAGE = frozenset[Right](), {Right.REVIEW}, {Right.DELETE}, {Right.MANAGE}


def _to_impose(action: Action | type[Action]) -> frozenset[Right]:
    """What it takes to ask for an action; to lift it, too."""
    return frozenset({action.right} if action.right else ())


#: All of these rights are needed; none: anybody may.
NEEDED: Mapping[Button | Deed, frozenset[Right]] = {
    one: frozenset(rights)
    for rights, deeds in (
        (_NOBODY_ASKED, (Deed.FLAG, Deed.APPEAL, Deed.PRIVACY)),
        (_REVIEW, (Button.ESCALATE, Button.HISTORY, Button.LIFT)),
        (_REVIEW, (Deed.STATUS, Deed.CHECK, Deed.TEST, Deed.JUDGE, Deed.HISTORY, Deed.REPORT)),
        (_DELETE, (Button.RIGHT, Button.WRONG, Button.REVEAL, Button.ACCEPT, Button.UPHOLD)),
        (_DELETE, (Deed.EXPLAIN, Deed.REPORT_NAMES)),
        (_to_impose(Delete), (Button.DELETE,)),
        (_to_impose(Timeout), (Button.TIMEOUT,)),
        (_to_impose(Ban), (Button.BAN,)),
        (_MANAGE, (Deed.SET_UP, Deed.BIND_ROOM, Deed.EXEMPT, Deed.THRESHOLD, Deed.PAUSE, Deed.NATIVE_FILTER)),
        (_MANAGE, (Deed.BOTS, Deed.SCHEDULE)),
    )
    for one in deeds
}


def needed(what: Button | Deed, incident: Incident | None = None) -> frozenset[Right]:
    """The rights that this takes, in the community that it is about. `incident` is what a button is pressed on: what it
    lifts or imposes takes the right to do that."""
    if incident is None or not isinstance(what, Button) or what.call is None:
        return NEEDED[what]
    calls = [incident.review.call] if incident.review else []
    before, after = incident.standing.sanction, wanted([*calls, what.call], incident.steps).sanction
    changed = {before, after} if before != after and what.call not in (Call.UPHOLD, Call.ESCALATE) else set()
    return NEEDED[what].union(*(_to_impose(sanction) for sanction in changed if sanction))


def may(rights: frozenset[Right], what: Button | Deed, incident: Incident | None = None) -> bool:
    """Whether somebody with these rights may do this."""
    return needed(what, incident) <= rights
