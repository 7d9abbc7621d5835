"""`jikimi keys`: to the HTTP API, made and shown once, listed, revoked; while Jikimi is running, too."""

import asyncio
import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef, Platform
from bot.core.operations.keys import API, ApiKey, digest, written
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.communities.ports import Communities

OWN = "api"  # the community of keys that name none


def declare(line: Line) -> None:
    say = line.say

    @line.keys.command("create", help=say["help.keys_create"])
    def create_command(
        name: Annotated[str, typer.Argument(help=say["help.keys_name"], show_default=False)],
        community: Annotated[str, typer.Option("--community", help=say["help.keys_community"])] = OWN,
        platform: Annotated[
            str | None,
            typer.Option("--platform", help=say["help.keys_platform"], show_default=False),
        ] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(create(name, community, platform, line.settings(config), say, as_json=as_json))

    @line.keys.command("list", help=say["help.keys_list"])
    def list_command(
        config: Annotated[Path | None, line.config] = None, as_json: Annotated[bool, line.json] = False
    ) -> None:
        asyncio.run(show(line.settings(config), say, as_json=as_json))

    @line.keys.command("revoke", help=say["help.keys_revoke"])
    def revoke_command(
        key_id: Annotated[str, typer.Argument(metavar="ID", help=say["help.keys_id"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(revoke(key_id, line.settings(config), say))


async def create(
    name: str, community: str, platform: str | None, config: "Config", say: Texts, *, as_json: bool
) -> None:
    """The key alone goes to stdout, so that it can be piped to where it is kept."""
    from rich.console import Console

    from bot.app import chats, operations, tools

    known = (*(one.platform for one in chats.NETWORKS), API)
    if platform is not None and platform not in known:
        raise Broken(say("run.unknown_platform", name=platform, names=", ".join(known)))
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    async with operations.api_keys(config) as (keys, communities):
        key = ApiKey(
            id=key_id,
            digest=digest(secret),
            community=CommunityRef(
                Platform(platform) if platform else await _platform(community, communities, say), community
            ),
            name=name,
            created_at=tools.clock().now(),
        )
        await keys.add(key)
    if as_json:
        print_json(_facts(key) | {"key": written(key_id, secret)})
        return
    print(written(key_id, secret), flush=True)
    Console(stderr=True, highlight=False, markup=False).print(say("keys.created", id=key_id, community=community))


async def show(config: "Config", say: Texts, *, as_json: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from bot.app import operations

    async with operations.api_keys(config) as (keys, _):
        held = await keys.all()
    if as_json:
        print_json([_facts(key) for key in held])
        return
    if not held:
        print(say["keys.none"])
        return
    table = Table(box=SIMPLE_HEAD, padding=0)
    for column in ("id", "name", "community", "made", "used", "state"):
        table.add_column(say[f"keys.{column}"])
    zone = ZoneInfo(config.defaults.timezone)

    def moment(at: datetime | None) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else say["keys.never"]

    for key in held:
        state = say["keys.withdrawn" if key.revoked_at else "keys.valid"]
        place = f"{key.community.id} ({key.community.platform})"
        table.add_row(key.id, key.name, place, moment(key.created_at), moment(key.used_at), state)
    Console(highlight=False, markup=False).print(table)


async def revoke(key_id: str, config: "Config", say: Texts) -> None:
    from bot.app import operations, tools

    async with operations.api_keys(config) as (keys, _):
        if not await keys.revoke(key_id, tools.clock().now()):
            raise Broken(say("keys.no_such", id=key_id))
    print(say("keys.revoked", id=key_id))


async def _platform(community: str, communities: "Communities", say: Texts) -> Platform:
    """Where the community is: a slip of the pen must not give a key to the default policy."""
    if community == OWN:
        return API
    everybody = await communities.all()
    found = [one.platform for one in everybody if one.id == community]
    if not found:
        known = ", ".join(f"{one.id} ({one.name or one.platform})" for one in everybody) or "-"
        raise Broken(say("keys.no_community", community=community, known=known))
    if len(found) > 1:
        raise Broken(say("keys.which_platform", community=community, platforms=", ".join(found)))
    return found[0]


def _facts(key: ApiKey) -> dict[str, str | None]:
    return {
        "id": key.id,
        "name": key.name,
        "platform": key.community.platform,
        "community": key.community.id,
        "created_at": key.created_at.isoformat(),
        "used_at": key.used_at.isoformat() if key.used_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
