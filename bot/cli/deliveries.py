"""What reports were sent, failed or were skipped, and why -> a table, the newest first."""

from collections.abc import Sequence

from bot.app import reporting
from bot.cli.shown import print_json
from bot.config import Config
from bot.core.chat.message import CommunityRef, Platform
from bot.core.reporting.delivery import Delivery
from bot.core.reporting.ports import Deliveries
from bot.core.text.catalogue import Texts


async def deliveries(config: Config, say: Texts, *, community: str | None, limit: int, as_json: bool) -> None:
    async with reporting.delivered(config) as delivered:
        found = await _latest(delivered, limit, community)
    if as_json:
        print_json({"deliveries": [_row(one) for one in found]})
        return
    if not found:
        print(say["delivery.none"])
    for one in found:
        why = say.sentences.get(f"delivery.{one.reason}", one.reason)
        kind, state = say[f"delivery.kind.{one.kind}"], say[f"delivery.state.{one.state}"]
        words = (
            f"{one.due:%Y-%m-%d %H:%M}Z",
            str(one.community.platform),
            one.community.id,
            kind,
            one.period,
            state,
            why,
        )
        print("  ".join(word for word in words if word))


async def _latest(delivered: Deliveries, limit: int, id_: str | None) -> Sequence[Delivery]:
    """Of the communities of that id: every line says which platform's it is."""
    if id_ is None:
        return await delivered.latest(limit)
    found = [one for platform in Platform for one in await delivered.latest(limit, CommunityRef(platform, id_))]
    return sorted(found, key=lambda one: (one.due, one.id), reverse=True)[:limit]


def _row(one: Delivery) -> dict[str, object]:
    return {
        "platform": one.community.platform,
        "community": one.community.id,
        "kind": one.kind,
        "period": one.period,
        "due": one.due.isoformat(),
        "state": one.state,
        "attempts": one.attempts,
        "started_at": one.started_at and one.started_at.isoformat(),
        "finished_at": one.finished_at and one.finished_at.isoformat(),
        "receipt": one.receipt,
        "reason": one.reason,
    }
