"""Buttons under the moderators' cards -> their calls; or what only the one who pressed is shown.

A button carries all that is needed to serve it after a restart.
"""

from dataclasses import dataclass

from telegram import Bot, CallbackQuery
from telegram.error import BadRequest

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.cards.drawing import LONGEST_ALERT
from adapters.chat.telegram.moderators.cards.posted import PostedCards
from adapters.chat.telegram.moderators.cards.raids import RaidCards
from adapters.chat.telegram.refs import TELEGRAM
from adapters.chat.telegram.text import cut, units
from bot.core.base.errors import Unavailable
from bot.core.incidents.card import Button, pressed
from bot.core.incidents.case import Look, Person
from bot.core.moderators.permissions import may
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import texts_on
from bot.wording.cards import forestalled, history_line, revealed

_LINK = "https://t.me/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presses:
    bot: Bot
    limiter: Limiter
    members: Members
    desk: Desk
    posted: PostedCards

    async def press(self, query: CallbackQuery) -> bool:
        """Serve a button of a card; False: it is not one of those."""
        if (press := pressed(query.data or "")) is None:
            raids = RaidCards(bot=self.bot, limiter=self.limiter, members=self.members, desk=self.desk)
            return await raids.press(query)
        button, incident_id = press
        try:
            answer = await self._pressed(query, button, incident_id)
        except Unavailable:
            answer = self.limiter.say["card.try_again"]
        try:
            with mapped(self.limiter.say):
                if answer.startswith(_LINK):
                    await self.bot.answer_callback_query(query.id, url=answer)
                else:
                    text = cut(answer, LONGEST_ALERT)
                    await self.bot.answer_callback_query(query.id, text, show_alert=button.call is None)
        except (BadRequest, Unavailable):
            pass  # too late to answer; what was pressed counts
        return True

    async def _pressed(self, query: CallbackQuery, button: Button, incident_id: int) -> str:
        """What the presser is told, or the link to where they alone read it, as the answer to a command of theirs."""
        group = await self.desk.whose(TELEGRAM, incident_id)
        found = group and await self.desk.look_up(group, incident_id)
        if not group or not found:
            return self.limiter.say["card.not_found"]
        incident, history = found
        policy = self.desk.policy(incident.decision.message)
        say, presser = texts_on("telegram", policy.language), query.from_user
        rights = await self.members.rights(int(group.id), presser.id)
        if not may(rights, button, incident):
            return say["telegram.lacking_here" if rights else "card.not_allowed"]
        if query.message:
            await self.posted.recall(incident, f"{query.message.chat.id}/{query.message.message_id}")
        whole = revealed(incident, say)
        if button is Button.REVEAL and units(whole) > LONGEST_ALERT:
            return f"{_LINK}{self.bot.username}?start=why_{group.id}_{incident.case}"
        if button.call is None:
            by = Person(str(presser.id), presser.full_name)
            look = Look.HISTORY if button is Button.HISTORY else Look.REVEAL
            await self.desk.deeds.cases.looked(group, by, look, incident=incident_id)
        if button is Button.HISTORY:
            return history_line(history, say, policy.timezone, self.posted.clock.now())
        if button is Button.REVEAL or button.call is None:
            return whole
        called = await self.desk.call(
            group, incident_id, button.call,
            moderator_id=str(presser.id), moderator_name=presser.full_name,
        )  # fmt: skip
        if called and (first := called.earlier):
            return forestalled(incident, first, say, policy.timezone)
        return say("card.taken", call=say[f"call.{button if button is Button.DISMISS else button.call}"])
