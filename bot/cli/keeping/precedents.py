"""`jikimi precedents`: what moderators of a community have called right or wrong and is acted on since -> a list; or
one of them withdrawn."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line, place_of
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.rules.precedent import Precedent
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("precedents", help=say["help.precedents"])
    def command(
        community: Annotated[str, typer.Option("--community", help=say["help.people_community"], show_default=False)],
        platform: Annotated[
            str | None, typer.Option("--platform", help=say["help.keys_platform"], show_default=False)
        ] = None,
        withdraw: Annotated[
            int | None, typer.Option("--withdraw", help=say["help.precedents_withdraw"], show_default=False)
        ] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(precedents(community, platform, withdraw, line.settings(config), say, as_json=as_json))


async def precedents(
    community: str, platform: str | None, withdraw: int | None, config: "Config", say: Texts, *, as_json: bool
) -> None:
    from bot.app import keeping

    async with keeping.record(config) as record:
        place = place_of(community, platform, await record.communities.all(), say)
        if withdraw is not None:
            if not await record.precedents.withdraw(place, withdraw):
                raise Broken(say("precedents.unknown", incident=withdraw))
            print(say("precedents.withdrawn", incident=withdraw))
            return
        held = await record.precedents.of(place)
    if as_json:
        print_json({"precedents": [_row(one) for one in held]})
        return
    print(say("precedents.title", count=len(held)) if held else say["precedents.none"])
    for one in held:
        rules = ", ".join(sorted(one.rules))
        print(say(f"precedents.{one.ruling}", incident=one.case or "-", rules=rules, until=f"{one.until:%Y-%m-%d}"))


def _row(one: Precedent) -> dict[str, object]:
    return {
        "case": one.case or None,
        "ruling": one.ruling,
        "rules": sorted(one.rules),
        "until": one.until.isoformat(),
    }
