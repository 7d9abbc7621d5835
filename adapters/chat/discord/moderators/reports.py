"""/jikimi report and /jikimi report-schedule: a moderator asks -> a report that only they see, or a new schedule."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import app_commands

from adapters.chat.discord.errors import TOO_LARGE
from adapters.chat.discord.moderators.posting import attached, told
from adapters.chat.discord.refs import guild_ref
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.moderators.ports import Desk
from bot.core.reporting.delivery.schedule import DAYS
from bot.core.reporting.periods import Span, latest
from bot.core.text.catalogue import Texts
from bot.wording.schedules import schedule_line

Interaction = discord.Interaction[Any]

SPANS = (Span.WEEK, Span.DAY, Span.MONTH)


def choices(family: str, values: tuple[str, ...], named: Callable[[str], Any]) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=named(f"{family}{value}"), value=value) for value in values]


@dataclass(frozen=True, slots=True)
class Asked:
    """`first` and `last` are days of a range, or both empty; `span` then says what was last over."""

    span: str
    first: str
    last: str
    names: bool

    def period(self, clock: Clock, timezone: str) -> str:
        """A `Period.name`, which may name no period."""
        if self.first or self.last:
            return f"{self.first or self.last}..{self.last or self.first}"
        return latest(Span(self.span), clock.now(), timezone).name


@dataclass(frozen=True, slots=True)
class Reporting:
    desk: Desk
    clock: Clock

    async def show(self, interaction: Interaction, say: Texts, asked: Asked) -> None:
        """Only to who asked; after the interaction was deferred."""
        here = guild_ref(interaction.guild_id)
        period = asked.period(self.clock, self.desk.schedule(here).timezone)
        try:
            edition = await self.desk.report(here, period, unmasked=asked.names)
        except BotError:
            await interaction.followup.send(say["card.try_again"], ephemeral=True)
            return
        if edition is None:
            await interaction.followup.send(say("report.no_period", given=period), ephemeral=True)
            return
        limit = interaction.guild.filesize_limit if interaction.guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        lighter: Post | None = edition.fitting(limit)
        while lighter:
            try:
                await interaction.followup.send(
                    told(lighter), files=attached((lighter.picture, *lighter.files)), ephemeral=True
                )
                return
            except discord.HTTPException as error:
                if error.status != 413 and error.code != TOO_LARGE:
                    raise
                lighter = lighter.lighter()
        await interaction.followup.send(told(edition, everything=True), ephemeral=True)

    async def schedule(
        self,
        community: Community,
        say: Texts,
        *,
        day: str | None,
        hour: int | None,
        daily: bool | None,
        alert: int | None,
        by: str,
    ) -> str:
        """What is given is changed, and what holds now is told."""
        given = {"report_day": day, "report_hour": hour, "daily_digest": daily, "alert_at": alert}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if changes:
            await self.desk.change(community.ref, lambda now: replace(now, **changes), by=by)
        return schedule_line(self.desk.schedule(community.ref), say)


DAY_VALUES = (*DAYS, "off")
