"""`jikimi export`, `erase`, `hold`: what is stored of a member or a community, given out, taken away, kept."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.line import Line
from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef, Platform
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.communities.community import Community
    from bot.core.incidents.incident import Incident

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
        platform: Annotated[str | None, platform_option] = None,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
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

    async with keeping.record(config) as record:
        place = _place(community, platform, await record.communities.all(), say)
        found = await record.of_member(place, member)
    written = json.dumps([_facts(one) for one in found], ensure_ascii=False, indent=2)
    if out is None:
        print(written)
        return
    _write(out, written + "\n")


async def erase(community: str, platform: str | None, member: str | None, config: "Config", say: Texts) -> None:
    """The receipt goes to stdout."""
    from bot.app import keeping

    async with keeping.record(config) as record:
        place = _place(community, platform, await record.communities.all(), say)
        rows = await (
            record.erasing.erase_community(place) if member is None else record.erasing.erase_member(place, member)
        )
        left = len(await record.of_member(place, member)) if member else 0
        print(say("erase.done", rows=rows, at=f"{record.clock.now():%Y-%m-%d %H:%M} UTC"))
        if left:
            print(say("erase.left", number=left))


async def hold(community: str, platform: str | None, incident: int, because: str, config: "Config", say: Texts) -> None:
    from bot.app import keeping

    async with keeping.record(config) as record:
        place = _place(community, platform, await record.communities.all(), say)
        until = record.clock.now() + keeping.limits(config).texts + HELD
        if not await record.forgetting.hold(place, incident, until, because):
            raise Broken(say("hold.not_there", incident=incident))
    print(say("hold.done", incident=incident, until=f"{until:%Y-%m-%d}"))


def _place(community: str, platform: str | None, known: "Sequence[Community]", say: Texts) -> CommunityRef:
    """A slip of the pen must not take away what is another's."""
    found = [one for one in known if one.id == community and platform in (None, one.platform)]
    if len(found) > 1:
        raise Broken(
            say("keys.which_platform", community=community, platforms=", ".join(one.platform for one in found))
        )
    if found:
        return found[0].ref
    if platform:
        return CommunityRef(Platform(platform), community)
    names = ", ".join(f"{one.id} ({one.name or one.platform})" for one in known) or "-"
    raise Broken(say("keys.no_community", community=community, known=names))


def _facts(incident: "Incident") -> dict[str, Any]:
    about = incident.decision.message
    return {
        "incident": incident.id,
        "decided_at": incident.decided_at.isoformat(),
        "sent_at": about.sent_at.isoformat(),
        "channel": about.channel_name or about.ref.channel_id,
        "name": about.author.name,
        "text": about.text,
        "rule": incident.decision.rule,
        "actions": [action.kind for action, _ in incident.outcomes],
        "review": incident.review.call if incident.review else None,
        "appeal": incident.appeal.words if incident.appeal else None,
    }


def _write(out: Path, written: str) -> None:
    with open(out, "w", encoding="utf-8", opener=_private) as file:
        file.write(written)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
