"""`jikimi export`, `erase`, `hold`: what is stored of a member or a community, given out, taken away, kept."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line, operator, place_of
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config

HELD = timedelta(days=90)


def declare(line: Line) -> None:
    say = line.say
    community_option = typer.Option("--community", help=say["help.people_community"], show_default=False)
    platform_option = typer.Option("--platform", help=say["help.keys_platform"], show_default=False)
    member_option = typer.Option("--member", help=say["help.people_member"], show_default=False)

    @line.app.command("export", help=say["help.export"])
    def export_command(
        community: Annotated[str, community_option],
        member: Annotated[str, member_option],
        platform: Annotated[str | None, platform_option] = None,
        out: Annotated[Path | None, typer.Option("--out", help=say["help.export_out"], show_default=False)] = None,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(export(community, platform, member, out, line.settings(config), say))

    @line.app.command("erase", help=say["help.erase"])
    def erase_command(
        community: Annotated[str, community_option],
        member: Annotated[str | None, member_option] = None,
        everything: Annotated[bool, typer.Option("--everything", help=say["help.erase_everything"])] = False,
        platform: Annotated[str | None, platform_option] = None,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        if everything is (member is not None):
            raise Broken(say["erase.whose"])
        asyncio.run(erase(community, platform, member, line.settings(config), say))

    @line.app.command("hold", help=say["help.hold"])
    def hold_command(
        incident: Annotated[int, typer.Argument(help=say["help.hold_incident"], show_default=False)],
        community: Annotated[str, community_option],
        because: Annotated[str, typer.Option("--because", help=say["help.hold_because"], show_default=False)],
        platform: Annotated[str | None, platform_option] = None,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(hold(community, platform, incident, because, line.settings(config), say))


async def export(
    community: str, platform: str | None, member: str, out: Path | None, config: "Config", say: Texts
) -> None:
    from bot.app import keeping
    from bot.core.incidents.case import Look
    from bot.core.operations.privacy import written

    async with keeping.record(config) as record:
        place = place_of(community, platform, await record.communities.all(), say)
        await record.cases.looked(place, operator(), Look.EXPORT)
        dossier = written([await record.people.of_member(place, member)]).decode("utf-8")
    if out is None:
        print(dossier, end="")
        return
    _write(out, dossier)


async def erase(community: str, platform: str | None, member: str | None, config: "Config", say: Texts) -> None:
    """Without a member everything of the community. The receipt goes to stdout."""
    from bot.app import keeping

    async with keeping.record(config) as record:
        place = place_of(community, platform, await record.communities.all(), say)
        erasing = record.erasing
        receipt = await (erasing.erase_community(place) if member is None else erasing.erase_member(place, member))
    if receipt is None:
        print(say["erase.nothing"])
        return
    print(say("erase.done", rows=receipt.rows, at=f"{receipt.at:%Y-%m-%d %H:%M} UTC", code=receipt.code))
    if receipt.left:
        print(say("erase.left", number=receipt.left))


async def hold(community: str, platform: str | None, incident: int, because: str, config: "Config", say: Texts) -> None:
    from bot.app import keeping

    if not because.strip():
        raise Broken(say["hold.why"])
    async with keeping.record(config) as record:
        place = place_of(community, platform, await record.communities.all(), say)
        until = record.clock.now() + keeping.limits(config).texts + HELD
        if not await record.forgetting.hold(place, incident, until, because):
            raise Broken(say("hold.not_there", incident=incident))
    print(say("hold.done", incident=incident, until=f"{until:%Y-%m-%d}"))


def _write(out: Path, written: str) -> None:
    with open(out, "w", encoding="utf-8", opener=_private) as file:
        file.write(written)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
