"""An incident and its author's history -> a card as Telegram takes it: text, entities, buttons."""

from collections.abc import Sequence
from typing import NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity

from adapters.chat.telegram.refs import address
from adapters.chat.telegram.text import LONGEST, cut, units
from bot.core.incidents.card import Card, Tone, press_id
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import History
from bot.core.text.catalogue import texts_on
from bot.wording.cards import card_of, label, revealed

LONGEST_ALERT = 200  # characters that a button can answer with

SIGNS = {Tone.URGENT: "🚨", Tone.OPEN: "🟡", Tone.ACTED: "🔵", Tone.CLOSED: "⚪"}


class Drawn(NamedTuple):
    text: str
    entities: list[MessageEntity]
    keyboard: InlineKeyboardMarkup

    @property
    def look(self) -> tuple[str, InlineKeyboardMarkup]:
        """To know a card that would look the same."""
        return self.text, self.keyboard


def drawn(
    incident: Incident,
    history: History,
    language: str,
    timezone: str,
    *,
    more: Sequence[int] = (),
    whole: bool = False,
) -> Drawn:
    """`more`: the numbers of later incidents on the same card. `whole`: with the text, for who alone sees it."""
    say = texts_on("telegram", language)
    card = card_of(incident, history, say, timezone, more=more)
    text, entities = _laid_out(card, incident, more, revealed(incident, say) if whole else "", say["card.other"])
    keys = [InlineKeyboardButton(label(b, card, say), callback_data=press_id(b, incident.id)) for b in card.buttons]
    return Drawn(text, entities, InlineKeyboardMarkup([keys[place : place + 2] for place in range(0, len(keys), 2)]))


def _laid_out(
    card: Card, incident: Incident, more: Sequence[int], whole: str, other: str
) -> tuple[str, list[MessageEntity]]:
    """`other`: what a second member is called who was part of it. `whole`: the text and why each rule matched, in place
    of the masked text; folded up where it is long."""
    title = f"{SIGNS[card.tone]} {card.title}"
    lines = [f"{line.label}: {line.value}" for line in card.lines]
    if card.other:
        lines.insert(0, f"{other}: {card.other}")
    if more:
        lines.append(" ".join(f"#{number}" for number in more))
    if link := message_link(incident):
        lines.append(link)
    below = "\n".join(lines)
    quoted = cut(whole, max(LONGEST_ALERT, LONGEST - units(f"{title}\n\n{below}"))) or card.text or "-"
    start, length = units(title) + 1, units(quoted)
    entities = [MessageEntity(MessageEntity.BOLD, 0, units(title))]
    kind = MessageEntity.EXPANDABLE_BLOCKQUOTE if units(whole) > LONGEST_ALERT else MessageEntity.BLOCKQUOTE
    entities.append(MessageEntity(kind, start, length))
    if card.other:
        link = f"tg://user?id={card.other}"
        at = start + length + 1 + units(f"{other}: ")
        entities.append(MessageEntity(MessageEntity.TEXT_LINK, at, units(card.other), url=link))
    return cut(f"{title}\n{quoted}\n{below}", LONGEST), entities


def message_link(incident: Incident) -> str:
    """Leads to the message in a supergroup, for those who are in it; empty where it was taken away."""
    ref = incident.decision.message.ref
    gone = any(action.kind == "delete" and outcome for action, outcome in incident.outcomes)
    return "" if gone else address(ref.channel_id, ref.message_id)
