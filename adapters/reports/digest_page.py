"""Digest -> a Markdown page for moderators."""

from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.core.guarding.verdict import Unscreened, as_shown
from bot.core.incidents.incident import Incident
from bot.core.reporting.digest import Digest
from bot.core.text.catalogue import Texts
from bot.wording.reasons import reasons, refusal

MOST = 200  # incidents listed one by one
COLUMNS = ("number", "when", "channel", "author", "score", "rule", "done", "why")


def page(digest: Digest, say: Texts, timezone: str) -> str:
    """Community by community, as each numbers its incidents."""
    zone = ZoneInfo(timezone)
    listed = sorted(digest.incidents, key=lambda one: (one.decision.message.community_id, one.case))
    several = len({incident.decision.message.community_id for incident in digest.incidents}) > 1
    return _TEMPLATE.render(
        digest=digest,
        refused={refusal(reason, say): count for reason, count in digest.refused.items()},
        say=say,
        zone=zone,
        columns=("community", *COLUMNS) if several else COLUMNS,
        rows=[_row(one, say, zone) for one in listed[:MOST]],
        most=MOST,
    )


def _row(incident: Incident, say: Texts, zone: ZoneInfo) -> dict[str, str]:
    decision = incident.decision
    message, screening = decision.message, decision.screening
    harm = None if isinstance(screening, Unscreened) else screening.harm
    row = {
        "community": message.community_id,
        "number": str(incident.case),
        "when": message.sent_at.astimezone(zone).strftime("%m-%d %H:%M"),
        "channel": message.ref.channel_id,
        "author": message.author.name or message.author.id,
        "score": "" if harm is None else f"{as_shown(harm):.2f}",
        "rule": say.get(f"rule_name.{decision.rule}", decision.rule or ""),
        "done": ", ".join(
            f"{say[f'action.{action.kind}']} ({say['outcome.' + (outcome.kind if outcome else 'planned')]})"
            for action, outcome in incident.outcomes
        )
        or say["action.nothing"],
        "why": reasons(decision, say),
    }
    return {key: _cell(value) for key, value in row.items()}


def _cell(text: str) -> str:
    """Text that cannot break out of a Markdown table, nor be read as markup."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    for sign in "\\`*_{}[]<>|#":
        shown = shown.replace(sign, f"\\{sign}" if sign != "<" else "&lt;")
    return shown


_TEMPLATE = Environment(
    loader=PackageLoader("adapters.reports", ""),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
).get_template("digest.md.j2")
