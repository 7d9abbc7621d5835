"""Incidents -> one card each in the moderators' channel; those of a burst or a raid share one."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import discord

from adapters.chat.discord.errors import outcome_of
from adapters.chat.discord.limits import Room
from adapters.chat.discord.moderators.cards.drawing import called
from adapters.chat.discord.moderators.cards.posted import REMEMBERED, Posted, PostedCards
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.base.waiting import outlasting
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import NO_ROOM, Done, Escalate, Gone, Outcome, Refused
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import Texts, texts

BURST = 60.0  # seconds in which a member's incidents under one rule share a card
CROWD = 10  # cards in one channel within that time; from then on members share one, too
MOST_FOLDED = 100
FOLDING_AT_ONCE = 128  # incidents that wait for their card to be written anew
URGENT = 2  # places that urgent cards have to themselves, in a channel and altogether
POSTED_WITHIN = 0.25  # seconds that an incident waits for the card it goes onto; then it comes back later


@dataclass(slots=True, kw_only=True)
class CardBoard:
    client: discord.Client
    desk: Desk
    clock: Clock
    notices: Room
    posted: PostedCards
    _bursts: Bounded[tuple[str, str, str, Watch], Posted] = field(default_factory=lambda: Bounded(REMEMBERED))
    _lately: Bounded[int, deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))  # of a channel
    _folding: Room = field(init=False)

    def __post_init__(self) -> None:
        self._folding = Room(clock=self.clock, at_once=FOLDING_AT_ONCE, each=FOLDING_AT_ONCE)

    async def show(self, planned: PlannedAction, say: Texts) -> Outcome:
        message = planned.message
        channel = self.desk.community(message.community).moderators_channel
        if channel is None:
            return Refused(NO_ROOM)
        urgent = isinstance(planned.action, Escalate)
        spare = URGENT if urgent else 0
        await self.posted.recall(channel, message.community, spare=spare)
        card = self.posted.of(planned.incident_id) or await self.posted.adopt(planned.begun, message.community)
        if not urgent and card:
            # Its author has appealed; or something was given up; or the card could not be written anew the last time,
            # here or in another process; or an earlier one has shown it, and died before it could say so.
            return await self._fold(planned.incident_id, message.author.id, card)
        # In a raid moderators read one card of all who take part, not one of each.
        whose = "" if self._is_crowded(int(channel)) else message.author.id
        mode = self.desk.policy(message).mode  # what is done is no more of what was only watched
        burst = (channel, whose, planned.rule, mode)
        card = self._bursts.get(burst)
        if urgent or card is None or not self._takes_more(card):
            now, members = self.clock.monotonic(), {message.author.id: None}
            card = Posted(message.community, int(channel), [planned.incident_id], now, members)
            with self.notices.taken(int(channel), spare=spare):
                if not urgent:
                    self._bursts[burst] = card
                self._count(card)
                return await self._post(card, planned, say)
        return await self._fold(planned.incident_id, message.author.id, card)

    def _is_crowded(self, channel_id: int) -> bool:
        lately = self._lately.get(channel_id)
        return lately is not None and len(lately) == CROWD and self.clock.monotonic() - lately[0] < BURST

    def _count(self, card: Posted) -> None:
        self._lately.refresh(card.channel_id, deque(maxlen=CROWD)).append(card.at)

    async def _fold(self, incident_id: int, member_id: str, card: Posted) -> Outcome:
        """Done once the card names the incident."""
        with self._folding.taken(card.channel_id):
            await asyncio.wait([card.message_id], timeout=POSTED_WITHIN)
            if not card.message_id.done() or card.message_id.cancelled():
                raise Unavailable("its card is not yet there", retry_after=1)
            if incident_id not in card.incidents:
                card.incidents.append(incident_id)
                card.members[member_id] = None
            self.posted.put(incident_id, card)  # for good: whenever the card is written anew, it names it
            if not await outlasting(self.posted.write_anew(card)):
                raise Unavailable("its card was not written anew", retry_after=1, begun=card.receipt)
            return await self._point_to_appeal(incident_id, card)

    async def _point_to_appeal(self, incident_id: int, card: Posted) -> Outcome:
        """A card that was written anew is not noticed; an answer to it is. What was said stands on the card alone, from
        which it goes when it is forgotten."""
        found = await self.desk.look_up(card.community, incident_id)
        if found is None or found[0].appeal is None:
            return Done(card.receipt)
        card_id = card.message_id.result()
        room = self.client.get_partial_messageable(card.channel_id)
        say = texts(found[0].decision.language)
        told = say("discord.appealed", case=found[0].case)

        async def answered() -> str:
            reference = room.get_partial_message(card_id).to_reference(fail_if_not_exists=False)
            await room.send(told, reference=reference, nonce=f"{incident_id}-appeal")
            return card.receipt

        return await outcome_of(answered(), say, needs="send_messages")

    def _takes_more(self, card: Posted) -> bool:
        young = self.clock.monotonic() - card.at < BURST
        return young and len(card.incidents) < MOST_FOLDED and not card.message_id.cancelled()

    async def _post(self, card: Posted, planned: PlannedAction, say: Texts) -> Outcome:
        try:
            found = await self.desk.look_up(planned.message.community, planned.incident_id)
            if found is None:
                card.message_id.cancel()
                return Gone()
            incident, history = found
            pings = self._pings(incident) if isinstance(planned.action, Escalate) else ""
            shown = await self.posted.drawn(card, incident, history)
            sending = self.client.get_partial_messageable(card.channel_id).send(
                pings or None,
                embed=shown.embed,
                view=shown.view,
                nonce=_nonce(planned),
                silent=not pings and self.desk.is_quiet(card.community),
                allowed_mentions=discord.AllowedMentions(everyone=False, users=True, roles=True),
            )

            async def posted() -> str:
                card.message_id.set_result((await sending).id)
                return card.receipt

            outcome = await outcome_of(posted(), say, needs="send_messages")
        finally:
            if not card.message_id.done():
                card.message_id.cancel()
        if isinstance(outcome, Done):
            card.look = shown.look
            self.posted.put(planned.incident_id, card)
        return outcome

    def _pings(self, incident: Incident) -> str:
        message = incident.decision.message
        guild = self.client.get_guild(int(message.community_id))
        return called(guild, self.desk.community(message.community).urgent)


def _nonce(planned: PlannedAction) -> str:
    """What is posted twice within minutes is created once; but people are called again until somebody comes."""
    again = planned.id if isinstance(planned.action, Escalate) else planned.incident_id
    return f"{again}-{planned.action.kind}"
