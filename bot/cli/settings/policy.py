"""`jikimi policy`: the file of a policy, or a guard on trial -> what would have been done with it lately."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line, operator, place_of
from bot.core.base.errors import Broken, reason
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.config import Config
    from bot.core.communities.community import Community

MOST_NAMED = 20  # incidents


def declare(line: Line) -> None:
    say = line.say

    @line.policy.command("lint", help=say["help.policy_lint"])
    def lint_command(
        file: Annotated[Path, typer.Argument(help=say["help.policy_file"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        lint(file, config, line)

    @line.policy.command("backtest", help=say["help.policy_backtest"])
    def backtest_command(
        file: Annotated[Path, typer.Argument(help=say["help.policy_file"], show_default=False)],
        community: Annotated[str, typer.Option("--community", help=say["help.people_community"], show_default=False)],
        platform: Annotated[
            str | None, typer.Option("--platform", help=say["help.keys_platform"], show_default=False)
        ] = None,
        days: Annotated[int, typer.Option("--days", min=1, max=365, help=say["help.policy_days"])] = 30,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(backtest(file, community, platform, timedelta(days=days), line.settings(config), say))

    @line.policy.command("trial", help=say["help.policy_trial"])
    def trial_command(
        community: Annotated[str, typer.Option("--community", help=say["help.people_community"], show_default=False)],
        platform: Annotated[
            str | None, typer.Option("--platform", help=say["help.keys_platform"], show_default=False)
        ] = None,
        days: Annotated[int, typer.Option("--days", min=1, max=365, help=say["help.policy_days"])] = 30,
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        asyncio.run(trial(community, platform, timedelta(days=days), line.settings(config), say))


def lint(file: Path, config: Path | None, line: Line) -> None:
    """Raises `Broken` where it cannot be taken in."""
    from bot.config import policy_file

    policy = taken_from(file, line.say)
    for remark in policy_file.remarks(policy, line.settings(config), line.say):
        print(f"{file}: {remark}")
    words = len(policy.lists.forbidden_words)
    print(line.say("policy_file.fine", path=file, rules=len(policy.rules), words=words))


async def backtest(
    file: Path, community: str, platform: str | None, lasting: timedelta, config: "Config", say: Texts
) -> None:
    """Raises `Broken` where it cannot be taken in. It reads beside a running process, and changes nothing."""
    from bot.app import keeping
    from bot.core.communities.community import Community
    from bot.core.communities.versions import with_policy
    from bot.core.incidents.case import Look
    from bot.core.reporting import backtest as again

    policy = taken_from(file, say)
    async with keeping.record(config) as record:
        known = await record.communities.all()
        place = place_of(community, platform, known, say)
        now = next((one for one in known if one.ref == place), Community.blank(place))
        await record.cases.looked(place, operator(), Look.EXPORT)
        until = record.clock.now()
        incidents = await record.incidents.between(until - lasting, until, place)
    after = with_policy(now, policy, own=policy.ref == place)
    found = again.backtest(incidents, config.policy_of(now), config.policy_of(after))
    print(say("policy_file.looked_at", days=lasting.days, count=found.looked_at, unread=found.unread))
    for name in ("more", "fewer", "fewer_wrong", "harder", "softer"):
        ids = getattr(found, name)
        numbers = ", ".join(f"#{id_}" for id_ in ids[:MOST_NAMED])
        print(say(f"policy_file.{name}", count=len(ids), incidents=numbers).rstrip())


async def trial(community: str, platform: str | None, lasting: timedelta, config: "Config", say: Texts) -> None:
    """It reads beside a running process, and changes nothing."""
    from bot.app import keeping
    from bot.core.reporting.building import tried
    from bot.wording.trials import trial_lines

    async with keeping.record(config) as record:
        place = place_of(community, platform, await record.communities.all(), say)
        found = await tried(record.queries, place, record.clock.now(), lasting)
    print("\n".join(line for one in found for line in trial_lines(one, say)) or say["trial.none"])


def taken_from(file: Path, say: Texts) -> "Community":
    """What a file says. Raises `Broken`."""
    from bot.config import policy_file
    from bot.core.communities.ports import Unfit

    try:
        policy = policy_file.read(file.read_bytes(), say)
    except OSError as error:
        raise Broken(f"{file}: {say.why(reason(error))}") from None
    if isinstance(policy, Unfit):
        raise Broken("\n".join(f"{file}: {why}" for why in policy.why.splitlines()))
    return policy
