"""`jikimi webhooks`: who is told of a community's incidents, made and shown once, listed, removed; while Jikimi is
running, too."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line, place_of
from bot.cli.shown import print_json
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.incidents.webhooks.webhook import Webhook


def declare(line: Line) -> None:
    say = line.say
    community_option = typer.Option("--community", help=say["help.people_community"], show_default=False)
    platform_option = typer.Option("--platform", help=say["help.keys_platform"], show_default=False)

    @line.webhooks.command("create", help=say["help.webhooks_create"])
    def create_command(
        url: Annotated[str, typer.Argument(metavar="URL", help=say["help.webhooks_url"], show_default=False)],
        community: Annotated[str, community_option],
        platform: Annotated[str | None, platform_option] = None,
        config: Annotated[Path | None, line.config] = None,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        asyncio.run(create(url, community, platform, line.settings(config), say, as_json=as_json))

    @line.webhooks.command("list", help=say["help.webhooks_list"])
    def list_command(
        config: Annotated[Path | None, line.config] = None, as_json: Annotated[bool, line.json] = False
    ) -> None:
        asyncio.run(show(line.settings(config), say, as_json=as_json))

    @line.webhooks.command("remove", help=say["help.webhooks_remove"])
    def remove_command(
        webhook_id: Annotated[int, typer.Argument(metavar="ID", help=say["help.webhooks_id"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(remove(webhook_id, line.settings(config), say))


async def create(
    url: str, community: str, platform: str | None, config: "Config", say: Texts, *, as_json: bool
) -> None:
    """The secret alone goes to stdout, so that it can be piped to where it is kept."""
    from rich.console import Console

    from bot.app import operations, tools
    from bot.core.incidents.webhooks.webhook import MOST, Webhook, host_of, is_address, new_secret

    if not is_address(url):
        raise Broken(say["api.address"])
    async with operations.webhooks(config) as (webhooks, communities):
        place = place_of(community, platform, await communities.all(), say)
        made = Webhook(community=place, url=url, secret=new_secret(), created_at=tools.clock().now())
        given = await webhooks.add(made)
    if given is None:
        raise Broken(say("api.too_many_webhooks", most=MOST))
    if as_json:
        print_json({"id": given, "secret": made.secret})
        return
    print(made.secret, flush=True)
    told = say("webhooks.created", id=given, host=host_of(url), community=community)
    Console(stderr=True, highlight=False, markup=False).print(told)


async def show(config: "Config", say: Texts, *, as_json: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from bot.app import operations

    async with operations.webhooks(config) as (webhooks, _):
        held = await webhooks.all()
    if as_json:
        print_json([_facts(one) for one in held])
        return
    if not held:
        print(say["webhooks.none"])
        return
    table = Table(box=SIMPLE_HEAD, padding=0)
    for column in ("id", "host", "community", "state"):
        table.add_column(say[f"webhooks.{column}"])
    for one in held:
        state = "stopped" if one.stopped_at else "failing" if one.failures else "fine"
        told = say(f"webhooks.{state}", reason=one.reason, failures=one.failures)
        place = f"{one.community.id} ({one.community.platform})"
        table.add_row(str(one.id), str(_facts(one)["host"]), place, told)
    Console(highlight=False, markup=False).print(table)


async def remove(webhook_id: int, config: "Config", say: Texts) -> None:
    from bot.app import operations

    async with operations.webhooks(config) as (webhooks, _):
        found = next((one.community for one in await webhooks.all() if one.id == webhook_id), None)
        if found is None or not await webhooks.remove(found, webhook_id):
            raise Broken(say("webhooks.no_such", id=webhook_id))
    print(say("webhooks.removed", id=webhook_id))


def _facts(webhook: "Webhook") -> dict[str, str | int | None]:
    from bot.core.incidents.webhooks.webhook import host_of

    return {
        "id": webhook.id,
        "host": host_of(webhook.url),
        "platform": webhook.community.platform,
        "community": webhook.community.id,
        "created_at": webhook.created_at.isoformat(),
        "failures": webhook.failures,
        "reason": webhook.reason,
        "stopped_at": webhook.stopped_at.isoformat() if webhook.stopped_at else None,
    }
