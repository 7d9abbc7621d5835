"""Incidents -> one embed each in the moderators' channel; the buttons under it -> moderators' calls.

A button carries the incident's id, and the footer names what is folded into the card: after a restart both still
serve, because all else is in the database.
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import discord
import structlog

from adapters.chat.discord.errors import OUT_OF_REACH, outcome_of
from adapters.chat.discord.limits import Room
from adapters.chat.discord.moderators.asking import Interaction, answer, plain, refusal, say_to, stands_above
from adapters.chat.discord.receiving.reading import NAME
from adapters.chat.discord.refs import guild_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import CommunityRef, Message
from bot.core.incidents.card import Button, Card, Tone, press_id
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.incidents.review import Call, History
from bot.core.moderators.permissions import needed
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done, Escalate, Gone, Outcome, Refused
from bot.core.text.catalogue import Texts, texts
from bot.wording.cards import card_of, history_line, review_line, said_in_full
from bot.wording.reasons import reasons

_log = structlog.get_logger(__name__)

BURST = 60.0  # seconds in which a member's incidents under one rule share a card
CROWD = 10  # cards in one channel within that time; from then on members share one, too
MOST_FOLDED = 100
NAMED = 20  # members on a card that many share
FOLDING_AT_ONCE = 128  # incidents that wait for their card to be written anew
RECALLED = 100  # messages of the moderators' channel that are looked through after a start
REMEMBERED = 2_000  # cards
URGENT = 2  # places that urgent cards have to themselves, in a channel and altogether
POSTED_WITHIN = 0.25  # seconds that an incident waits for the card it goes onto; then it comes back later
LATELY = timedelta(minutes=10)  # before a card is recalled: what has been posted since may say less than is on record

_COLOURS = {Tone.URGENT: 0xD7263D, Tone.OPEN: 0xF2A900, Tone.ACTED: 0x3A86C8, Tone.CLOSED: 0x8A8F98}
_STYLES = {
    Button.RIGHT: discord.ButtonStyle.success, Button.WRONG: discord.ButtonStyle.primary,
    Button.DELETE: discord.ButtonStyle.danger, Button.TIMEOUT: discord.ButtonStyle.danger,
    Button.BAN: discord.ButtonStyle.danger, Button.ACCEPT: discord.ButtonStyle.primary,
}  # fmt: skip


@dataclass(slots=True, eq=False)
class _Posted:
    """A card as it stands in a channel. `message_id` is known once it is posted."""

    community: CommunityRef
    channel_id: int
    incidents: list[int]
    at: float
    members: dict[str, None]  # whose incidents they are, in order
    message_id: "asyncio.Future[int]"
    as_shown: tuple[Any, ...] = ()
    rewriting: "asyncio.Task[bool] | None" = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)  # an older version must not arrive after a newer one

    @property
    def receipt(self) -> str:
        return f"{self.channel_id}/{self.message_id.result()}"


@dataclass(slots=True, kw_only=True)
class CardBoard:
    client: discord.Client
    desk: Desk
    clock: Clock
    notices: Room
    _posted: Bounded[int, _Posted] = field(default_factory=lambda: Bounded(REMEMBERED))  # by incident
    _bursts: Bounded[tuple[str, str, str], _Posted] = field(default_factory=lambda: Bounded(REMEMBERED))
    _lately: Bounded[int, deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))  # of a channel
    _folding: Room = field(init=False)
    _recalled: Bounded[str, "asyncio.Task[None]"] = field(default_factory=lambda: Bounded(REMEMBERED))  # by channel
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._folding = Room(clock=self.clock, at_once=FOLDING_AT_ONCE, each=FOLDING_AT_ONCE)
        self.client.add_dynamic_items(_button_of(self))

    async def show(self, planned: PlannedAction, say: Texts) -> Outcome:
        message = planned.message
        channel = self.desk.community(message.community).moderators_channel
        if channel is None:
            return Refused(say["discord.no_channel"])
        urgent = isinstance(planned.action, Escalate)
        spare = URGENT if urgent else 0
        with self.notices.taken(int(channel), spare=spare) if channel not in self._recalled else nullcontext():
            await self._recall(channel, message.community)
        if not urgent and (card := self._posted.get(planned.incident_id)):
            # Its author has appealed; or something was given up; or the card could not be written anew the last time;
            # or an earlier process has shown it, and died before it could say so.
            return await self._fold(planned.incident_id, message.author.id, card)
        # In a raid moderators read one card of all who take part, not one of each.
        whose = "" if self._is_crowded(int(channel)) else message.author.id
        burst = (channel, whose, planned.rule)
        card = self._bursts.get(burst)
        if urgent or card is None or not self._takes_more(card):
            now, members = self.clock.monotonic(), {message.author.id: None}
            card = _Posted(message.community, int(channel), [planned.incident_id], now, members, _future())
            with self.notices.taken(int(channel), spare=spare):
                if not urgent:
                    self._bursts[burst] = card
                self._count(card)
                return await self._post(card, planned, say)
        return await self._fold(planned.incident_id, message.author.id, card)

    def _is_crowded(self, channel_id: int) -> bool:
        lately = self._lately.get(channel_id)
        return lately is not None and len(lately) == CROWD and self.clock.monotonic() - lately[0] < BURST

    def _count(self, card: _Posted) -> None:
        self._lately.refresh(card.channel_id, deque(maxlen=CROWD)).append(card.at)

    async def _fold(self, incident_id: int, member_id: str, card: _Posted) -> Outcome:
        """Done once the card names the incident."""
        with self._folding.taken(card.channel_id):
            await asyncio.wait([card.message_id], timeout=POSTED_WITHIN)
            if not card.message_id.done() or card.message_id.cancelled():
                raise Unavailable("its card is not yet there", retry_after=1)
            if incident_id not in card.incidents:
                card.incidents.append(incident_id)
                card.members[member_id] = None
            self._posted[incident_id] = card  # for good: whenever the card is written anew, it names it
            if not await asyncio.shield(self._write_anew(card)):
                raise Unavailable("its card was not written anew", retry_after=1)
            return await self._point_to_appeal(incident_id, card)

    async def _point_to_appeal(self, incident_id: int, card: _Posted) -> Outcome:
        """A card that was written anew is not noticed; an answer to it is."""
        found = await self.desk.look_up(card.community, incident_id)
        if found is None or (appeal := found[0].appeal) is None:
            return Done(card.receipt)
        by = found[0].decision.message.author.name
        card_id = card.message_id.result()
        room = self.client.get_partial_messageable(card.channel_id)
        say = texts(found[0].decision.language)
        told = say("discord.appealed", id=incident_id, by=plain(by), words=plain(appeal.words))

        async def answered() -> str:
            reference = room.get_partial_message(card_id).to_reference(fail_if_not_exists=False)
            await room.send(told[:2000], reference=reference, nonce=f"{incident_id}-appeal")
            return card.receipt

        return await outcome_of(answered(), say, needs="send_messages")

    async def _recall(self, channel: str, community: CommunityRef) -> None:
        """Find our own cards again, once a channel after a start."""
        recalling = self._recalled.get(channel)
        if recalling is None:
            recalling = asyncio.create_task(self._find_cards(channel, community))
            self._recalled[channel] = recalling
        try:
            await asyncio.shield(recalling)
        except Unavailable:
            self._recalled.pop(channel, None)
            raise

    async def _find_cards(self, channel: str, community: CommunityRef) -> None:
        room = self.client.get_partial_messageable(int(channel))
        try:
            recent = [message async for message in room.history(limit=RECALLED)]
        except (discord.Forbidden, discord.NotFound):
            recent = []  # posting will say what is the matter
        except OUT_OF_REACH as error:
            raise Unavailable(f"the moderators' channel cannot be read ({type(error).__name__})") from error
        for message in recent:
            if self.client.user and message.author.id == self.client.user.id and _named(message):
                card = self._recognise(message, community)
                if (message.edited_at or message.created_at) > self.clock.now() - LATELY:
                    self._write_anew(card)  # its process may have died between recording and showing

    def _recognise(self, message: discord.Message, community: CommunityRef) -> _Posted:
        """A card that may be an earlier process's."""
        ids = _named(message)
        if known := self._posted.get(ids[0]):
            return known
        card = _Posted(community, message.channel.id, ids, float("-inf"), _members(message), _future())
        card.message_id.set_result(message.id)
        rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
        card.as_shown = _look(message.embeds[0], (button for row in rows for button in row.children))
        for incident_id in ids:
            self._posted.setdefault(incident_id, card)
        return card

    def changed(self, community: CommunityRef, incident_id: int) -> None:
        """Something new is on record: the card is written anew. An earlier process may have posted it."""
        if card := self._posted.get(incident_id):
            self._write_anew(card)
        elif (channel := self.desk.community(community).moderators_channel) and channel not in self._recalled:
            self._beside(asyncio.create_task(self._write_recalled(channel, community, incident_id)))

    async def _write_recalled(self, channel: str, community: CommunityRef, incident_id: int) -> None:
        try:
            with self.notices.taken(int(channel)):
                await self._recall(channel, community)
        except Unavailable:
            return  # with its next change
        if card := self._posted.get(incident_id):
            self._write_anew(card)

    def _beside(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _takes_more(self, card: _Posted) -> bool:
        young = self.clock.monotonic() - card.at < BURST
        return young and len(card.incidents) < MOST_FOLDED and not card.message_id.cancelled()

    async def _post(self, card: _Posted, planned: PlannedAction, say: Texts) -> Outcome:
        try:
            found = await self.desk.look_up(planned.message.community, planned.incident_id)
            if found is None:
                card.message_id.cancel()
                return Gone()
            incident, history = found
            pings = self._pings(incident) if isinstance(planned.action, Escalate) else ""
            embed, view = self._shown(incident, history, card.incidents, card.members)
            sending = self.client.get_partial_messageable(card.channel_id).send(
                pings or None,
                embed=embed,
                view=view,
                nonce=f"{planned.incident_id}-{planned.action.kind}",  # posted twice within minutes: created once
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
            card.as_shown = _look(embed, view.children)
            self._posted[planned.incident_id] = card
        return outcome

    def _pings(self, incident: Incident) -> str:
        message = incident.decision.message
        guild = self.client.get_guild(int(message.community_id))
        called = self.desk.community(message.community).urgent
        if not called:
            return f"<@{guild.owner_id}>" if guild and guild.owner_id else ""
        return " ".join(f"<@&{who}>" if guild and guild.get_role(int(who)) else f"<@{who}>" for who in called)

    def _write_anew(self, card: _Posted) -> "asyncio.Task[bool]":
        """At once, or when the version before has gone out: then once for all that happened until then."""
        if card.rewriting is None:
            card.rewriting = asyncio.create_task(self._rewrite(card))
            self._beside(card.rewriting)
        return card.rewriting

    async def _rewrite(self, card: _Posted) -> bool:
        """Whether the card now says how things stand."""
        try:
            async with card.writing:
                card.rewriting = None  # what happens from here on needs another one
                found = await self.desk.look_up(card.community, card.incidents[0])
                if found is None:
                    return True
                embed, view = self._shown(*found, card.incidents, card.members)
                if card.as_shown == (shown := _look(embed, view.children)):
                    return True
                channel = self.client.get_partial_messageable(card.channel_id)
                await channel.get_partial_message(card.message_id.result()).edit(embed=embed, view=view)
                card.as_shown = shown
        except discord.NotFound:
            return True  # somebody took the card away: nobody wants to see it
        except (BotError, *OUT_OF_REACH) as error:
            _log.warning("card not written anew", incident=card.incidents[0], error=type(error).__name__)
            return False
        return True

    def _shown(
        self, incident: Incident, history: History, ids: list[int], members: Iterable[str]
    ) -> tuple[discord.Embed, discord.ui.View]:
        message, say = incident.decision.message, texts(incident.decision.language)
        timezone = self.desk.policy(message).timezone
        card = card_of(incident, history, say, timezone, more=ids[1:])
        return _embed(card, message, say, ids, list(members)), _view(card, say)

    async def pressed(self, interaction: Interaction, button: Button, incident_id: int) -> None:
        """Answers at once, works afterwards; who may is asked at every press."""
        say = say_to(interaction)
        if no := refusal(interaction, button, say):
            await answer(interaction, no)
            return
        await interaction.response.defer(ephemeral=True, thinking=button.call is None)
        try:
            found = await self.desk.look_up(guild_ref(interaction.guild_id), incident_id)
            if found is None:
                await answer(interaction, say["card.not_found"])
            elif button.call is None:
                await self._tell(interaction, button, *found, say)
            else:
                await self._call(interaction, button, button.call, _folded(interaction, incident_id), say)
        except BotError:
            await answer(interaction, say["card.try_again"])

    async def _tell(
        self, interaction: Interaction, button: Button, incident: Incident, history: History, say: Texts
    ) -> None:
        """Why comes first: the text may be long."""
        if button is Button.REVEAL:
            told = f"{reasons(incident.decision, say) or '-'}\n\n{said_in_full(incident, say)}"
        else:
            told = history_line(history, say, self.desk.policy(incident.decision.message).timezone)
        await answer(interaction, plain(told))

    async def _call(self, interaction: Interaction, button: Button, call: Call, ids: list[int], say: Texts) -> None:
        """For every incident on the card, those left out that this call may not be made on."""
        here, user = guild_ref(interaction.guild_id), interaction.user
        if interaction.message and _named(interaction.message):
            self._recognise(interaction.message, here)  # from here on this card follows its incidents
        called: list[tuple[Incident, History]] = []
        refused: dict[str, None] = {}
        for incident_id in ids:
            found = await self.desk.look_up(here, incident_id)
            if found is None:
                continue
            if no := self._refusal(interaction, button, found[0], say):
                refused[no] = None
                continue
            done = await self.desk.call(
                here,
                incident_id,
                call,
                moderator_id=str(user.id),
                moderator_name=user.display_name,
            )
            called += [done] if done else []
        if called:
            await self._tell_who_was_first(interaction, call, called[0][0], say)
        for no in refused:
            await answer(interaction, no)

    async def _tell_who_was_first(self, interaction: Interaction, call: Call, incident: Incident, say: Texts) -> None:
        review = incident.review
        if review and (review.moderator_id != str(interaction.user.id) or review.call is not call):
            line = review_line(review, say, self.desk.policy(incident.decision.message).timezone)
            await answer(interaction, say("card.already", by=plain(review.moderator_name), call=plain(line)))

    def _refusal(self, interaction: Interaction, button: Button, incident: Incident, say: Texts) -> str | None:
        """Why this button may not be pressed on this incident, as Discord itself would have it."""
        if no := refusal(interaction, button, say, incident):
            return no
        touches = button in (Button.TIMEOUT, Button.BAN, Button.LIFT) or needed(button, incident) > needed(button)
        return say["discord.not_above"] if touches and not stands_above(interaction, incident) else None


def _button_of(board: CardBoard) -> Any:
    """The button class whose presses go to this board."""

    class CardButton(
        discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"jikimi:(?P<button>[a-z]+):(?P<incident>\d+)"
    ):
        def __init__(self, button: Button, incident_id: int) -> None:
            super().__init__(discord.ui.Button(custom_id=press_id(button, incident_id)))
            self.button, self.incident_id = button, incident_id

        @classmethod
        async def from_custom_id(cls, _: Any, __: Any, match: re.Match[str], /) -> "CardButton":
            return cls(Button(match["button"]), int(match["incident"]))

        async def callback(self, interaction: Interaction) -> None:
            await board.pressed(interaction, self.button, self.incident_id)

    return CardButton


def _view(card: Card, say: Texts) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for place, button in enumerate(card.buttons):
        style = _STYLES.get(button, discord.ButtonStyle.secondary)
        view.add_item(
            discord.ui.Button(
                label=say[f"button.{button}"], style=style, custom_id=press_id(button, card.incident_id), row=place // 4
            )
        )
    view.stop()  # the dynamic item serves its buttons: discord.py need not keep every view that we ever sent
    return view


def _embed(card: Card, message: Message, say: Texts, ids: list[int], members: list[str]) -> discord.Embed:
    embed = discord.Embed(title=card.title, description=plain(card.text) or None, colour=_COLOURS[card.tone])
    embed.add_field(name=say["discord.where"], value=_place(message, say))
    if len(members) > 1:
        named = " ".join(f"<@{member}>" for member in members[:NAMED])
        embed.add_field(name=say["discord.who"], value=named, inline=False)
        embed.add_field(name=say["discord.crowd"], value=say("discord.crowd_count", count=len(members)), inline=False)
    elif message.author.id:
        embed.add_field(name=say["discord.who"], value=f"<@{message.author.id}>")
    for line in card.lines:
        embed.add_field(name=line.label, value=plain(line.value)[:1024], inline=len(line.value) < 40)
    embed.set_footer(text=" ".join(f"#{incident_id}" for incident_id in ids))
    return embed


def _place(message: Message, say: Texts) -> str:
    """Where it stands; only a real message can be jumped to."""
    if NAME in message.extra:
        return say["discord.a_name"]
    channel = f"<#{message.ref.channel_id}>"
    if not message.ref.message_id.isdigit():
        return channel
    link = f"https://discord.com/channels/{message.community_id}/{message.ref.channel_id}/{message.ref.message_id}"
    return f"{channel} · [{say['discord.link']}]({link})"


def _folded(interaction: Interaction, incident_id: int) -> list[int]:
    """Every incident on the card: its footer names them."""
    message = interaction.message
    ids = _named(message) if message else []
    return ids if incident_id in ids else [incident_id]


def _members(message: discord.Message | None) -> dict[str, None]:
    """Whose incidents are on the card, as far as it names them."""
    fields = message.embeds[0].fields if message and message.embeds else []
    return dict.fromkeys(re.findall(r"<@(\d+)>", " ".join(field.value or "" for field in fields[:2])))


def _named(message: discord.Message) -> list[int]:
    footer = message.embeds[0].footer.text if message.embeds else None
    return [int(digits) for digits in re.findall(r"#(\d+)", footer or "")]


def _look(embed: discord.Embed, buttons: Iterable[Any]) -> tuple[Any, ...]:
    """To know a card that would look the same."""
    fields = [(field.name, field.value) for field in embed.fields]
    return embed.title, embed.description, embed.colour, fields, embed.footer.text, [b.custom_id for b in buttons]


def _future() -> "asyncio.Future[int]":
    return asyncio.get_running_loop().create_future()
