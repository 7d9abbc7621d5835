"""Incidents -> cards with buttons in the moderators' chat: one an incident, a member's burst folded into one, edited
in place. A button carries all that is needed to serve it after a restart."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from telegram import (
    Bot,
    CallbackQuery,
    ChatMember,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError

from adapters.chat.telegram.acting.executor import answer_as_outcome
from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moving import Moves
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from adapters.chat.telegram.text import LONGEST, cut, units
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.incidents.card import Button, Card, Tone, press_id, pressed
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.incidents.review import History
from bot.core.moderators.permissions import may
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done, Escalate, Outcome, Refused
from bot.core.text.catalogue import Texts, texts
from bot.wording.cards import card_of, history_line, revealed, review_line

FOLD = 60.0  # seconds in which what the same member does goes onto the same card
REWRITE = 1.0  # seconds before a card is written anew, so that several changes are one edit
NEW_CARDS = 6  # of a chat's 20 messages a minute that are not spent on writing cards anew
MOST_FOLDED = 200  # incidents on one card: all of them are named on it
NAMING_AT_ONCE = 64  # incidents that wait for their card to be written anew: deletions need room beside them
REMEMBERED = 1000  # cards that follow what comes of their incidents; older ones still change when pressed
ASK_OWNER_AGAIN = 600.0  # seconds until the owner, who could not be reached, is written to again
LONGEST_ALERT = 200  # characters that a button can answer with

_SIGNS = {Tone.URGENT: "🚨", Tone.OPEN: "🟡", Tone.ACTED: "🔵", Tone.CLOSED: "⚪"}
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Shown:
    """A card in a chat. `more`: later incidents that are folded into it."""

    chat_id: int
    community: CommunityRef
    incident_id: int
    at: float
    message_id: int | None = None
    lane: Lane = Lane.CARD  # in which it goes out
    called_at: float | None = None  # when people were called because of it
    more: list[int] = field(default_factory=list)
    named: int = 0  # how many of `more` the card names in the chat
    as_shown: tuple[str, InlineKeyboardMarkup] | None = None
    rewriting: bool = False
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)  # an older version must not arrive after a newer one


@dataclass(slots=True, kw_only=True)
class CardBoard:
    bot: Bot
    limiter: Limiter
    members: Members
    moves: Moves
    desk: Desk
    clock: Clock
    _newest: dict[tuple[int, CommunityRef], _Shown] = field(default_factory=dict)  # of a community, whoever's it is
    _latest: Bounded[tuple[int, CommunityRef, str], _Shown] = field(default_factory=lambda: Bounded(REMEMBERED))
    _by_incident: Bounded[int, _Shown] = field(default_factory=lambda: Bounded(REMEMBERED))
    _complaints: Bounded[tuple[str, str], None] = field(default_factory=lambda: Bounded(REMEMBERED))
    _nobody_there: dict[str, float] = field(default_factory=dict)  # community without a room -> when to ask its owner
    _said_in_group: dict[str, float] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _naming: int = 0

    # ---- showing ----------------------------------------------------------------------------------------------------

    async def show(self, planned: PlannedAction) -> Outcome:
        """For Flag and Escalate. Where there is no moderators' chat that we may write to, the group's owner gets the
        card in private; where they never talked to us, the group is told that its moderators see nothing."""
        message, say = planned.message, texts(planned.language)
        community = self.desk.community(message.community)
        outcome: Outcome = Refused(say["telegram.no_moderators_chat"])
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
            await self._say_in_group(community, say)
        return outcome

    async def _show_in(self, chat_id: int, planned: PlannedAction, say: Texts) -> Outcome:
        """Where that chat has another id by now, the settings follow."""
        chat_id, message = self.moves.id_now(chat_id), planned.message
        is_urgent = isinstance(planned.action, Escalate)
        shown = self._by_incident.get(planned.incident_id)
        if shown is None or shown.chat_id != chat_id:
            lane = Lane.URGENT if is_urgent else Lane.CARD
            shown = self._card_for((chat_id, message.community, message.author.id), planned.incident_id, lane)
        try:
            if is_urgent and shown.message_id is not None:  # who is called need not wait until the card names it, too
                await self._call(shown, planned, say)
            await self._put(shown, planned.incident_id)
            if is_urgent:
                await self._call(shown, planned, say)
            elif (found := await self.desk.look_up(message.community, planned.incident_id)) and found[0].appeal:
                await self._point_to(shown, found[0], say)
        except ChatMigrated as error:
            await self.moves.move(chat_id, error.new_chat_id)
            return await self._show_in(error.new_chat_id, planned, say)
        except (BadRequest, Forbidden) as error:
            self._forget(lambda other: other is shown)
            return answer_as_outcome(error, say)
        return Done(f"{chat_id}/{shown.message_id}")

    async def _say_in_group(self, community: Community, say: Texts) -> None:
        """Once a day, or in its default mode the bot would seem to do nothing at all."""
        now, last = self.clock.monotonic(), self._said_in_group.get(community.id)
        if last is not None and now - last < 86400:
            return
        self._said_in_group[community.id] = now
        try:
            async with self.limiter.turn(int(community.id), Lane.NOTICE):
                await self.bot.send_message(int(community.id), say["telegram.nobody_to_show"])
        except (BotError, TelegramError) as error:
            _log.warning("nowhere to show cards", community=community.id, error=type(error).__name__)

    def _card_for(self, key: tuple[int, CommunityRef, str], incident_id: int, lane: Lane) -> _Shown:
        """The card that this member's last incident is on, as long as it is fresh, or any other where the chat takes no
        more now; else a new one."""
        now, last = self.clock.monotonic(), self._latest.get(key)
        if not _takes_more(last, now) and self._is_full(key[0], lane):
            last = self._newest.get(key[:2])
        if last is None or not _takes_more(last, now):
            last = self._latest[key] = _Shown(
                chat_id=key[0], community=key[1], incident_id=incident_id, at=now, lane=lane
            )  # fmt: skip
            self._newest[key[:2]] = last
        elif incident_id not in (last.incident_id, *last.more):
            last.more.append(incident_id)  # its place is taken before anybody waits: no card takes more than it names
        self._by_incident[incident_id] = last
        return last

    def _is_full(self, chat_id: int, lane: Lane) -> bool:
        return self.limiter.wait(chat_id, lane) > self.limiter.patience

    async def _put(self, shown: _Shown, incident_id: int) -> None:
        """Returns once the card names the incident."""
        async with shown.sending:
            if shown.message_id is None:
                await self._send(shown)
        if incident_id in shown.more:
            await self._await_naming(shown, shown.more.index(incident_id))

    async def _await_naming(self, shown: _Shown, place: int) -> None:
        """For as long as a rewriting takes where the chat has room; then the incident comes back later."""
        wait = self.limiter.wait(shown.chat_id, Lane.CARD, spare=NEW_CARDS)
        until = self.clock.monotonic() + (2 * REWRITE if wait < REWRITE and self._naming < NAMING_AT_ONCE else 0)
        self._naming += 1
        try:
            while shown.named <= place:
                self._rewrite_soon(shown)
                if self.clock.monotonic() >= until:
                    raise Unavailable("its card is not written anew yet", retry_after=wait + REWRITE)
                await self.clock.sleep(REWRITE / 10)
        finally:
            self._naming -= 1

    async def _send(self, shown: _Shown) -> None:
        named = len(shown.more)
        found = await self.desk.look_up(shown.community, shown.incident_id)
        if found is None:
            return
        text, entities, keyboard = self.content(*found, more=shown.more)
        async with self.limiter.turn(shown.chat_id, shown.lane):
            sent = await self.bot.send_message(
                shown.chat_id, text, entities=entities, reply_markup=keyboard, link_preview_options=_NO_PREVIEW
            )
        shown.message_id, shown.as_shown, shown.named = sent.message_id, (text, keyboard), named

    async def _call(self, shown: _Shown, planned: PlannedAction, say: Texts) -> None:
        """Those who are named for it, or the owner; once for what one card holds."""
        now, about = self.clock.monotonic(), planned.message.community
        if shown.chat_id > 0 or (shown.called_at is not None and now - shown.called_at <= FOLD):
            return
        shown.called_at = now
        community = self.desk.community(about)
        admins = await self.members.administrators(int(about.id))
        people = community.urgent or tuple(str(one.user.id) for one in admins if one.status == ChatMember.OWNER)
        known = {str(one.user.id): one.user for one in admins}
        text, entities = say("telegram.urgent", id=planned.incident_id, people=""), []
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
            async with self.limiter.turn(shown.chat_id, Lane.URGENT):
                await self.bot.send_message(
                    shown.chat_id, cut(text, LONGEST), entities=entities,
                    reply_parameters=ReplyParameters(shown.message_id or 0, allow_sending_without_reply=True),
                )  # fmt: skip
        except BaseException:
            shown.called_at = None
            raise

    async def _point_to(self, shown: _Shown, incident: Incident, say: Texts) -> None:
        """A card that was written anew is not noticed; an answer to it is."""
        by, words = incident.decision.message.author.name, incident.appeal.words if incident.appeal else ""
        async with self.limiter.turn(shown.chat_id, Lane.CARD):
            await self.bot.send_message(
                shown.chat_id, say("telegram.appealed", id=incident.id, by=by, words=words),
                link_preview_options=_NO_PREVIEW,
                reply_parameters=ReplyParameters(shown.message_id or 0, allow_sending_without_reply=True),
            )  # fmt: skip

    async def complain(self, community_id: str, problem: str, say: Texts) -> None:
        """Tell the moderators once that something cannot be done; again where it could be done in between."""
        key, chat = (community_id, problem), self.desk.community(group_ref(community_id)).moderators_channel
        if chat is None or key in self._complaints:
            return
        self._complaints[key] = None
        try:
            async with self.limiter.turn(int(chat), Lane.CARD):
                await self.bot.send_message(int(chat), say("card.complaint", problem=problem))
        except (BotError, TelegramError) as error:
            _log.warning("could not complain", community=community_id, error=type(error).__name__)

    def forgive(self, community_id: str) -> None:
        """The bot has other rights now: what it complained about may not be so any more."""
        for key in [key for key in self._complaints if key[0] == community_id]:
            del self._complaints[key]
        self._nobody_there.pop(community_id, None)

    def changed(self, incident_id: int) -> None:
        """Something new is on record about it."""
        if shown := self._by_incident.get(incident_id):
            self._rewrite_soon(shown)

    def _rewrite_soon(self, shown: _Shown) -> None:
        if not shown.rewriting and shown.message_id is not None:
            shown.rewriting = True
            task = asyncio.create_task(self._rewrite(shown))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _rewrite(self, shown: _Shown, pause: float = REWRITE) -> None:
        """Later where the chat is full; a card that could not be written anew still serves its buttons."""
        await self.clock.sleep(pause)
        shown.rewriting = False
        try:
            async with shown.writing:
                await self._write(shown)
        except Unavailable as error:
            if not shown.rewriting:
                shown.rewriting = True
                await self._rewrite(shown, max(REWRITE, error.retry_after or 10.0))
        except (BadRequest, Forbidden, ChatMigrated):
            self._forget(lambda other: other is shown)  # somebody took it away: what comes next needs another one
        except (BotError, TelegramError) as error:
            _log.warning("card not written anew", incident=shown.incident_id, error=type(error).__name__)

    async def _write(self, shown: _Shown) -> None:
        named = len(shown.more)
        found = await self.desk.look_up(shown.community, shown.incident_id)
        if found is None or shown.message_id is None:
            return
        text, entities, keyboard = self.content(*found, more=shown.more)
        if shown.as_shown == (text, keyboard):
            shown.named = max(shown.named, named)
            return
        try:
            async with self.limiter.turn(shown.chat_id, Lane.CARD, spare=NEW_CARDS):
                await self.bot.edit_message_text(
                    text, chat_id=shown.chat_id, message_id=shown.message_id, entities=entities, reply_markup=keyboard,
                    link_preview_options=_NO_PREVIEW,
                )  # fmt: skip
        except BadRequest as error:
            if "not modified" not in error.message:
                raise
        shown.as_shown, shown.named = (text, keyboard), max(shown.named, named)

    def content(
        self, incident: Incident, history: History, *, more: Sequence[int] = ()
    ) -> tuple[str, list[MessageEntity], InlineKeyboardMarkup]:
        """A card as Telegram takes it: text, entities, buttons."""
        policy = self.desk.policy(incident.decision.message)
        say = texts(policy.language)
        card = card_of(incident, history, say, policy.timezone, more=more)
        text, entities = _laid_out(card, incident, more, revealed(incident, say))
        keys = [InlineKeyboardButton(say[f"button.{b}"], callback_data=press_id(b, incident.id)) for b in card.buttons]
        return text, entities, InlineKeyboardMarkup([keys[place : place + 2] for place in range(0, len(keys), 2)])

    # ---- pressing ---------------------------------------------------------------------------------------------------

    async def press(self, query: CallbackQuery) -> bool:
        """Serve a button of a card; False: it is not one of those."""
        if (press := pressed(query.data or "")) is None:
            return False
        button, incident_id = press
        try:
            answer = await self._pressed(query, button, incident_id)
        except Unavailable:
            answer = self.limiter.say["card.try_again"]
        try:
            with mapped(self.limiter.say):
                await self.bot.answer_callback_query(
                    query.id, cut(answer, LONGEST_ALERT), show_alert=button.call is None
                )
        except (BadRequest, Unavailable):
            pass  # too late to answer; what was pressed counts
        return True

    async def _pressed(self, query: CallbackQuery, button: Button, incident_id: int) -> str:
        """What the presser is told."""
        group = await self.desk.whose(TELEGRAM, incident_id)
        found = group and await self.desk.look_up(group, incident_id)
        if not group or not found:
            return self.limiter.say["card.not_found"]
        incident, history = found
        policy = self.desk.policy(incident.decision.message)
        say, presser = texts(policy.language), query.from_user
        rights = await self.members.rights(int(group.id), presser.id)
        if not may(rights, button, incident):
            return say["telegram.lacking_here" if rights else "card.not_allowed"]
        self._follow(query, group, incident_id)
        if button is Button.HISTORY:
            return history_line(history, say, policy.timezone)
        if button is Button.REVEAL or button.call is None:
            return revealed(incident, say)
        called = await self.desk.call(
            group, incident_id, button.call,
            moderator_id=str(presser.id), moderator_name=presser.full_name,
        )  # fmt: skip
        review = called[0].review if called else None
        if button.call.closes and review and (review.moderator_id, review.call) != (str(presser.id), button.call):
            return say("card.already", by=review.moderator_name, call=review_line(review, say, policy.timezone))
        return say("card.taken", call=say[f"call.{button.call}"])

    def _follow(self, query: CallbackQuery, community: CommunityRef, incident_id: int) -> None:
        """From now on this card follows its incident, also when an earlier process posted it."""
        if query.message and incident_id not in self._by_incident:
            self._by_incident[incident_id] = _Shown(
                chat_id=query.message.chat.id, community=community, incident_id=incident_id,
                at=self.clock.monotonic(), message_id=query.message.message_id,
            )  # fmt: skip

    def forget_chat(self, chat_id: int) -> None:
        """Cards of a chat that has another id by now."""
        self._forget(lambda shown: shown.chat_id == chat_id)

    def _forget(self, which: Callable[[_Shown], bool]) -> None:
        _drop(self._newest, which)
        _drop(self._latest, which)
        _drop(self._by_incident, which)


def _drop(memory: MutableMapping[Any, _Shown], which: Callable[[_Shown], bool]) -> None:
    for key in [key for key, shown in memory.items() if which(shown)]:
        del memory[key]


def _takes_more(shown: _Shown | None, now: float) -> bool:
    return shown is not None and now - shown.at <= FOLD and len(shown.more) < MOST_FOLDED


def _laid_out(card: Card, incident: Incident, more: Sequence[int], whole: str) -> tuple[str, list[MessageEntity]]:
    """`whole`: what the button reveals. Where that is more than a button can say it stands on the card, folded up and
    hidden until somebody taps on it."""
    title = f"{_SIGNS[card.tone]} {card.title}"
    lines = [f"{line.label}: {line.value}" for line in card.lines]
    if more:
        lines.append(" ".join(f"#{id_}" for id_ in more))
    if link := message_link(incident):
        lines.append(link)
    below = "\n".join(lines)
    is_long = units(whole) > LONGEST_ALERT
    quoted = cut(whole, max(LONGEST_ALERT, LONGEST - units(f"{title}\n\n{below}"))) if is_long else card.text or "-"
    start, length = units(title) + 1, units(quoted)
    entities = [MessageEntity(MessageEntity.BOLD, 0, units(title))]
    if is_long:
        entities += [
            MessageEntity(kind, start, length) for kind in (MessageEntity.EXPANDABLE_BLOCKQUOTE, MessageEntity.SPOILER)
        ]
    else:
        entities.append(MessageEntity(MessageEntity.BLOCKQUOTE, start, length))
    return cut(f"{title}\n{quoted}\n{below}", LONGEST), entities


def message_link(incident: Incident) -> str:
    """Leads to the message in a supergroup, for those who are in it; empty where it was taken away."""
    ref = incident.decision.message.ref
    gone = any(action.kind == "delete" and outcome for action, outcome in incident.outcomes)
    number = ref.message_id.partition(".")[0]
    if gone or not ref.channel_id.startswith("-100") or not number.isdigit():
        return ""
    return f"https://t.me/c/{ref.channel_id.removeprefix('-100')}/{number}"
