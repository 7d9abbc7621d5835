"""One setting that was changed -> a line that says so."""

from bot.core.communities.journal import AuditEntry
from bot.core.text.catalogue import Texts
from bot.wording.reasons import rule_name

LONGEST = 120  # characters of a value


def change_line(change: AuditEntry, say: Texts) -> str:
    setting, _, about = change.setting.partition(".")
    named = say.get(f"kind.{about}", "") or rule_name(about, say) if about else ""
    what = say(f"report.setting.{setting}", rule=named, bot=about)
    if setting == "rules":  # as it stands in the file: nobody reads that in a line
        came = "came" if not change.before else "went" if not change.after else "changed"
        return say("policy.rule", what=what, came=say[f"policy.{came}"])
    before, after = (_value(setting, value, say) for value in (change.before, change.after))
    return say("policy.setting", what=what, before=before, after=after)


def _value(setting: str, value: str, say: Texts) -> str:
    if not value:
        return say["policy.unset"]
    if setting == "kinds":
        return say.get(f"sensitivity.{value}", value)
    shown = say.get(f"report.value.{setting}.{value}", value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
