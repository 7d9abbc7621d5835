"""Chats by their number -> what they are called; and the room of a group's moderators, which hears of changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moving import Moves
from adapters.chat.telegram.refs import TELEGRAM
from bot.core.base.errors import Unavailable
from bot.core.communities.community import Community
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import texts

_log = structlog.get_logger(__name__)


async def looked_after(user_id: int, desk: Desk, members: Members) -> Sequence[str]:
    """The groups that somebody was last seen to be an admin of, without those that are a room of another's moderators:
    what is typed there is about that other."""
    known = desk.communities(TELEGRAM)
    rooms = {one.moderators_channel for one in known if one.moderators_channel != one.id}
    found = await members.groups_of(user_id, [int(one.id) for one in known])
    return [str(group) for group in found if str(group) not in rooms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    bot: Bot
    limiter: Limiter
    moves: Moves

    async def title(self, chat_id: str) -> str:
        """What a chat is called, or somebody who has written to us, as far as we may know."""
        try:
            async with self.limiter.turn(int(chat_id), Lane.MODERATION):
                chat = await self.bot.get_chat(int(chat_id))
        except (BadRequest, Forbidden, ChatMigrated):
            return chat_id
        return chat.title or chat.full_name or chat_id

    async def tell(self, community: Community, key: str, **facts: object) -> None:
        """Whoever reads the cards of a group knows when something changes about them."""
        if community.moderators_channel:
            text = texts(community.language or "ko")(key, group=await self.title(community.id), **facts)
            await self.say(community, text)

    async def say(self, community: Community, text: str) -> None:
        if community.moderators_channel is None:
            return

        async def say(room: int) -> None:
            async with self.limiter.turn(room, Lane.CARD):
                await self.bot.send_message(room, text)

        try:
            await self.moves.follow(int(community.moderators_channel), say)
        except (BadRequest, Forbidden, ChatMigrated, Unavailable) as error:
            _log.warning("moderators not told of a change", community=community.id, error=type(error).__name__)
