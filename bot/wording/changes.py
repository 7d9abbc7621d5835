"""One setting that was changed -> a line that says so."""

import re
from dataclasses import fields
from datetime import datetime, timedelta

from bot.core.communities.journal import AuditEntry
from bot.core.rules.lists import Lists
from bot.core.text.catalogue import Texts
from bot.wording.reasons import rule_name
from bot.wording.times import moment, span

LONGEST = 120  # characters of a value

#: What stands between the words of a setting that has several,
_BETWEEN = {"shadow": ", ", "tidied": ", ", "night": " ", "quiet": " ", "overrides": " "}
#: and where those have their names.
_NAMED = {
    "kinds": ("sensitivity",), "ladder": ("ladder_reach",), "tidied": ("tidied",), "blocklist": ("listing",),
    "night": ("report.value.mode", "report.value.preset"),
    "overrides": ("report.value.mode", "report.value.preset", "override_mode"),
}  # fmt: skip
_LISTS = {"exempt_roles", "exempt_channels", "shadow", "tidied", *(one.name for one in fields(Lists))}
_HOURS = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")
_LASTING = re.compile(r"(?:(?P<days>[0-9]+) days?, )?(?P<hours>[0-9]+):(?P<minutes>[0-9]{2}):00")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+")


def change_line(change: AuditEntry, say: Texts, timezone: str, now: datetime) -> str:
    setting, _, about = change.setting.partition(".")
    named = say.get(f"kind.{about}", "") or rule_name(about, say) if about else ""
    what = say(f"report.setting.{setting}", rule=named, bot=about)
    if setting == "rules":  # as it stands in the file: nobody reads that in a line
        came = "came" if not change.before else "went" if not change.after else "changed"
        return say("policy.rule", what=what, came=say[f"policy.{came}"])
    before, after = (value_line(setting, value, say, timezone, now) for value in (change.before, change.after))
    return say("policy.setting", what=what, before=before, after=after)


def value_line(setting: str, value: str, say: Texts, timezone: str, now: datetime) -> str:
    """What was set, of which the journal has the text, as people call it."""
    between = _BETWEEN.get(setting, "")
    words = value.split(between) if between else [value]
    shown = (
        between.join(_worded(setting, word, say, timezone, now) for word in words)
        or say["setting.none" if setting in _LISTS else "setting.unset"]
    )
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _worded(setting: str, word: str, say: Texts, timezone: str, now: datetime) -> str:
    for family in (*_NAMED.get(setting, ()), f"report.value.{setting}"):
        if named := say.get(f"{family}.{word}", ""):
            return named
    match setting:
        case "newcomers" if lasting := _LASTING.fullmatch(word):
            length = timedelta(**{unit: int(count or 0) for unit, count in lasting.groupdict().items()})
            return span(length, say) if length else ""
        case "night" | "quiet" if hours := _HOURS.fullmatch(word):
            return say("night.hours", start=hours[1], end=hours[2])
        case "paused_until" | "shares" | "overrides" if _MOMENT.fullmatch(word):
            return moment(datetime.fromisoformat(word), timezone, now)
        case "shadow" | "overrides":
            return rule_name(word, say)
    return word
