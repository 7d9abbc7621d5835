"""What was typed, and what it answers -> the command that is meant, with its arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from telegram import Chat, Document, MessageEntity, User
from telegram import Message as TelegramMessage
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Typed, is_somebodys
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.moderators.commands.host import GroupHost
from adapters.chat.telegram.refs import TELEGRAM, group_ref, topic_of
from adapters.chat.telegram.text import GroupManner
from bot.core.base.clock import Clock
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.chat.rights import Right
from bot.core.incidents.card import pressed
from bot.core.moderators.answer import File, Member
from bot.core.moderators.argument import LARGEST_FILE, AFile, Someone, Suggested, Target, arguments
from bot.core.moderators.command import Asked, Command
from bot.core.moderators.commands import TABLE
from bot.core.moderators.ports import Desk
from bot.core.moderators.reading import meant, read
from bot.core.text.catalogue import texts_on
from bot.wording.answered import choices

#: The commands that Telegram can serve, in the order of its menus.
OFFERED = tuple(command for command in TABLE if not command.filters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    desk: Desk
    clock: Clock
    members: Members
    drawing: Drawing
    me: int

    async def asked(self, typed: Typed, rights: frozenset[Right]) -> Asked:
        here = str(typed.chat_id)
        community = self.desk.community(group_ref(typed.group or here))
        name = typed.message.chat.title if community.id == here else community.name
        if not name and rights:
            name = await self.drawing.rooms.title(community.id)
        return Asked(
            community=community.ref,
            community_name=name or "",
            by=Member(str(typed.speaker_id), typed.by),
            rights=rights,
            at=self.clock.now(),
            sent_at=typed.message.date,
            channel_id=here,
            is_apart=here == community.moderators_channel != community.id,
            host=GroupHost(typed=typed, members=self.members, drawing=self.drawing),
            language=typed.say.language,
            part=topic_of(typed.message) if community.id == here else "",
        )

    async def filled(
        self, typed: Typed, asked: Asked, likeliest: type[Command]
    ) -> tuple[type[Command], Command | None]:
        """The first command of that name that can read what was typed; none: the likeliest, without arguments."""
        if likeliest.led:
            return likeliest, None
        suggestions = partial(self._suggestions, typed, asked)
        me = "" if typed.is_anonymous else str(typed.user_id)
        for command, rest in meant(typed.name, typed.rest, OFFERED):
            if found := read(command, rest, await self._known(command, typed), suggestions, me):
                return command, found
        return likeliest, None

    def _suggestions(self, typed: Typed, asked: Asked, kind: Suggested) -> Mapping[str, str]:
        return choices(
            kind.of(asked, self.desk), GroupManner(texts_on("telegram", typed.say.language), "UTC", asked.at, {})
        )

    async def _known(self, command: type[Command], typed: Typed) -> dict[str, Any]:
        """What the message that is answered says of the arguments."""
        target, known = typed.message.reply_to_message, dict[str, Any]()
        someone = next((one.name for one in arguments(command) if isinstance(one.kind, Someone)), "")
        for one in arguments(command) if target else ():
            if one.name == someone and target and (member := await self._whom(typed, target)):
                known[one.name] = member
            elif isinstance(one.kind, AFile) and target and target.document:
                known[one.name] = await self._opened(target.document)
            elif isinstance(one.kind, Target) and target and is_somebodys(target, self.me):
                known[one.name] = _heard(target, typed.group)
        return known

    async def _opened(self, document: Document) -> File:
        """As far as anybody reads it."""
        if (document.file_size or LARGEST_FILE + 1) > LARGEST_FILE:
            return File(None)
        try:
            with mapped(self.drawing.limiter.say):
                return File(bytes(await (await document.get_file()).download_as_bytearray()))
        except (BadRequest, Forbidden):
            return File(None)

    async def _whom(self, typed: Typed, target: TelegramMessage) -> Member | None:
        """Whose words a message holds: a restored one is posted by us and names its author, a card its incident."""
        if target.from_user and target.from_user.id == self.me:
            for row in target.reply_markup.inline_keyboard if target.reply_markup else ():
                for button in row:
                    press = pressed(button.callback_data) if isinstance(button.callback_data, str) else None
                    found = press and await self.desk.look_up(group_ref(typed.group), press[1])
                    if found:
                        author = found[0].decision.message.author
                        return Member(author.id, author.name or author.id)
            named = (one.user for one in target.entities if one.type == MessageEntity.TEXT_MENTION and one.user)
            return next((Member(str(one.id), one.full_name) for one in named), None)
        if not is_somebodys(target, self.me) or typed.chat_id != int(typed.group):
            return None
        who: Chat | User | None = target.sender_chat or target.from_user
        return Member(str(who.id), getattr(who, "full_name", None) or str(who.id)) if who else None


def _heard(target: TelegramMessage, group: str) -> Message:
    """As if an ordinary member had said it."""
    return Message(
        ref=MessageRef(TELEGRAM, group, str(target.message_id)),
        community_id=group,
        author=Author(id="0"),
        sent_at=target.date,
        text=target.text or target.caption or "",
    )
