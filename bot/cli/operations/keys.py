"""`jikimi keys`: to the HTTP API, made and shown once, listed, replaced, revoked; while Jikimi is running, too."""

import asyncio
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from bot.cli.line import Line, place_of
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.operations.keys import API, ApiKey, Scope, digest, written
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config

USUAL = [Scope.CHECK, Scope.FEEDBACK]
OVERLAP = 24  # hours for which a key that is replaced stays valid


def declare(line: Line) -> None:
    say = line.say

    @line.keys.command("create", help=say["help.keys_create"])
    def create_command(
        name: Annotated[str, typer.Argument(help=say["help.keys_name"], show_default=False)],
        community: Annotated[str, typer.Option("--community", help=say["help.keys_community"])] = API,
        platform: Annotated[
            str | None,
            typer.Option("--platform", help=say["help.keys_platform"], show_default=False),
        ] = None,
        scope: Annotated[list[Scope], typer.Option("--scope", help=say["help.keys_scope"])] = USUAL,
        days: Annotated[
            int | None, typer.Option("--days", min=1, help=say["help.keys_days"], show_default=False)
        ] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(
            create(name, community, platform, line.settings(config), say, as_json=as_json, scope=scope, days=days)
        )

    @line.keys.command("list", help=say["help.keys_list"])
    def list_command(
        config: Annotated[Path | None, line.config] = None, as_json: Annotated[bool, line.json] = False
    ) -> None:
        asyncio.run(show(line.settings(config), say, as_json=as_json))

    @line.keys.command("rotate", help=say["help.keys_rotate"])
    def rotate_command(
        key_id: Annotated[str, typer.Argument(metavar="ID", help=say["help.keys_id"], show_default=False)],
        hours: Annotated[int, typer.Option("--overlap", min=0, help=say["help.keys_overlap"])] = OVERLAP,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(rotate(key_id, hours, line.settings(config), say, as_json=as_json))

    @line.keys.command("revoke", help=say["help.keys_revoke"])
    def revoke_command(
        key_id: Annotated[str, typer.Argument(metavar="ID", help=say["help.keys_id"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(revoke(key_id, line.settings(config), say))


async def create(
    name: str,
    community: str,
    platform: str | None,
    config: "Config",
    say: Texts,
    *,
    as_json: bool,
    scope: Collection[Scope] = USUAL,
    days: int | None = None,
) -> None:
    from bot.app import chats, operations, tools

    if not name.strip():
        raise Broken(say["keys.no_name"])
    known = (*(one.platform for one in chats.NETWORKS), API)
    if platform is not None and platform not in known:
        raise Broken(say("run.unknown_platform", name=platform, names=", ".join(known)))
    key_id, secret = _drawn()
    now = tools.clock().now()
    async with operations.api_keys(config) as (keys, communities):
        place = place_of(community, platform, await communities.all(), say)
        key = ApiKey(
            id=key_id,
            digest=digest(secret),
            community=place,
            name=name,
            created_at=now,
            scope=frozenset(scope),
            expires_at=now + timedelta(days=days) if days else None,
        )
        await keys.add(key)
    _hand_over(key, secret, say("keys.created", id=key_id, community=community), as_json=as_json)


async def rotate(key_id: str, hours: int, config: "Config", say: Texts, *, as_json: bool) -> None:
    """The successor may do what the key may, for as long as the key was meant to be valid."""
    from bot.app import operations, tools

    new_id, secret = _drawn()
    now = tools.clock().now()
    async with operations.api_keys(config) as (keys, _):
        held = {key.id: key for key in await keys.all() if not key.is_over(now)}
        if key_id not in held:
            raise Broken(say("keys.no_such", id=key_id))
        key = held[key_id].successor(new_id, secret, now)
        if not await keys.replace(key_id, key, now + timedelta(hours=hours)):
            raise Broken(say("keys.no_such", id=key_id))
    _hand_over(key, secret, say("keys.rotated", id=new_id, old=key_id, hours=hours), as_json=as_json)


def _drawn() -> tuple[str, str]:
    """A key's id and secret."""
    return secrets.token_hex(4), secrets.token_urlsafe(32)


def _hand_over(key: ApiKey, secret: str, told: str, *, as_json: bool) -> None:
    """The key alone goes to stdout, so that it can be piped to where it is kept."""
    from rich.console import Console

    if as_json:
        print_json(_facts(key) | {"key": written(key.id, secret)})
        return
    print(written(key.id, secret), flush=True)
    Console(stderr=True, highlight=False, markup=False).print(told)


async def show(config: "Config", say: Texts, *, as_json: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from bot.app import operations, tools

    now = tools.clock().now()
    async with operations.api_keys(config) as (keys, _):
        held = await keys.all()
    if as_json:
        print_json([_facts(key) for key in held])
        return
    if not held:
        print(say["keys.none"])
        return
    table = Table(box=SIMPLE_HEAD, padding=0)
    for column in ("id", "name", "community", "scope", "made", "used", "state"):
        table.add_column(say[f"keys.{column}"])
    zone = ZoneInfo(config.defaults.timezone)

    def moment(at: datetime | None) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else say["keys.never"]

    for key in held:
        state = say["keys.withdrawn" if key.revoked_at else "keys.expired" if key.is_over(now) else "keys.valid"]
        if key.expires_at and state == say["keys.valid"]:
            state = say("keys.valid_until", at=moment(key.expires_at))
        place, scope = f"{key.community.id} ({key.community.platform})", " ".join(sorted(key.scope))
        table.add_row(key.id, key.name, place, scope, moment(key.created_at), moment(key.used_at), state)
    Console(highlight=False, markup=False).print(table)


async def revoke(key_id: str, config: "Config", say: Texts) -> None:
    from bot.app import operations, tools

    async with operations.api_keys(config) as (keys, _):
        if not await keys.revoke(key_id, tools.clock().now()):
            raise Broken(say("keys.no_such", id=key_id))
    print(say("keys.revoked", id=key_id))


def _facts(key: ApiKey) -> dict[str, str | list[str] | None]:
    return {
        "id": key.id,
        "name": key.name,
        "platform": key.community.platform,
        "community": key.community.id,
        "scope": sorted(key.scope),
        "created_at": key.created_at.isoformat(),
        "used_at": key.used_at.isoformat() if key.used_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
