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
    """What takes a right of its own, beside cards' buttons and commands (`Command.right`)."""

    REPORT_NAMES = "report_names"  # a report with members' names
    BIND_ROOM = "bind_room"  # where cards or reports go: in the community and in that room


_REVIEW, _DELETE, _MANAGE = {Right.REVIEW}, {Right.DELETE}, {Right.MANAGE}


def _to_impose(action: Action | type[Action]) -> frozenset[Right]:
    """What it takes to ask for an action; to lift it, too."""
    return frozenset({action.right} if action.right else ())


#: All of these rights are needed.
NEEDED: Mapping[Button | Deed, frozenset[Right]] = {
    one: frozenset(rights)
    for rights, deeds in (
        (_REVIEW, (Button.ESCALATE, Button.TAKE, Button.REOPEN, Button.HISTORY, Button.LIFT)),
        (
            _DELETE,
            (
                Button.RIGHT,
                Button.WRONG,
                Button.DISMISS,
                Button.REVEAL,
                Button.ACCEPT,
                Button.SOFTEN,
                Button.UPHOLD,
                Deed.REPORT_NAMES,
            ),
        ),
        (_to_impose(Delete), (Button.DELETE,)),
        (_to_impose(Timeout), (Button.TIMEOUT, Button.HOUR, Button.DAY)),
        (_to_impose(Ban), (Button.BAN,)),
        (_MANAGE, (Deed.BIND_ROOM,)),
    )
    for one in deeds
}


def needed(what: Button | Deed | Right | None, incident: Incident | None = None) -> frozenset[Right]:
    """The rights that this takes, in the community that it is about; a right stands for itself, as that of a command,
    and None is anybody's. `incident` is what a button is pressed on: what it lifts or imposes takes the right to do
    that."""
    if what is None or isinstance(what, Right):
        return frozenset({what} if what else ())
    if incident is None or not isinstance(what, Button) or what.call is None:
        return NEEDED[what]
    calls = [incident.review.call] if incident.review else []
    before, after = incident.standing.sanction, wanted([*calls, what.call], incident.steps).sanction
    changed = {before, after} if before != after and what.call.closes and what.call is not Call.UPHOLD else set()
    return NEEDED[what].union(*(_to_impose(sanction) for sanction in changed if sanction))


def may(rights: frozenset[Right], what: Button | Deed | Right | None, incident: Incident | None = None) -> bool:
    """Whether somebody with these rights may do this."""
    return needed(what, incident) <= rights
