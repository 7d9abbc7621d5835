"""What a command is answered -> what Telegram shows of it, where it was asked or in private."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.moderators.asking import Answers, Typed
from adapters.chat.telegram.moderators.cards.board import CardBoard
from adapters.chat.telegram.moderators.commands.advised import keys
from adapters.chat.telegram.moderators.posting import Posting
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from adapters.chat.telegram.text import GroupManner
from bot.core.base.clock import Clock
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.chat.post import Post
from bot.core.moderators.answer import Found, Handed, Lines, Member, Offer, Proposal, Wish
from bot.core.moderators.command import Answer, Usage
from bot.core.moderators.commands.overview import overview
from bot.core.moderators.ports import Desk
from bot.core.rules.policy import Policy
from bot.core.text.catalogue import Texts, texts_on
from bot.wording.answered import lines, mentioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    bot: Bot
    limiter: Limiter
    desk: Desk
    clock: Clock
    rooms: Rooms
    cards: CardBoard
    posting: Posting
    answers: Answers

    async def show(self, typed: Typed, answer: Answer, *, lane: Lane, quietly: bool) -> None:
        match answer:
            case Lines() | Usage():
                text = await self.words(answer, typed.group or str(typed.chat_id), typed.say)
                await self.answers.say(typed, text, lane=lane, quietly=quietly)
            case Found(incident, history):
                text, entities, keyboard = self.cards.content(incident, history, whole=typed.in_private)
                async with self.limiter.turn(typed.chat_id, lane):
                    sent = await self.bot.send_message(
                        typed.chat_id, text, entities=entities, reply_markup=keyboard,
                        link_preview_options=LinkPreviewOptions(is_disabled=True),
                    )  # fmt: skip
                community = incident.decision.message.community
                await self.posting.fleeting.note(community, typed.chat_id, [sent.message_id])  # its words do not stay
            case Post():
                await self.posting.post(typed.chat_id, answer)
            case Offer():
                text = await self.words(answer.said, typed.group or str(typed.chat_id), typed.say)
                await self.answers.say(typed, text, self._keys(typed, answer.wishes), lane=lane)
            case Proposal():
                text = await self.words(answer.said, typed.group or str(typed.chat_id), typed.say)
                await self.answers.say(typed, text, keys([answer.advised], typed.say), lane=lane, quietly=quietly)
            case Handed():
                text = await self.words(answer.said, typed.group or str(typed.chat_id), typed.say)
                to = typed.user_id if answer.alone else typed.chat_id
                async with self.limiter.turn(to, lane):
                    await self.bot.send_document(to, answer.file.content, filename=answer.file.name, caption=text)
            case _:
                assert_never(answer)

    def _keys(self, typed: Typed, wishes: Iterable[Wish]) -> InlineKeyboardMarkup:
        """In a group they lead into private: what is asked there and what comes of it is nobody else's."""
        named = {wish: typed.say[f"privacy.{wish}_button"] for wish in wishes}
        if typed.in_private:
            keys = [InlineKeyboardButton(text, callback_data=f"my:{wish}") for wish, text in named.items()]
        else:
            link = f"https://t.me/{self.bot.username}?start=privacy_"
            keys = [InlineKeyboardButton(text, url=f"{link}{wish}") for wish, text in named.items()]
        return InlineKeyboardMarkup([keys])

    async def words(self, answer: Lines | Usage, group: str, say: Texts) -> str:
        """In a group's manner."""
        nameless = {one.id for one in mentioned(answer) if not (isinstance(one, Member) and one.name)}
        names = {id_: await self.rooms.title(id_) for id_ in sorted(nameless)}
        timezone = self.desk.schedule(group_ref(group)).timezone
        return lines(answer, GroupManner(texts_on("telegram", say.language), timezone, self.clock.now(), names))

    async def overview(self, group: str, say: Texts) -> str:
        """What a group has set."""
        name = await self.rooms.title(group)
        return await self.words(Lines(overview(self.desk, self._here(group), name, has_filter=False)), group, say)

    def policy(self, group: str) -> Policy:
        return self.desk.policy(self._here(group))

    def _here(self, group: str) -> Message:
        """Stands for any message of a group."""
        return Message(
            ref=MessageRef(TELEGRAM, group, "0"), community_id=group, author=Author(id="0"), sent_at=self.clock.now()
        )
