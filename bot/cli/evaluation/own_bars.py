"""What a community's moderators have called right or wrong -> where the thresholds of its rules would stand."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.cli.line import place_of
from bot.cli.shown import Tabular, print_json, show
from bot.core.reporting.advice import OwnBar, own_bar
from bot.core.reporting.what_if import bar_of, kinds_of
from bot.core.text.catalogue import Texts
from bot.wording.reasons import rule_name

if TYPE_CHECKING:
    from bot.config import Config


async def own_bars(
    community: str,
    platform: str | None,
    lasting: timedelta,
    wanted: float,
    config: "Config",
    say: Texts,
    *,
    as_json: bool,
) -> None:
    """It reads beside a running process, and changes nothing."""
    from bot.app import keeping
    from bot.core.communities.community import Community

    found: dict[str, OwnBar] = {}
    async with keeping.record(config) as record:
        known = await record.communities.all()
        place = place_of(community, platform, known, say)
        here = next((one for one in known if one.ref == place), Community.blank(place))
        rules = config.policy_of(here).rules
        about = {rule.name: kinds_of(rule) for rule in rules}
        for rule in rules:
            if (bar := bar_of(rule)) is None:
                continue
            kinds = about[rule.name]
            alike = {name for name, theirs in about.items() if kinds and theirs == kinds} | {rule.name}
            seen = await record.queries.probabilities(place, kinds, record.clock.now() - lasting)
            found[rule.name] = own_bar(bar, (one for one in seen.incidents if one.rule in alike), wanted)
    if as_json:
        print_json({name: asdict(one) for name, one in found.items()})
        return
    show([_table(found, here.name or community, wanted, lasting, say)])


def _table(found: Mapping[str, OwnBar], name: str, wanted: float, lasting: timedelta, say: Texts) -> "Tabular":
    from bot.cli.evaluation.shown import number

    rows = []
    for rule, one in found.items():
        if (share := one.share) is None and one.proposed is None:
            continue  # nobody has called anything of it
        shown = f"{number(share.low)}–{number(share.high)}" if share else "-"
        proposed = "-" if one.proposed is None else f"{one.proposed:.2f}"
        changes = "" if one.proposed is None else say("own.changes", spared=one.spared, lost=one.lost, more=one.more)
        rows.append([rule_name(rule, say), f"{one.bar:.2f}", f"{one.right} / {one.wrong}", shown, proposed, changes])
    return Tabular(
        title=say("own.title", community=name, days=lasting.days),
        columns=["", *(say[f"own.{column}"] for column in ("bar", "called", "share", "proposed", "difference"))],
        rows=rows,
        notes=[say("own.note", wanted=f"{100 * wanted:g}")],
    )
