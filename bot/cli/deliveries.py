"""What reports were sent, failed or were skipped, and why -> a table, the newest first."""

from bot.app import reporting
from bot.cli.shown import print_json
from bot.config import Config
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.text.catalogue import Texts


async def deliveries(config: Config, say: Texts, *, community: str | None, limit: int, as_json: bool) -> None:
    async with reporting.delivered(config) as delivered:
        found = await delivered.latest(limit, community)
    if as_json:
        print_json({"deliveries": [_row(one) for one in found]})
        return
    if not found:
        print(say["delivery.none"])
    for one in found:
        why = say.sentences.get(f"delivery.{one.reason}", one.reason)
        kind, state = say[f"delivery.kind.{one.kind}"], say[f"delivery.state.{one.state}"]
        words = (f"{one.due:%Y-%m-%d %H:%M}Z", str(one.platform), one.community_id, kind, one.period, state, why)
        print("  ".join(word for word in words if word))


def _row(one: Delivery) -> dict[str, object]:
    return {
        "platform": one.platform,
        "community": one.community_id,
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
