"""A card in the moderators' channel -> the same card as things stand on record by now, whoever has posted it."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH
from adapters.chat.discord.limits import Room
from adapters.chat.discord.moderators.cards.drawing import Drawn, drawn, look_of, members_on, named_on
from adapters.chat.discord.receiving.reading import said_at
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errands import Errands
from bot.core.base.errors import BotError, Unavailable
from bot.core.base.waiting import outlasting, patiently
from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import History
from bot.core.moderators.ports import Desk

_log = structlog.get_logger(__name__)

REWRITE = 0.3  # seconds: what is done about an incident is done within moments
RECALLED = 100  # messages of the moderators' channel that are looked through after a start
REMEMBERED = 2_000  # cards
EMPTIED = 20_000  # incidents whose words are still to be taken from their cards
LATELY = timedelta(minutes=10)  # before a card is recalled: what has been posted since may say less than is on record


@dataclass(slots=True, eq=False)
class Posted:
    """A card as it stands in a channel. `message_id` is known once it is posted."""

    community: CommunityRef
    channel_id: int
    incidents: list[int]
    at: float
    members: dict[str, None]  # whose incidents they are, in order
    message_id: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    look: tuple[Any, ...] = ()
    rewriting: "asyncio.Task[bool] | None" = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)  # an older version must not arrive after a newer one

    @property
    def receipt(self) -> str:
        return f"{self.channel_id}/{self.message_id.result()}"


@dataclass(slots=True, kw_only=True)
class PostedCards:
    """Which card an incident is on."""

    client: discord.Client
    desk: Desk
    clock: Clock
    notices: Room
    _by_incident: Bounded[int, Posted] = field(default_factory=lambda: Bounded(REMEMBERED))
    _recalled: Bounded[str, "asyncio.Task[None]"] = field(default_factory=lambda: Bounded(REMEMBERED))  # by channel
    errands: Errands = field(default_factory=Errands)
    _emptied: Bounded[int, CommunityRef] = field(default_factory=lambda: Bounded(EMPTIED))  # what is still to be

    def of(self, incident_id: int) -> Posted | None:
        return self._by_incident.get(incident_id)

    def put(self, incident_id: int, card: Posted) -> None:
        self._by_incident[incident_id] = card

    def forget_rooms(self) -> None:
        """Others may have posted there meanwhile: each is looked through again."""
        self._recalled.clear()

    def changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None:
        """Something new is on record: the card is written anew. An earlier process may have posted it."""
        if emptied:
            self._emptied[incident_id] = community
            if len(self._emptied) == 1:
                self.errands.begin(self._empty())
        elif card := self.of(incident_id):
            self.write_anew(card)
        elif (channel := self.desk.community(community).moderators_channel) and channel not in self._recalled:
            self.errands.begin(self._write_recalled(channel, community, incident_id))

    async def _empty(self) -> None:
        """One after the other: whose words are gone, those are taken from its card, and whose it was."""
        while self._emptied:
            incident_id, community = next(iter(self._emptied.items()))
            try:
                await patiently(partial(self._empty_one, community, incident_id), self.clock)
            except Exception as error:
                _log.warning("card not emptied", incident=incident_id, error=type(error).__name__)
            self._emptied.pop(incident_id, None)

    async def _empty_one(self, community: CommunityRef, incident_id: int) -> None:
        if self.client.user is None:
            raise Unavailable("not yet connected to Discord", retry_after=5)
        found = await self.desk.look_up(community, incident_id)
        card = self.of(incident_id) or (await self.adopt(found[0].card, community) if found else None)
        if card:
            card.members.clear()
            if not await outlasting(self.write_anew(card)):
                raise Unavailable("its card was not written anew", retry_after=5)

    async def _write_recalled(self, channel: str, community: CommunityRef, incident_id: int) -> None:
        try:
            await self.recall(channel, community)
        except Unavailable:
            return  # with its next change
        if card := self.of(incident_id):
            self.write_anew(card)

    # ---- found again ------------------------------------------------------------------------------------------------

    async def recall(self, channel: str, community: CommunityRef, *, spare: int = 0) -> None:
        """Find our own cards again, once a channel after a start. `spare`: see `Room.taken`."""
        with nullcontext() if channel in self._recalled else self.notices.taken(int(channel), spare=spare):
            recalling = self._recalled.get(channel)
            if recalling is None:
                recalling = self._recalled[channel] = self.errands.begin(self._find_cards(channel, community))
            try:
                await outlasting(recalling)
            except Exception:
                self._recalled.pop(channel, None)  # the next one tries again
                raise

    async def _find_cards(self, channel: str, community: CommunityRef) -> None:
        room = self.client.get_partial_messageable(int(channel))
        try:
            recent = [message async for message in room.history(limit=RECALLED)]
        except (discord.Forbidden, discord.NotFound):
            recent = []  # posting will say what is the matter
        except OUT_OF_REACH as error:
            raise Unavailable("the moderators' channel cannot be read ({why})", why=type(error).__name__) from error
        for message in recent:
            is_ours = self.client.user and message.author.id == self.client.user.id
            card = await self.recognise(message, community) if is_ours else None
            if card and said_at(message) > self.clock.now() - LATELY:
                self.write_anew(card)  # its process may have died between recording and showing

    async def adopt(self, receipt: str, community: CommunityRef) -> Posted | None:
        """The card that another process has put somewhere, unless somebody took it away."""
        channel, _, id_ = receipt.partition("/")
        if not id_.isdecimal():
            return None
        try:
            message = await self.client.get_partial_messageable(int(channel)).fetch_message(int(id_))
        except (discord.Forbidden, discord.NotFound):
            return None
        except OUT_OF_REACH as error:
            raise Unavailable("a card cannot be read ({why})", why=type(error).__name__, begun=receipt) from error
        return await self.recognise(message, community)

    async def ids_on(self, message: discord.Message | None, community: CommunityRef) -> list[int]:
        """Every incident on a card, the first one first."""
        first, named, by_number = named_on(message)
        if not by_number:
            return named if first in named else [first] if first else []
        known = await self.desk.numbered(community, named)
        return list(dict.fromkeys([first, *(known[number] for number in named if number in known)]))

    async def recognise(self, message: discord.Message, community: CommunityRef) -> Posted | None:
        """A card that may be an earlier process's; None: it is none."""
        ids = await self.ids_on(message, community)
        if not ids or (known := self.of(ids[0])):
            return known if ids else None
        card = Posted(community, message.channel.id, ids, float("-inf"), members_on(message), look=look_of(message))
        card.message_id.set_result(message.id)
        for incident_id in ids:
            self._by_incident.setdefault(incident_id, card)
        return card

    # ---- written anew -----------------------------------------------------------------------------------------------

    def write_anew(self, card: Posted) -> "asyncio.Task[bool]":
        """In a moment, once for all that happens until then; and not before the version before has gone out."""
        if card.rewriting is None:
            card.rewriting = self.errands.begin(self._rewrite(card))
        return card.rewriting

    async def _rewrite(self, card: Posted) -> bool:
        """Whether the card now says how things stand."""
        await self.clock.sleep(REWRITE)
        try:
            async with card.writing:
                card.rewriting = None  # what happens from here on needs another one
                if found := await self.desk.look_up(card.community, *card.incidents):
                    now = await self.drawn(card, *found)
                    if now.look != card.look:
                        channel = self.client.get_partial_messageable(card.channel_id)
                        standing = channel.get_partial_message(card.message_id.result())
                        await standing.edit(embed=now.embed, view=now.view)
                        card.look = now.look
        except discord.NotFound:
            return True  # somebody took the card away: nobody wants to see it
        except (BotError, *OUT_OF_REACH) as error:
            _log.warning("card not written anew", incident=card.incidents[0], error=type(error).__name__)
            return False
        return True

    async def drawn(self, card: Posted, incident: Incident, history: History) -> Drawn:
        timezone, more = self.desk.policy(incident.decision.message).timezone, card.incidents[1:]
        called = await self.desk.numbers(card.community, more) if more else {}
        numbers = [incident.case, *(called[one] for one in more if one in called)]
        return drawn(incident, history, timezone, numbers, card.members)
