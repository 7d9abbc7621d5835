"""What a command asks of Telegram about the group that it is about -> what the bot lacks there, whom it may tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Chat, ChatMember

from adapters.chat.telegram.acting.doors import LOCKS
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Typed, rights_of
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.receiving.reading import STAND_INS, is_channel
from adapters.chat.telegram.refs import group_ref
from bot.core.chat.message import Message
from bot.core.incidents.case import CaseKind
from bot.core.moderators.answer import Channel, Lines, Member, Said, said
from bot.core.moderators.permissions import Deed, may
from bot.core.rules.actions import Lock, Means
from bot.core.text.catalogue import texts


@dataclass(slots=True, kw_only=True)
class GroupHost:
    """`Host` for one command."""

    typed: Typed
    members: Members
    drawing: Drawing
    has_native_filter: bool = False
    restricts_newcomers: bool = True
    first_means: Means = Means.WRITING
    locks_apart: bool = False

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

    async def obstacle_over(self, member: Member, kind: CaseKind) -> Said | None:
        if kind in (CaseKind.NOTE, CaseKind.PURGE):
            return None
        group, id_ = int(self.typed.group), int(member.id)
        if id_ == self.typed.speaker_id and not self.typed.is_anonymous:
            return said("deed.yourself")
        if id_ == self.members.me:
            return said("deed.bot")
        if id_ in (group, *STAND_INS) or (await self.members.staff(group)).role(id_):
            return said("deed.staff")
        if kind in (CaseKind.BAN, CaseKind.UNBAN) or is_channel(member.id):
            return None
        there = await self.members.member(group, id_)
        away = there is None or there.status in (ChatMember.LEFT, ChatMember.BANNED)
        if there is not None and there.status in (ChatMember.ADMINISTRATOR, ChatMember.OWNER):
            return said("deed.staff")  # since the last list of them
        return said("deed.nobody") if away else None

    async def lately(self, most: int, member: Member | None, since: Message | None) -> Sequence[str] | Said:
        """A group counts its messages; which are still there Telegram does not tell, and need not. Whose they are is
        known by a hash, for two days."""
        message = self.typed.message
        if message.chat.id != int(self.typed.group):
            return said("deed.not_here")
        if since is None and member is not None:
            group = group_ref(self.typed.group)
            return await self.drawing.desk.privacy.people.sent(group, member.id, group.id, most=most)
        last = message.message_id - 1
        if since is not None:
            first = int(since.ref.message_id)
            return [str(one) for one in range(first, min(last, first + most - 1) + 1)]
        return [str(one) for one in range(last, max(0, last - most), -1)]

    def obstacle_to_filter(self) -> Said | None:
        raise NotImplementedError("Telegram has no filter of its own")

    async def follow_filter(self) -> Sequence[Said]:
        raise NotImplementedError("Telegram has no filter of its own")

    async def obstacle_to_lock(self, lock: Lock) -> Said | None:
        """What it lacks itself, Telegram says when it is done."""
        if lock.means not in LOCKS:
            return said("telegram.no_such_lock", what=said(f"means.{lock.means}"))
        return None

    async def obstacles_to_gate(self) -> Sequence[Said]:
        here = await self.members.member(int(self.typed.group), self.members.me)
        return () if getattr(here, "can_invite_users", False) else (said("telegram.missing.can_invite_users"),)
