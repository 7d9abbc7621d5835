"""`jikimi report`: a community and a period -> the report's files in a folder, from the database alone."""

import asyncio
import gc
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line, listed, operator, sought
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
        everyone: Annotated[bool, typer.Option("--all", help=say["help.report_all"])] = False,
        names: Annotated[bool, typer.Option("--names", help=say["help.report_names"])] = False,
        demo: Annotated[bool, typer.Option("--demo", help=say["help.report_demo"])] = False,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        period = _asked(week, day, month, first, last, say)
        if everyone and community:
            raise Broken(say["report.one_or_all"])
        if demo and (period or community or everyone or names):
            raise Broken(say["report.demo_alone"])
        settings = line.settings(config)
        if demo:
            asyncio.run(demonstrate(settings, say, out))
        else:
            asyncio.run(
                report(
                    settings,
                    say,
                    community=community,
                    period=period,
                    out=out,
                    unmasked=names,
                    everyone=everyone,
                )
            )


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
    config: "Config",
    say: Texts,
    *,
    community: str | None,
    period: str | None,
    out: Path,
    unmasked: bool,
    everyone: bool = False,
) -> None:
    """`period`: a `Period.name`; None: last week."""
    from bot.app import keeping, reporting
    from bot.core.incidents.case import Look
    from bot.core.reporting.building import report_on

    if not keeping.exists(config):
        raise Broken(say["report.no_communities"])
    if not everyone:
        gc.disable()  # a short life that needs all it has made to its end
    renderer = reporting.report_renderer(unmasked=unmasked)
    async with reporting.report_queries(config) as (queries, communities, cases):
        known = _known(await queries.communities(), await communities.all(), say)
        for chosen in known if everyone else [_chosen(community, known, say)]:
            days = _period(period, chosen.timezone or config.defaults.timezone, say)
            if unmasked:
                await cases.looked(chosen.ref, operator(), Look.REPORT)
            made = await report_on(queries, chosen.ref, chosen.name or chosen.id, days)
            post = renderer.render(replace(made, sent_to=config.sent_to()), chosen.language or say.language)
            print(post.text)
            if post.remark:
                print(post.remark)
            try:
                written = _write(post, out, chosen)
            except OSError:
                raise Broken(say("report.not_written", path=out)) from None
            print(say("report.written", paths=", ".join(written)))


def _write(post: Post, out: Path, community: "Community") -> list[str]:
    """Named for the community, too: many may lie in one folder."""
    out.mkdir(parents=True, exist_ok=True)
    whose = re.sub(r"[^\w-]", "_", f"{community.platform}-{community.id}")
    written = {out / file.name.replace("jikimi-", f"jikimi-{whose}-", 1): file for file in (post.picture, *post.files)}
    for path, file in written.items():
        path.write_bytes(file.content)
    return [str(path) for path in written]


def _known(refs: Sequence[CommunityRef], settings: Sequence["Community"], say: Texts) -> Sequence["Community"]:
    """That there is a record of, with their settings."""
    from bot.core.communities.community import Community

    if not refs:
        raise Broken(say["report.no_communities"])
    found = {community.ref: community for community in settings}
    return [found.get(ref) or Community.blank(ref) for ref in refs]


def _chosen(wanted: str | None, known: Sequence["Community"], say: Texts) -> "Community":
    """None where there is but one: that one."""
    found = sought(wanted, known) if wanted else known
    if len(found) == 1:
        return found[0]
    if not wanted:
        raise Broken(say("report.which_community", known=listed(known)))
    if not found:
        raise Broken(say("report.no_community", given=wanted, known=listed(known, wanted)))
    raise Broken(say("report.which_platform", given=wanted, known=listed(found)))


def _period(name: str | None, timezone: str, say: Texts) -> Period:
    if name is None:
        from bot.app import tools

        return latest(Span.WEEK, tools.clock().now(), timezone)
    try:
        return parse(name, timezone)
    except ValueError:
        raise Broken(say("report.no_period", given=name)) from None
