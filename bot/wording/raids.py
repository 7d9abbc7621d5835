"""A raid -> the one card on which moderators see it, and what its buttons say."""

from dataclasses import dataclass

from bot.core.incidents.card import Line, Tone
from bot.core.incidents.raids.raid import Press, Raid, Remedy, Whom
from bot.core.text.catalogue import Texts
from bot.wording.times import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class RaidCard:
    """Plain text throughout, as `incidents.card.Card`."""

    tone: Tone
    title: str
    text: str
    lines: tuple[Line, ...]
    buttons: tuple[tuple[Press, str], ...]


def raid_card(raid: Raid, say: Texts, timezone: str) -> RaidCard:
    under_way = raid.members - raid.left[Whom.ALL] - raid.banned - raid.refused - raid.freed
    facts = [
        ("card.case", f"#{raid.number}"),
        ("raid.began", moment(raid.began_at, timezone, raid.last_at)),
        ("raid.over", moment(raid.last_at, timezone, raid.last_at) if raid.is_over else ""),
        ("raid.members", say("raid.count", count=raid.members)),
        ("raid.offenders", say("raid.count", count=raid.offenders)),
        ("raid.under_way", say("raid.count", count=under_way) if under_way > 0 else ""),
        ("raid.banned", say("raid.count", count=raid.banned) if raid.banned else ""),
        ("raid.refused", say("raid.count", count=raid.refused) if raid.refused else ""),
        ("raid.freed", say("raid.count", count=raid.freed) if raid.freed else ""),
    ]
    return RaidCard(
        tone=Tone.CLOSED if raid.is_over and not raid.left[Whom.OFFENDERS] else Tone.URGENT,
        title=say["raid.title_over" if raid.is_over else "raid.title"],
        text=say[f"raid.sign_{raid.sign}"],
        lines=tuple(Line(say[key], value) for key, value in facts if value),
        buttons=tuple(_buttons(raid, say)),
    )


def _buttons(raid: Raid, say: Texts) -> list[tuple[Press, str]]:
    """Each says for how many it is pressed, and is for no more."""
    offered = []
    offenders, all_ = raid.left[Whom.OFFENDERS], raid.left[Whom.ALL]
    if offenders:
        press = Press(Remedy.BAN, Whom.OFFENDERS, raid.id, offenders)
        offered.append((press, say("raid.ban_offenders", count=offenders)))
    if all_ > offenders:
        offered.append((Press(Remedy.BAN, Whom.ALL, raid.id, all_), say("raid.ban_all", count=all_)))
    if raid.banned:
        undo = Press(Remedy.UNDO, Whom.ALL, raid.id, raid.banned)
        offered.append((undo, say("raid.undo", count=raid.banned)))
    return offered
