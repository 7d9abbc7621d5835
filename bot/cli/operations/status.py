"""`jikimi status`: a database and the process that works on it -> how things stand, once or again and again."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.cli.shown import print_json
from bot.core.text.catalogue import Texts
from bot.wording.times import age

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.operations.outside.standing import Standing
    from bot.core.reporting.delivery.delivery import Delivery

EVERY = 2.0  # seconds

_CONNECTION = 'jikimi_connection_up{platform="'
_ANOMALIES = "jikimi_guard_anomalies_total{"


def declare(line: Line) -> None:
    say = line.say

    @line.app.command("status", help=say["help.status"])
    def command(
        config: Annotated[Path | None, line.config] = None,
        watch: Annotated[bool, typer.Option("--watch", help=say["help.status_watch"])] = False,
        as_json: Annotated[bool, line.json] = False,
    ) -> None:
        settings = line.settings(config)
        asyncio.run(_watch(settings, say) if watch and not as_json else status(settings, say, as_json=as_json))


async def status(config: "Config", say: Texts, *, as_json: bool) -> None:
    now = await _look(config)
    if as_json:
        print_json(_written(now))
    else:
        print("\n".join(_lines(now, say)))


async def _watch(config: "Config", say: Texts) -> None:
    """Until Ctrl-C."""
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        while True:
            live.update(Text("\n".join(_lines(await _look(config), say))), refresh=True)
            await asyncio.sleep(EVERY)


@dataclass(frozen=True, slots=True)
class _Now:
    """`figures`: what the process on this machine counts (its metrics); None: none answers."""

    at: datetime
    standing: "Standing"
    last_report: "Delivery | None"
    figures: Mapping[str, float] | None

    @property
    def connections(self) -> dict[str, bool]:
        found = (self.figures or {}).items()
        return {
            name.removeprefix(_CONNECTION).rstrip('"}'): bool(up) for name, up in found if name.startswith(_CONNECTION)
        }

    @property
    def anomalies(self) -> int:
        """Answers of the guard that were odd or no verdict, since the process started."""
        return int(sum(number for name, number in (self.figures or {}).items() if name.startswith(_ANOMALIES)))

    def age(self, since: datetime | None) -> float | None:
        return None if since is None else round(max(0.0, (self.at - since).total_seconds()), 1)


async def _look(config: "Config") -> _Now:
    from bot.app import operations

    async with operations.state(config) as (standings, deliveries):
        standing, reports = await standings.standing(), await deliveries.latest(1)
    figures = await operations.figures(config)
    return _Now(operations.clock().now(), standing, next(iter(reports), None), figures)


def _lines(now: _Now, say: Texts) -> list[str]:
    standing, backlog = now.standing, now.standing.backlog
    facts = {"database": standing.database, "schema": standing.schema, "mib": standing.size / (1 << 20)}
    told = [say("status.version", version=version("jikimi"), **facts)]
    if now.figures is None:
        told.append(say["status.no_process"])
    for platform, is_up in now.connections.items():
        servers = now.figures.get(f'jikimi_communities{{platform="{platform}"}}') if now.figures else None
        key = f"health.{'heard' if is_up else 'not_heard'}{'' if servers is None else '_in'}"
        told.append(say(key, platform=say[f"{platform}.title"], number=int(servers or 0)))
    if now.figures is not None:
        told.append(say["health.guard_answers" if now.figures.get("jikimi_guard_up") else "health.guard_away"])
    if now.anomalies:
        told.append(say("status.anomalies", number=now.anomalies))
    if since := now.age(standing.guard_away_since):
        told.append(say("status.guard_away_for", age=age(since, say)))
    of_each = ", ".join(f"{name} {number:,}" for name, number in sorted(standing.communities.items())) or "0"
    told.append(say("status.communities", of_each=of_each, processes=standing.processes))
    told += _works(standing.works, say)
    ages = [age(now.age(since) or 0.0, say) for since in (backlog.messages_since, backlog.actions_since)]
    told.append(say("status.messages", number=backlog.messages, age=ages[0], aside=backlog.aside))
    told.append(say("status.actions", number=backlog.actions, age=ages[1]))
    if standing.last_settled:
        told.append(say("status.last_settled", age=age(now.age(standing.last_settled) or 0.0, say)))
    if (report := now.last_report) is not None:
        kind, state = say[f"delivery.kind.{report.kind}"], say[f"delivery.state.{report.state}"]
        told.append(say("status.last_report", kind=kind, period=report.period, state=state))
    return told


def _works(works: Mapping[str, Sequence[int]], say: Texts) -> Iterator[str]:
    """Only what several processes take part in."""
    for work, held in works.items():
        role, _, platform = work.partition("/")
        if len(held) > 1 and role == "guard":
            yield say("status.shared", number=len(held), held=" + ".join(map(str, held)))
        elif len(held) > 1 and role == "act":
            title = say[f"{platform}.title"]
            yield say("status.acting", platform=title, number=len(held), held=" + ".join(map(str, held)))
        elif len(held) > 1 and role == "chat":
            yield say("status.stands_by", platform=say[f"{platform}.title"], number=held.count(0))


def _written(now: _Now) -> dict[str, object]:
    standing, backlog, report = now.standing, now.standing.backlog, now.last_report
    return {
        "version": version("jikimi"),
        "database": {"kind": standing.database, "schema": standing.schema, "bytes": standing.size},
        "processes": standing.processes,
        "works": {work: list(held) for work, held in standing.works.items()},
        "communities": dict(standing.communities),
        "process": now.figures
        and {
            "connections": now.connections,
            "guard_up": bool(now.figures["jikimi_guard_up"]),
            "guard_anomalies": now.anomalies,
        },
        "guard_away_since": standing.guard_away_since and standing.guard_away_since.isoformat(),
        "messages": {
            "waiting": backlog.messages,
            "oldest_seconds": now.age(backlog.messages_since),
            "aside": backlog.aside,
        },
        "actions": {"open": backlog.actions, "oldest_seconds": now.age(backlog.actions_since)},
        "last_settled": standing.last_settled and standing.last_settled.isoformat(),
        "last_report": report
        and {
            "community": report.community.id,
            "platform": report.community.platform,
            "kind": report.kind,
            "period": report.period,
            "state": report.state,
            "finished_at": report.finished_at and report.finished_at.isoformat(),
        },
    }
