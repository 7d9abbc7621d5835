"""Discord's messages -> the same, with what a bot's answer answers: by reply, interaction, thread or mention."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import discord

from adapters.chat.discord.receiving.reading import said_at, text_of
from adapters.chat.discord.refs import DISCORD
from adapters.chat.recalling import PIECES, recall
from bot.core.answers.pairing import Hints, Turn, Turns
from bot.core.base.clock import Clock
from bot.core.chat.message import Kind, Message
from bot.core.moderation.ports import Inbox

FETCH = 5.0  # seconds for a message that Discord did not send along


@dataclass(slots=True, kw_only=True)
class Pairs:
    clock: Clock
    inbox: Inbox | None = None
    _turns: Turns = field(default_factory=Turns)

    def forget(self, is_theirs: Callable[[str], bool]) -> None:
        self._turns.forget(is_theirs)

    async def begin(self) -> None:
        """What is still on record of the last minutes, so that a start forgets little."""
        if self.inbox is not None:
            await recall(self._turns, DISCORD, self.inbox, self.clock)

    def needs_a_look(self, source: discord.Message) -> bool:
        """Whether something must be fetched before it is known what a bot's message answers."""
        wanted = _replied_to(source) or _earlier(source)
        return (
            _is_by_a_bot(source)
            and wanted is not None
            and not isinstance(_resolved(source), discord.Message)
            and self._turns.said(str(source.channel.id), wanted) is None
        )

    async def look(self, source: discord.Message) -> None:
        """Fetch what a bot's message refers to and, where that is an answer itself, what that one refers to (once)."""
        for wanted in filter(None, (_replied_to(source), _earlier(source))):
            found = await _fetched(source, int(wanted))
            if found is None:
                continue
            if _is_by_a_bot(found) and (first := _replied_to(found)) and (asked := await _fetched(source, int(first))):
                self._hear(asked)
            self._hear(found)

    def complete(self, source: discord.Message, message: Message) -> Message:
        """The message as it is to be kept. Everything that is said must come through here, in order."""
        channel = message.ref.channel_id
        turn = _turn(source, message.text)
        if not message.author.bot or message.kind is Kind.DELETE:
            self._turns.hear(channel, turn)
            return message
        resolved = _resolved(source)
        if isinstance(resolved, discord.Message):
            self._hear(resolved)
        paired = self._turns.answer(channel, turn, _hints(source))
        if paired.pairing is None:
            return message
        pieces = {PIECES: ",".join(paired.pieces)} if paired.pieces else {}
        return replace(
            message, prompt=paired.prompt, pairing=paired.pairing, lead=paired.lead, extra=message.extra | pieces
        )

    def _hear(self, source: discord.Message) -> None:
        """Something older, that came along or was fetched."""
        channel, id_ = str(source.channel.id), str(source.id)
        if self._turns.said(channel, id_) is not None:
            return
        turn = _turn(source, text_of(source))
        if turn.bot:
            self._turns.answer(channel, turn, _hints(source))
        else:
            self._turns.hear(channel, turn)


def _hints(source: discord.Message) -> Hints:
    asked = source.interaction_metadata
    earlier = _earlier(source)
    target = str(asked.target_message_id) if asked and asked.target_message_id else None
    thread = source.channel if isinstance(source.channel, discord.Thread) else None
    return Hints(
        asked=_replied_to(source) or target,
        answer=earlier,
        unseen=asked is not None and target is None,
        names=frozenset(map(str, source.raw_mentions)),
        thread=thread is not None,
        own_thread=thread is not None and thread.owner_id == source.author.id,
    )


def _turn(source: discord.Message, text: str) -> Turn:
    bot = _is_by_a_bot(source)
    mentioned = frozenset() if bot else frozenset(map(str, source.raw_mentions))
    return Turn(
        id=str(source.id),
        author=str(source.webhook_id or source.author.id),
        at=said_at(source),
        text=_without_mentions(text, source.raw_mentions) if mentioned else text,
        bot=bot,
        calls=mentioned,
    )


def _without_mentions(text: str, mentioned: Iterable[int]) -> str:
    """What is asked, without the names of who is asked."""
    for id_ in mentioned:
        text = text.replace(f"<@{id_}>", "").replace(f"<@!{id_}>", "")
    return text.strip() or text


def _is_by_a_bot(source: discord.Message) -> bool:
    return source.application_id is not None if source.webhook_id else source.author.bot


def _replied_to(source: discord.Message) -> str | None:
    reference = source.reference
    if reference is None or reference.message_id is None or source.message_snapshots:
        return None
    return str(reference.message_id)


def _resolved(source: discord.Message) -> object:
    return source.reference.resolved if source.reference else None


def _earlier(source: discord.Message) -> str | None:
    """The answer that this one goes on from: of a follow-up the first one, of a button's the one with the button."""
    asked = source.interaction_metadata
    while asked is not None:
        if earlier := asked.original_response_message_id or asked.interacted_message_id:
            return str(earlier)
        asked = asked.modal_interaction
    return None


async def _fetched(source: discord.Message, message_id: int) -> discord.Message | None:
    try:
        async with asyncio.timeout(FETCH):
            return await source.channel.fetch_message(message_id)
    except (discord.DiscordException, OSError, TimeoutError):
        return None
