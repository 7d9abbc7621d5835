"""What we are not able to do -> a word to the moderators, or to the owner where the moderators' room is the problem.

A problem is told once. It is told again when it comes back after things were well, and after a day.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import discord
import structlog

from adapters.chat.discord.acting.private import ClosedDoor, PrivateMessages
from adapters.chat.discord.errors import OUT_OF_REACH, missing, missing_here
from adapters.chat.discord.refs import guild_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts

_log = structlog.get_logger(__name__)

AGAIN = timedelta(days=1)
REMEMBERED = 2_000
CARD = ("view_channel", "send_messages", "embed_links", "read_message_history")  # what a moderators' room needs
_ROOM = "the moderators' room"


@dataclass(slots=True)
class _Told:
    at: datetime
    places: set[str]  # where it stands in the way


@dataclass(slots=True, kw_only=True)
class Complaints:
    client: discord.Client
    desk: Desk
    clock: Clock
    private: PrivateMessages
    _told: Bounded[tuple[str, str], _Told] = field(default_factory=lambda: Bounded(REMEMBERED))  # community, problem

    async def tell(self, community_id: str, problem: str, say: Texts, place: str = "") -> None:
        """`place` is what it is about, a permission in a channel for example: once that is `well`, it is over."""
        if (room := self._room(community_id)) is None or not self._is_news(community_id, problem, place):
            return
        if lacking := self.room_lacks(community_id):
            self._told.pop((community_id, problem), None)  # nobody has heard it
            await self.tell_owner(community_id, lacking, say)
            return
        try:
            await self.client.get_partial_messageable(room).send(say("card.complaint", problem=problem)[:2000])
        except OUT_OF_REACH as error:
            self._told.pop((community_id, problem), None)
            _log.warning("could not complain", community=community_id, error=type(error).__name__)

    def well(self, community_id: str, place: str) -> None:
        for (whose, problem), told in list(self._told.items()):
            if whose == community_id and place in told.places:
                told.places.discard(place)
                if not told.places:
                    del self._told[whose, problem]

    def room_lacks(self, community_id: str) -> list[str]:
        """Which permissions the bot lacks to show cards to the moderators; none where that is not known."""
        room, guild = self._room(community_id), self.client.get_guild(int(community_id))
        if room is None or guild is None:
            return []
        gone = guild.get_channel_or_thread(room) is None
        lacking = ["view_channel"] if gone else missing_here(guild, room, CARD)
        if not lacking:
            self.well(community_id, _ROOM)
        return lacking

    async def tell_owner(self, community_id: str, lacking: list[str], say: Texts) -> None:
        """The moderators cannot be told that they cannot be told."""
        guild = self.client.get_guild(int(community_id))
        if guild is None or guild.owner_id is None or not self._is_news(community_id, _ROOM, _ROOM):
            return
        told = say(
            "discord.room_shut",
            server=discord.utils.escape_markdown(guild.name),
            channel=f"<#{self._room(community_id)}>",
            missing=missing(lacking, say),
        )
        try:
            await self.private.send(
                community_id, str(guild.owner_id), told, nonce=f"{self.clock.now().timestamp():.3f}-shut"
            )
        except ClosedDoor:
            _log.warning("neither moderators nor owner can be told", community=community_id)
        except OUT_OF_REACH as error:
            self._told.pop((community_id, _ROOM), None)
            _log.warning("could not tell the owner", community=community_id, error=type(error).__name__)

    def _room(self, community_id: str) -> int | None:
        room = self.desk.community(guild_ref(community_id)).moderators_channel
        return int(room) if room else None

    def _is_news(self, community_id: str, problem: str, place: str) -> bool:
        key, now = (community_id, problem), self.clock.now()
        told = self._told.get(key)
        if told is not None and now - told.at < AGAIN:
            told.places.add(place)
            return False
        self._told[key] = _Told(now, {place})
        return True
