"""What Telegram or somebody leaves behind in a group and nobody needs -> gone, where the community wants that."""

from dataclasses import dataclass

import structlog
from telegram import Message
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.acting.deletions import Deletions
from adapters.chat.telegram.receiving.reading import GROUPS
from adapters.chat.telegram.refs import group_ref
from bot.core.communities.community import Tidied
from bot.core.moderators.ports import Desk

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidying:
    desk: Desk
    deletions: Deletions

    async def take(self, message: Message, what: Tidied) -> None:
        """A name in a notice is judged all the same: it has been read."""
        if message.chat.type not in GROUPS or what not in self.desk.community(group_ref(message.chat.id)).tidied:
            return
        try:
            await self.deletions.delete(message.chat.id, [message.message_id])
        except (BadRequest, Forbidden) as error:  # without the right to delete there are complaints enough
            _log.info("not tidied", chat=message.chat.id, error=type(error).__name__)


def is_notice(message: Message) -> bool:
    """Whether Telegram tells that somebody has come or gone."""
    return bool(message.new_chat_members or message.left_chat_member)
