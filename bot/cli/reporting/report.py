"""`jikimi report`: a community and a period -> the report's files in a folder, from the database alone."""

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line, operator
from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef
from bot.core.chat.post import Post
from bot.core.reporting.periods import Period, Span, latest, parse
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.communities.community import Community


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("report", help=say["help.report"])
    def command(
        community: Annotated[
            str | None, typer.Option("--community", help=say["help.report_community"], show_default=False)
        ] = None,
        week: Annotated[str | None, typer.Option("--week", help=say["help.report_week"], show_default=False)] = None,
        day: Annotated[str | None, typer.Option("--day", help=say["help.report_day"], show_default=False)] = None,
        month: Annotated[str | None, typer.Option("--month", help=say["help.report_month"], show_default=False)] = None,
        first: Annotated[str | None, typer.Option("--from", help=say["help.report_from"], show_default=False)] = None,
        last: Annotated[str | None, typer.Option("--to", help=say["help.report_to"], show_default=False)] = None,
        out: Annotated[Path, typer.Option("--out", help=say["help.report_out"])] = Path(),
        names: Annotated[bool, typer.Option("--names", help=say["help.report_names"])] = False,
        demo: Annotated[bool, typer.Option("--demo", help=say["help.report_demo"])] = False,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        period = _asked(week, day, month, first, last, say)
        if demo and (period or community or names):
            raise Broken(say["report.demo_alone"])
        settings = line.settings(config)
        if demo:
            asyncio.run(demonstrate(settings, say, out))
        else:
            asyncio.run(report(settings, say, community=community, period=period, out=out, unmasked=names))


def _asked(
    week: str | None, day: str | None, month: str | None, first: str | None, last: str | None, say: Texts
) -> str | None:
    """A `Period.name`, which may name no period; None: nothing was asked for."""
    if (first is None) != (last is None):
        raise Broken(say["report.half_a_range"])
    if first and last and first > last:
        raise Broken(say("report.backwards", first=first, last=last))
    given = [one for one in (week, day, month, first and f"{first}..{last}") if one]
    if len(given) > 1:
        raise Broken(say("report.several_periods", given=", ".join(given)))
    return given[0] if given else None


async def demonstrate(config: "Config", say: Texts, out: Path) -> None:
    """The last week of a made-up community's year, from a database that is gone afterwards."""
    from bot.app import reporting
    from bot.config import StorageSettings

    with TemporaryDirectory(prefix="jikimi-demo-") as folder:
        storage = StorageSettings(url=f"sqlite:///{folder}/jikimi.db")
        community, period = await reporting.make_up_a_year(storage.url)
        made_up = config.model_copy(update={"storage": storage})
        await report(made_up, say, community=community, period=period, out=out, unmasked=False)


async def report(
    config: "Config", say: Texts, *, community: str | None, period: str | None, out: Path, unmasked: bool
) -> None:
    """`period`: a `Period.name`; None: last week."""
    from bot.app import keeping, reporting
    from bot.core.incidents.case import Look
    from bot.core.reporting.building import report_on

    if not keeping.exists(config):
        raise Broken(say["report.no_communities"])
    gc.disable()  # a short life that needs all it has made to its end
    async with reporting.report_queries(config) as (queries, communities, cases):
        chosen = _chosen(community, await queries.communities(), await communities.all(), say)
        days = _period(period, chosen.timezone or config.defaults.timezone, say)
        if unmasked:
            await cases.looked(chosen.ref, operator(), Look.REPORT)
        made = await report_on(queries, chosen.ref, chosen.name or chosen.id, days)
    made = replace(made, sent_to=config.sent_to())
    post = reporting.report_renderer(unmasked=unmasked).render(made, chosen.language or say.language)
    print(post.text)
    if post.remark:
        print(post.remark)
    try:
        written = _write(post, out)
    except OSError:
        raise Broken(say("report.not_written", path=out)) from None
    print(say("report.written", paths=", ".join(written)))


def _write(post: Post, out: Path) -> list[str]:
    files = (post.picture, *post.files)
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        (out / file.name).write_bytes(file.content)
    return [str(out / file.name) for file in files]


def _chosen(
    wanted: str | None, known: Sequence[CommunityRef], settings: Sequence["Community"], say: Texts
) -> "Community":
    """By name, by id, or by both platform and id, with its settings. None where there is but one: that one."""
    from bot.core.communities.community import Community

    names = {community.ref: community.name for community in settings}
    found = (
        [ref for ref in known if wanted and wanted == names.get(ref)]
        or [ref for ref in known if wanted in (ref.id, f"{ref.platform}:{ref.id}")]
        or [ref for ref in known if not wanted and len(known) == 1]
    )
    if not found and not wanted and known:
        raise Broken(say("report.which_community", known=_told_apart(known)))
    if not known:
        raise Broken(say["report.no_communities"])
    if not found:
        raise Broken(say("report.no_community", given=wanted or "-", known=_told_apart(known)))
    if len(found) > 1:
        raise Broken(say("report.which_platform", given=wanted, known=_told_apart(found)))
    return next((community for community in settings if community.ref == found[0]), Community.blank(found[0]))


def _told_apart(some: Sequence[CommunityRef]) -> str:
    """By id, and by platform where two have the same."""
    ids = [ref.id for ref in some]
    return ", ".join(ref.id if ids.count(ref.id) == 1 else f"{ref.platform}:{ref.id}" for ref in some)


def _period(name: str | None, timezone: str, say: Texts) -> Period:
    if name is None:
        from bot.app import tools

        return latest(Span.WEEK, tools.clock().now(), timezone)
    try:
        return parse(name, timezone)
    except ValueError:
        raise Broken(say("report.no_period", given=name)) from None
