"""What a command is answered -> what only the asker sees of it on Discord."""

from collections.abc import Iterable
from typing import assert_never

import discord

from adapters.chat.discord.errors import TOO_LARGE
from adapters.chat.discord.manner import GuildManner
from adapters.chat.discord.moderators.asking import Interaction, answer, plain
from adapters.chat.discord.moderators.commands.advised import keys
from adapters.chat.discord.moderators.posting import attached, told
from bot.core.chat.post import Post
from bot.core.moderators.answer import Found, Handed, Lines, Offer, Proposal, Wish
from bot.core.moderators.command import Answer, Usage
from bot.core.text.catalogue import Texts
from bot.wording.answered import lines
from bot.wording.cards import history_line, outcome_line, said_in_full
from bot.wording.reasons import reasons


async def show(interaction: Interaction, given: Answer, manner: GuildManner) -> None:
    """After the interaction was deferred."""
    match given:
        case Lines() | Usage():
            await answer(interaction, lines(given, manner))
        case Found():
            await answer(interaction, plain(_in_full(given, manner)))
        case Post():
            await _post(interaction, given)
        case Offer():
            await answer(interaction, lines(given.said, manner), view=_offered(given.wishes, manner.say))
        case Proposal():
            say = manner.say
            await answer(
                interaction, lines(given.said, manner), view=keys([given.advised], say) or discord.utils.MISSING
            )
        case Handed():
            await answer(interaction, lines(given.said, manner), files=attached([given.file]))
        case _:
            assert_never(given)


def wish_id(wish: Wish) -> str:
    """What a button carries: whoever presses it asks for themselves."""
    return f"jikimi-my:{wish}"


def _offered(wishes: Iterable[Wish], say: Texts) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for wish in wishes:
        style = discord.ButtonStyle.danger if wish is Wish.SURELY else discord.ButtonStyle.secondary
        view.add_item(discord.ui.Button(label=say[f"privacy.{wish}_button"], style=style, custom_id=wish_id(wish)))
    view.stop()  # the dynamic item serves its buttons
    return view


def _in_full(found: Found, manner: GuildManner) -> str:
    """What was decided and why comes first: the text may be long."""
    incident, say = found.incident, manner.say
    done = " · ".join(outcome_line(action, outcome, say) for action, outcome in incident.outcomes)
    why = reasons(incident.decision, say) or "-"
    record = history_line(found.history, say, manner.timezone, manner.now)
    return "\n".join((done, why, record, "", said_in_full(incident, say)))


async def _post(interaction: Interaction, report: Post) -> None:
    """As much of it as Discord takes."""
    limit = interaction.guild.filesize_limit if interaction.guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
    lighter: Post | None = report.fitting(limit)
    while lighter:
        try:
            files = attached((lighter.picture, *lighter.files))
            await interaction.followup.send(told(lighter), files=files, ephemeral=True)
            return
        except discord.HTTPException as error:
            if error.status != 413 and error.code != TOO_LARGE:
                raise
            lighter = lighter.lighter()
    await interaction.followup.send(told(report, everything=True), ephemeral=True)
