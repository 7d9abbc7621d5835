"""What a command asks of Telegram about the group that it is about -> what the bot lacks there, whom it may tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Chat

from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Typed, rights_of
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.refs import group_ref
from bot.core.moderators.answer import Channel, Lines, Said, said
from bot.core.moderators.permissions import Deed, may
from bot.core.text.catalogue import texts


@dataclass(slots=True, kw_only=True)
class GroupHost:
    """`Host` for one command."""

    typed: Typed
    members: Members
    drawing: Drawing
    has_native_filter: bool = False

    async def problems(self) -> Sequence[str]:
        say, group = self.typed.say, self.typed.group
        lines = [say[f"telegram.without.{right}"] for right in await self.members.missing_rights(int(group))]
        if not group.startswith("-100") and self.typed.message.chat.type == Chat.GROUP:
            lines.append(say["telegram.supergroups_only"])
        return lines or [say["telegram.all_rights"]]

    async def tell_moderators(self, said: Said) -> None:
        community = self.drawing.desk.community(group_ref(self.typed.group))
        if community.moderators_channel not in (None, str(self.typed.chat_id)):
            text = await self.drawing.words(Lines.of(said), community.id, texts(community.language or "ko"))
            await self.drawing.rooms.say(community, text)

    async def obstacle(self, channel: Channel) -> Said | None:
        """A chat to write to belongs to who chooses it: else anybody with a group writes to strangers by our hand."""
        chat_id, typed = int(channel.id), self.typed
        if chat_id > 0:
            is_theirs = chat_id == typed.user_id and not typed.is_anonymous
        else:
            is_theirs = may(await rights_of(typed, chat_id, self.members), Deed.BIND_ROOM)
        return None if is_theirs else said("telegram.not_your_chat")

    def obstacle_to_filter(self) -> Said | None:
        raise NotImplementedError("Telegram has no filter of its own")

    async def follow_filter(self) -> Sequence[Said]:
        raise NotImplementedError("Telegram has no filter of its own")
