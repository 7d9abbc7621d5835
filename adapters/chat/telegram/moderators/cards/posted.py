"""A card in the moderators' chat -> the same card as things stand on record by now, and naming all that it holds."""

import asyncio
from dataclasses import dataclass, field

import structlog
from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError

from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.moderators.cards.drawing import Drawn, drawn
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errands import Errands
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import CommunityRef
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import History
from bot.core.moderators.ports import Desk

REWRITE = 1.0  # seconds before a card is written anew, so that several changes are one edit
NEW_CARDS = 6  # of a chat's 20 messages a minute that are not spent on writing anew what names all that it holds
NAMING_AT_ONCE = 64  # incidents that wait for their card to be written anew: deletions need room beside them
RECALLED = 600.0  # seconds after a start in which cards of an earlier process are looked for
REMEMBERED = 1000  # cards that follow what comes of their incidents; older ones still change when pressed

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Posted:
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
    look: tuple[str, InlineKeyboardMarkup] | None = None
    rewriting: bool = False
    gone: bool = False
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)  # an older version must not arrive after a newer one

    @property
    def receipt(self) -> str:
        return f"{self.chat_id}/{self.message_id}"

    @property
    def spare(self) -> int:
        """Of the chat's limit; writing it anew to name what it does not name yet is as good as a new card for each."""
        return 0 if self.named < len(self.more) else NEW_CARDS


@dataclass(slots=True, kw_only=True)
class PostedCards:
    """Which card an incident is on."""

    bot: Bot
    limiter: Limiter
    desk: Desk
    clock: Clock
    _by_incident: Bounded[int, Posted] = field(default_factory=lambda: Bounded(REMEMBERED))
    errands: Errands = field(default_factory=Errands)
    _naming: int = 0
    _unknown: dict[int, tuple[CommunityRef, bool]] = field(default_factory=dict)  # whose cards are looked for
    _looks: bool = False
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Cards of other processes may stand from now on."""
        self._since = self.clock.monotonic()

    def of(self, incident_id: int) -> Posted | None:
        return self._by_incident.get(incident_id)

    def put(self, incident_id: int, card: Posted) -> None:
        self._by_incident[incident_id] = card

    def forget(self, card: Posted) -> None:
        """Somebody took it away: what comes next needs another one."""
        card.gone = True
        for incident_id in (card.incident_id, *card.more):
            if self.of(incident_id) is card:
                del self._by_incident[incident_id]

    def forget_chat(self, chat_id: int) -> None:
        """It has another id by now."""
        for card in [card for card in self._by_incident.values() if card.chat_id == chat_id]:
            self.forget(card)

    def changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None:
        """Something new is on record: the card is written anew. An earlier process may have posted it."""
        if card := self.of(incident_id):
            self._rewrite_soon(card)
        elif emptied or (self._is_young and len(self._unknown) < REMEMBERED):
            self._unknown[incident_id] = community, emptied
            if not self._looks:
                self._looks = True
                self.errands.begin(self._recall_unknown())

    # ---- found again ------------------------------------------------------------------------------------------------

    async def _recall_unknown(self) -> None:
        """One after the other, not at once: most are just being shown, here, and nobody asks the database then. What
        changes meanwhile is looked for once more."""
        try:
            await self.clock.sleep(REWRITE)
            while self._unknown:
                incident_id = next(iter(self._unknown))
                try:
                    community, emptied = self._unknown.pop(incident_id)
                    await self.find(community, incident_id, emptied=emptied)
                except Exception as error:  # with its next change
                    _log.warning("card not looked for", incident=incident_id, error=type(error).__name__)
        finally:
            self._looks = False

    @property
    def _is_young(self) -> bool:
        return self.clock.monotonic() - self._since < RECALLED

    async def find(
        self, community: CommunityRef, incident_id: int, begun: str = "", *, emptied: bool = False
    ) -> Posted | None:
        """The card of an incident, also where an earlier process has posted it, or another one has `begun` to name it
        on that."""
        may_stand = self._is_young or begun or emptied
        if not self.of(incident_id) and may_stand and (found := await self.desk.look_up(community, incident_id)):
            await self.recall(found[0], begun)
        return self.of(incident_id)

    async def recall(self, incident: Incident, receipt: str = "") -> None:
        """From here on its card follows it, whoever has posted that: the one on record, or else this one."""
        receipt = incident.card or receipt
        where, _, what = receipt.partition("/")
        if self.of(incident.id) or not what.isdecimal():  # not on one of ours: on none, or on that of a raid
            return
        ids = await self.desk.shown_with(incident, receipt)
        card = next((one for one in self._by_incident.values() if one.receipt == receipt), None)
        if card is None:
            card = Posted(
                chat_id=int(where), community=incident.decision.message.community, incident_id=ids[0],
                at=float("-inf"), message_id=int(what),
            )  # fmt: skip
        if card:
            for id_ in ids:
                if self._by_incident.setdefault(id_, card) is card and id_ not in (card.incident_id, *card.more):
                    card.more.append(id_)
            self._rewrite_soon(card)

    # ---- written anew -----------------------------------------------------------------------------------------------

    def _rewrite_soon(self, card: Posted) -> None:
        if not card.rewriting and card.message_id is not None:
            card.rewriting = True
            self.errands.begin(self._rewrite(card))

    async def _rewrite(self, card: Posted, pause: float = REWRITE) -> None:
        """Later where the chat is full; a card that could not be written anew still serves its buttons."""
        await self.clock.sleep(pause)
        card.rewriting = False
        try:
            async with card.writing:
                await self._write(card)
        except Unavailable as error:
            if not card.rewriting:
                card.rewriting = True
                await self._rewrite(card, max(REWRITE, error.retry_after or 10.0))
        except (BadRequest, Forbidden, ChatMigrated):
            self.forget(card)
        except (BotError, TelegramError) as error:
            _log.warning("card not written anew", incident=card.incident_id, error=type(error).__name__)

    async def _write(self, card: Posted) -> None:
        named = len(card.more)
        found = await self.desk.look_up(card.community, card.incident_id, *card.more)
        if found is None or card.message_id is None:
            self.forget(card)
            return
        now = await self._drawn(card, *found)
        if card.look != now.look:
            try:
                async with self.limiter.turn(card.chat_id, Lane.CARD, spare=card.spare):
                    await self.bot.edit_message_text(
                        now.text, chat_id=card.chat_id, message_id=card.message_id, entities=now.entities,
                        reply_markup=now.keyboard, link_preview_options=NO_PREVIEW,
                    )  # fmt: skip
            except BadRequest as error:
                if "not modified" not in error.message:
                    raise
        card.look, card.named = now.look, max(card.named, named)

    async def _drawn(self, card: Posted, incident: Incident, history: History) -> Drawn:
        policy, more = self.desk.policy(incident.decision.message), list(card.more)
        called = await self.desk.numbers(card.community, more) if more else {}
        numbers = [called[one] for one in more if one in called]
        return drawn(incident, history, policy.language, policy.timezone, more=numbers)

    async def show(self, card: Posted, incident_id: int) -> None:
        """Returns once the card names the incident. A card that could not be sent is none any more, for all who waited
        for it: they come back, perhaps in another process."""
        async with card.sending:
            if card.gone:
                raise Unavailable("its card could not be posted", retry_after=REWRITE)
            if card.message_id is None:
                try:
                    await self._send(card)
                except BaseException:
                    self.forget(card)
                    raise
        if card.message_id is not None:
            await self._await_naming(card, card.more.index(incident_id) if incident_id in card.more else -1)

    async def _await_naming(self, card: Posted, place: int) -> None:
        """For as long as a rewriting takes where the chat has room; then the incident comes back later."""
        wait = self.limiter.wait(card.chat_id, Lane.CARD, spare=card.spare)
        until = self.clock.monotonic() + (2 * REWRITE if wait < REWRITE and self._naming < NAMING_AT_ONCE else 0)
        self._naming += 1
        try:
            while card.look is None or card.named <= place:
                self._rewrite_soon(card)
                if card.gone or self.clock.monotonic() >= until:
                    raise Unavailable("not yet named on its card", retry_after=wait + REWRITE, begun=card.receipt)
                await self.clock.sleep(REWRITE / 10)
        finally:
            self._naming -= 1

    async def _send(self, card: Posted) -> None:
        named = len(card.more)
        found = await self.desk.look_up(card.community, card.incident_id, *card.more)
        if found is None:
            self.forget(card)
            return
        now = await self._drawn(card, *found)
        async with self.limiter.turn(card.chat_id, card.lane):
            sent = await self.bot.send_message(
                card.chat_id, now.text, entities=now.entities, reply_markup=now.keyboard,
                link_preview_options=NO_PREVIEW,
                disable_notification=card.lane is not Lane.URGENT and self.desk.is_quiet(card.community),
            )  # fmt: skip
        card.message_id, card.look, card.named = sent.message_id, now.look, named
