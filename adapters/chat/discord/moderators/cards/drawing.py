"""An incident and its author's history -> a card as Discord takes it; and what a card that stands there is about."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import discord

from adapters.chat.discord.moderators.asking import plain
from adapters.chat.discord.receiving.reading import NAME
from adapters.chat.discord.refs import address
from bot.core.chat.message import Message
from bot.core.incidents.card import Button, Card, Tone, press_id, pressed
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import History
from bot.core.text.catalogue import Texts, texts
from bot.wording.cards import card_of, label

NAMED = 20  # members on a card that many share
BETWEEN = " · "  # two numbers

COLOURS = {Tone.URGENT: 0xD7263D, Tone.OPEN: 0xF2A900, Tone.ACTED: 0x3A86C8, Tone.CLOSED: 0x8A8F98}
_STYLES = {
    Button.RIGHT: discord.ButtonStyle.success, Button.WRONG: discord.ButtonStyle.primary,
    Button.DELETE: discord.ButtonStyle.danger, Button.TIMEOUT: discord.ButtonStyle.danger,
    Button.HOUR: discord.ButtonStyle.danger, Button.DAY: discord.ButtonStyle.danger,
    Button.BAN: discord.ButtonStyle.danger, Button.ACCEPT: discord.ButtonStyle.primary,
    Button.DISMISS: discord.ButtonStyle.success,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    embed: discord.Embed
    view: discord.ui.View

    @property
    def look(self) -> tuple[Any, ...]:
        """To know a card that would look the same."""
        return _look(self.embed, self.view.children)


def drawn(incident: Incident, history: History, timezone: str, numbers: list[int], members: Iterable[str]) -> Drawn:
    """`numbers` of all incidents on the card, this one first; `members` whose they are."""
    message, say = incident.decision.message, texts(incident.decision.language)
    card = card_of(incident, history, say, timezone, more=numbers[1:])
    return Drawn(_embed(card, message, say, numbers, list(members)), _view(card, say))


def look_of(message: discord.Message) -> tuple[Any, ...]:
    """Of a card that stands there."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return _look(message.embeds[0], (button for row in rows for button in row.children))


def members_on(message: discord.Message | None) -> dict[str, None]:
    """Whose incidents are on the card, as far as it names them."""
    fields = message.embeds[0].fields if message and message.embeds else []
    return dict.fromkeys(re.findall(r"<@(\d+)>", " ".join(field.value or "" for field in fields[:2])))


def named_on(message: discord.Message | None) -> tuple[int, list[int], bool]:
    """Which incident a card is about first (0: it is none), the numbers of all that its footer names, and whether those
    are numbers: the footers of earlier versions had the ids instead."""
    footer = (message.embeds[0].footer.text if message and message.embeds else None) or ""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)] if message else []
    carried = (pressed(button.custom_id or "") for row in rows for button in row.children)
    first = next((press[1] for press in carried if press), 0)
    return first, [int(digits) for digits in re.findall(r"#(\d+)", footer)], BETWEEN in footer


def called(guild: discord.Guild | None, urgent: Collection[str]) -> str:
    """Who is named for what is urgent, or the owner."""
    if not urgent:
        return f"<@{guild.owner_id}>" if guild and guild.owner_id else ""
    return " ".join(f"<@&{who}>" if guild and guild.get_role(int(who)) else f"<@{who}>" for who in urgent)


def _view(card: Card, say: Texts) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for place, button in enumerate(card.buttons):
        style = _STYLES.get(button, discord.ButtonStyle.secondary)
        view.add_item(
            discord.ui.Button(
                label=label(button, card, say),
                style=style,
                custom_id=press_id(button, card.incident_id),
                row=place // 4,
            )
        )
    view.stop()  # the dynamic item serves its buttons: discord.py need not keep every view that we ever sent
    return view


def _embed(card: Card, message: Message, say: Texts, numbers: list[int], members: list[str]) -> discord.Embed:
    embed = discord.Embed(title=card.title, description=plain(card.text) or None, colour=COLOURS[card.tone])
    embed.add_field(name=say["discord.where"], value=_place(message, say))
    if len(members) > 1:
        named = " ".join(f"<@{member}>" for member in members[:NAMED])
        embed.add_field(name=say["discord.who"], value=named, inline=False)
        embed.add_field(name=say["discord.crowd"], value=say("discord.crowd_count", count=len(members)), inline=False)
    elif message.author.id:
        embed.add_field(name=say["discord.who"], value=f"<@{message.author.id}>")
    if card.other:
        embed.add_field(name=say["card.other"], value=f"<@{card.other}>")
    for line in card.lines:
        embed.add_field(name=line.label, value=plain(line.value)[:1024], inline=len(line.value) < 40)
    embed.set_footer(text=BETWEEN.join(f"#{number}" for number in numbers))
    return embed


def _place(message: Message, say: Texts) -> str:
    """Where it stands; only a real message can be jumped to."""
    if NAME in message.extra:
        return say["discord.a_name"]
    channel = f"<#{message.ref.channel_id}>"
    link = address(message.community_id, message.ref.channel_id, message.ref.message_id)
    return f"{channel} · [{say['discord.link']}]({link})" if link else channel


def _look(embed: discord.Embed, buttons: Iterable[Any]) -> tuple[Any, ...]:
    fields = [(field.name, field.value) for field in embed.fields]
    return embed.title, embed.description, embed.colour, fields, embed.footer.text, [b.custom_id for b in buttons]
