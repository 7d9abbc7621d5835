"""A raid -> its one card in the moderators' chat, as it stands on record; presses on that -> what is ordered."""

from dataclasses import dataclass

from telegram import Bot, CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.cards.drawing import LONGEST_ALERT, SIGNS, Drawn
from adapters.chat.telegram.refs import TELEGRAM
from adapters.chat.telegram.text import cut, units
from bot.core.base.errors import Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.chat.rights import Right
from bot.core.incidents.case import Case, Person
from bot.core.incidents.incident import PlannedAction
from bot.core.incidents.raids.raid import Press, Raid, pressed
from bot.core.moderators.ports import Desk
from bot.core.moderators.raid_cards import pressed as pressed_on
from bot.core.rules.actions import NO_ROOM, Done, Gone, Outcome, Refused
from bot.core.text.catalogue import Texts, texts
from bot.wording.raids import RaidCard, raid_card


@dataclass(frozen=True, slots=True, kw_only=True)
class RaidCards:
    bot: Bot
    limiter: Limiter
    members: Members
    desk: Desk

    async def show(self, planned: PlannedAction, case: Case, say: Texts) -> Outcome:
        """Written anew where it stands already; to the owner where there is no room. People are called with the first
        alone: who is named for what is urgent reads there."""
        here = planned.message.community
        raid = await self.desk.raids.raids.numbered(here, case.number)
        if raid is None:
            return Gone()
        now = _drawn(raid_card(raid, say, self.desk.policy(planned.message).timezone))
        if raid.receipt and await self._write(raid, now):
            return Done(raid.receipt)
        room = self.desk.community(here).moderators_channel
        owner = None if room else await self.members.owner(int(here.id))
        if not (chat_id := int(room or 0) or (owner.id if owner else 0)):
            return Refused(NO_ROOM)
        try:
            async with self.limiter.turn(chat_id, Lane.URGENT):
                sent = await self.bot.send_message(
                    chat_id, now.text, entities=now.entities, reply_markup=now.keyboard
                )  # fmt: skip
        except (BadRequest, Forbidden):
            return Refused(NO_ROOM)
        return Done(f"{chat_id}/{sent.message_id}")

    async def _write(self, raid: Raid, now: Drawn) -> bool:
        """False: somebody took it away."""
        chat_id, _, id_ = raid.receipt.partition("/")
        try:
            async with self.limiter.turn(int(chat_id), Lane.CARD):
                await self.bot.edit_message_text(
                    now.text, chat_id=int(chat_id), message_id=int(id_), entities=now.entities,
                    reply_markup=now.keyboard,
                )  # fmt: skip
        except (BadRequest, Forbidden) as error:
            return "not modified" in error.message
        return True

    async def press(self, query: CallbackQuery) -> bool:
        """Serve a button of a raid's card; False: it is not one of those."""
        if (press := pressed(query.data or "")) is None:
            return False
        try:
            answer = await self._pressed(query, press)
        except Unavailable:
            answer = self.limiter.say["card.try_again"]
        try:
            with mapped(self.limiter.say):
                await self.bot.answer_callback_query(query.id, cut(answer, LONGEST_ALERT), show_alert=True)
        except (BadRequest, Unavailable):
            pass  # too late to answer; what was pressed counts
        return True

    async def _pressed(self, query: CallbackQuery, press: Press) -> str:
        user = query.from_user

        async def rights_in(community: CommunityRef) -> frozenset[Right]:
            return await self.members.rights(int(community.id), user.id)

        done = await pressed_on(self.desk, TELEGRAM, press, Person(str(user.id), user.full_name), rights_in)
        language = self.desk.community(done.community).language if done.community else None
        say = texts(language or self.limiter.say.language)
        if done.told is None:
            return say["telegram.lacking_here" if done.lacking else "card.not_allowed"]
        return say(done.told.key, **done.told.facts)


def _drawn(card: RaidCard) -> Drawn:
    title = f"{SIGNS[card.tone]} {card.title}"
    below = "\n".join(f"{line.label}: {line.value}" for line in card.lines)
    keys = [[InlineKeyboardButton(label, callback_data=str(press))] for press, label in card.buttons]
    bold = MessageEntity(MessageEntity.BOLD, 0, units(title))
    return Drawn(f"{title}\n{card.text}\n\n{below}", [bold], InlineKeyboardMarkup(keys))
