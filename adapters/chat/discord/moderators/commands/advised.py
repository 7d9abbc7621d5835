"""Buttons that set a threshold, below a report or an answer -> the command that does so, for whoever may."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import discord

from adapters.chat.discord.moderators.asking import Interaction, answer, as_said, say_to
from bot.core.chat.post import Advised
from bot.core.moderators.advised import CARRIED, carried, meant
from bot.core.moderators.command import Command
from bot.core.moderators.commands.settings import Threshold
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts
from bot.wording.reasons import rule_name

Serve = Callable[[Interaction, type[Command], dict[str, Any]], Awaitable[None]]


def keys(advised: Iterable[Advised], say: Texts) -> discord.ui.View | None:
    """The buttons; None: there are none."""
    view = discord.ui.View(timeout=None)
    for one in advised:
        label = say("what_if.apply", rule=rule_name(one.rule, say), score=one.score)
        view.add_item(discord.ui.Button(label=label[:80], custom_id=f"jikimi-bar:{carried(one)}"))
    view.stop()  # the dynamic item serves them
    return view if view.children else None


def button_of(desk: Desk, serve: Serve) -> Any:
    """The button class whose presses are served as the command is, rights and all."""

    class BarButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=f"jikimi-bar:{CARRIED}"):
        def __init__(self, carried: str, found: tuple[str, str]) -> None:
            super().__init__(discord.ui.Button(custom_id=f"jikimi-bar:{carried}"))
            self.found = found

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: Any, /) -> "BarButton":
            return cls(f"{match[1]}:{match[2]}", (match[1], match[2]))

        async def callback(self, interaction: Interaction) -> None:
            found = meant(*self.found, desk.policy(as_said(interaction, "")).rules)
            if found is None:
                await answer(interaction, say_to(interaction)["what_if.gone"])
            else:
                await serve(interaction, Threshold, {"rule": found[0].name, "score": found[1]})

    return BarButton
