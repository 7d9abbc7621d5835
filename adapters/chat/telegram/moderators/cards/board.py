"""Incidents -> cards in the moderators' chat: one each, a member's burst on one; and who is called because of them."""

from dataclasses import dataclass, field

from telegram import Bot, ChatMember, MessageEntity, ReplyParameters
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.acting.executor import answer_as_outcome
from adapters.chat.telegram.acting.objections import pass_on
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.cards.drawing import Drawn, drawn
from adapters.chat.telegram.moderators.cards.posted import NO_PREVIEW, REMEMBERED, Posted, PostedCards
from adapters.chat.telegram.moderators.cards.raids import RaidCards
from adapters.chat.telegram.moderators.problems import Complaints
from adapters.chat.telegram.moving import Moves
from adapters.chat.telegram.text import LONGEST, GroupManner, cut, units
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CaseKind
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.incidents.review import History
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import NO_ROOM, Done, Escalate, Gone, Outcome, Refused
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import Texts, texts, texts_on

FOLD = 60.0  # seconds in which what the same member does goes onto the same card
NAMING = (
    2  # of a chat's 20 messages a minute that no new card takes: in them one is written anew for all that come late
)
MOST_FOLDED = 200  # incidents on one card: all of them are named on it
ASK_OWNER_AGAIN = 600.0  # seconds until the owner, who could not be reached, is written to again


@dataclass(slots=True, kw_only=True)
class CardBoard:
    bot: Bot
    limiter: Limiter
    members: Members
    moves: Moves
    desk: Desk
    clock: Clock
    posted: PostedCards
    complaints: Complaints
    _newest: dict[tuple[int, CommunityRef], Posted] = field(default_factory=dict)  # of a community, whoever's it is
    _latest: Bounded[tuple[int, CommunityRef, str, Watch], Posted] = field(default_factory=lambda: Bounded(REMEMBERED))
    _nobody_there: dict[str, float] = field(default_factory=dict)  # community without a room -> when to ask its owner

    async def show(self, planned: PlannedAction) -> Outcome:
        """For Flag and Escalate. Where there is no moderators' chat that we may write to, the group's owner gets the
        card in private; where they never talked to us, the group is told that its moderators see nothing."""
        message, say = planned.message, texts(planned.language)
        community = self.desk.community(message.community)
        if planned.case and planned.case.kind is CaseKind.RAID:
            raids = RaidCards(bot=self.bot, limiter=self.limiter, members=self.members, desk=self.desk)
            return await raids.show(planned, planned.case, say)
        if planned.case:
            timezone = self.desk.schedule(message.community).timezone
            manner = GroupManner(texts_on("telegram", planned.language), timezone, self.clock.now(), {})
            return await pass_on(self.bot, self.limiter, community.moderators_channel, planned.case, manner)
        outcome: Outcome = Refused(NO_ROOM)
        if community.moderators_channel is not None:
            outcome = await self._show_in(int(community.moderators_channel), planned, say)
            if not isinstance(outcome, Refused):
                return outcome
        now = self.clock.monotonic()
        if now >= self._nobody_there.get(message.community_id, now):
            self._nobody_there.pop(message.community_id, None)
            owner = await self.members.owner(int(message.community_id))
            if owner and isinstance(shown := await self._show_in(owner.id, planned, say), Done):
                return shown
            self._nobody_there[message.community_id] = now + ASK_OWNER_AGAIN
            await self.complaints.tell_group(message.community_id, say)
        return outcome

    async def _show_in(self, chat_id: int, planned: PlannedAction, say: Texts) -> Outcome:
        """Where that chat has another id by now, the settings follow."""
        chat_id, message = self.moves.id_now(chat_id), planned.message
        is_urgent = isinstance(planned.action, Escalate)
        card = await self.posted.find(message.community, planned.incident_id, planned.begun)
        if card is None or card.chat_id != chat_id:
            lane = Lane.URGENT if is_urgent else Lane.CARD
            mode = self.desk.policy(message).mode  # what is done is no more of what was only watched
            card = self._card_for((chat_id, message.community, message.author.id, mode), planned.incident_id, lane)
        try:
            if is_urgent and card.message_id is not None:  # who is called need not wait until the card names it, too
                await self._call(card, planned, say)
            await self.posted.show(card, planned.incident_id)
            if is_urgent:
                await self._call(card, planned, say)
            elif (found := await self.desk.look_up(message.community, planned.incident_id)) and found[0].appeal:
                await self._point_to(card, found[0], say)
        except ChatMigrated as error:
            await self.moves.move(chat_id, error.new_chat_id)
            return await self._show_in(error.new_chat_id, planned, say)
        except (BadRequest, Forbidden) as error:
            self.posted.forget(card)
            return answer_as_outcome(error)
        return Done(card.receipt) if card.message_id is not None else Gone()

    def _card_for(self, key: tuple[int, CommunityRef, str, Watch], incident_id: int, lane: Lane) -> Posted:
        """The card that this member's last incident is on, as long as it is fresh, or any other where the chat takes no
        more now; else a new one."""
        now, last = self.clock.monotonic(), self._latest.get(key)
        if not _takes_more(last, now) and self._is_full(key[0], lane):
            last = self._newest.get(key[:2])
        if last is None or not _takes_more(last, now):
            last = self._latest[key] = Posted(
                chat_id=key[0], community=key[1], incident_id=incident_id, at=now, lane=lane
            )  # fmt: skip
            self._newest[key[:2]] = last
        elif incident_id not in (last.incident_id, *last.more):
            last.more.append(incident_id)  # its place is taken before anybody waits: no card takes more than it names
        self.posted.put(incident_id, last)
        return last

    def _is_full(self, chat_id: int, lane: Lane) -> bool:
        return self.limiter.wait(chat_id, lane, spare=NAMING) > self.limiter.patience

    async def _call(self, card: Posted, planned: PlannedAction, say: Texts) -> None:
        """Those who are named for it, or the owner; once for what one card holds."""
        now, about = self.clock.monotonic(), planned.message.community
        if card.chat_id > 0 or (card.called_at is not None and now - card.called_at <= FOLD):
            return
        card.called_at = now
        community = self.desk.community(about)
        admins = await self.members.administrators(int(about.id))
        people = community.urgent or tuple(str(one.user.id) for one in admins if one.status == ChatMember.OWNER)
        known = {str(one.user.id): one.user for one in admins}
        text, entities = say("telegram.urgent", case=planned.number, people=""), []
        for person in people:
            user = known.get(person)
            name = user.full_name if user else person
            if user:
                entities.append(MessageEntity(MessageEntity.TEXT_MENTION, units(text), units(name), user=user))
            elif person.isdecimal():
                link = f"tg://user?id={person}"
                entities.append(MessageEntity(MessageEntity.TEXT_LINK, units(text), units(name), url=link))
            text += f"{name} "
        try:
            async with self.limiter.turn(card.chat_id, Lane.URGENT):
                await self.bot.send_message(
                    card.chat_id, cut(text, LONGEST), entities=entities,
                    reply_parameters=ReplyParameters(card.message_id or 0, allow_sending_without_reply=True),
                )  # fmt: skip
        except BaseException:
            card.called_at = None
            raise

    async def _point_to(self, card: Posted, incident: Incident, say: Texts) -> None:
        """A card that was written anew is not noticed; an answer to it is. What was said stands on the card alone, from
        which it goes when it is forgotten."""
        async with self.limiter.turn(card.chat_id, Lane.CARD):
            await self.bot.send_message(
                card.chat_id, say("telegram.appealed", case=incident.case),
                link_preview_options=NO_PREVIEW,
                reply_parameters=ReplyParameters(card.message_id or 0, allow_sending_without_reply=True),
            )  # fmt: skip

    def forgive(self, community_id: str) -> None:
        """The bot has other rights now: what it complained about may not be so any more."""
        self.complaints.forgive(community_id)
        self._nobody_there.pop(community_id, None)

    def content(self, incident: Incident, history: History, *, whole: bool) -> Drawn:
        """A card that stands for itself, wherever it is asked for. `whole`: nobody else sees it."""
        policy = self.desk.policy(incident.decision.message)
        return drawn(incident, history, policy.language, policy.timezone, whole=whole)


def _takes_more(card: Posted | None, now: float) -> bool:
    return card is not None and not card.gone and now - card.at <= FOLD and len(card.more) < MOST_FOLDED
