"""`jikimi deliveries`: what reports were sent, failed or were skipped, and why -> a table, the newest first."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.chat.message import CommunityRef
from bot.core.reporting.delivery.delivery import Delivery
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.reporting.ports import Deliveries


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("deliveries", help=say["help.deliveries"])
    def command(
        community: Annotated[
            str | None, typer.Option("--community", help=say["help.deliveries_community"], show_default=False)
        ] = None,
        limit: Annotated[int, typer.Option("--limit", min=1, help=say["help.deliveries_limit"])] = 50,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(deliveries(line.settings(config), say, community=community, limit=limit, as_json=as_json))


async def deliveries(config: "Config", say: Texts, *, community: str | None, limit: int, as_json: bool) -> None:
    from bot.app import reporting
    from bot.wording.reasons import refusal

    async with reporting.delivered(config) as delivered:
        found = await _latest(delivered, limit, community)
    if as_json:
        print_json({"deliveries": [_row(one) for one in found]})
        return
    if not found:
        print(say["delivery.none"])
    for one in found:
        why = say.get(f"delivery.{one.reason}", refusal(one.reason, say))
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


async def _latest(delivered: "Deliveries", limit: int, id_: str | None) -> Sequence[Delivery]:
    """Of the communities of that id: every line says which platform's it is."""
    if id_ is None:
        return await delivered.latest(limit)
    from bot.app import chats

    found = [one for platform in chats.PLATFORMS for one in await delivered.latest(limit, CommunityRef(platform, id_))]
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
