"""Items of albums -> one message that grows: every item is kept at once, as a revision of the album's first one.

Telegram sends an album as separate updates and never says how many there are (T42). Nothing waits for the others here:
an item carries what has come of its album so far, and the core judges the last of them once no more comes.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from telegram import Update

from adapters.chat.telegram.refs import TELEGRAM
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Kind, Message, MessageRef
from bot.core.moderation.ports import Inbox

MOST = 10  # items in an album
REMEMBERED = 2_000  # albums; of older ones the record tells which items they have
RECALLED = timedelta(minutes=1)

Name = tuple[str, str]  # chat, album


@dataclass(slots=True)
class _Album:
    first: str  # the item that came first; the album bears its number
    items: dict[str, Message] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Albums:
    """The numbers of revisions are the numbers of the items, so that an item is found again when nothing else is left
    on record."""

    clock: Clock
    inbox: Inbox | None = None
    _albums: Bounded[Name, _Album] = field(default_factory=lambda: Bounded(REMEMBERED))

    async def begin(self) -> None:
        """What was coming in when the process before this one ended."""
        try:
            recent = await self.inbox.recent(self.clock.now() - RECALLED) if self.inbox else ()
        except Unavailable:
            return
        for message in recent:
            if message.ref.platform == TELEGRAM and (group := message.extra.get("album")):
                first = message.ref.message_id
                items = message.extra["items"].split(",")
                silent = replace(message, text="", links=(), mentions=0)
                said = {item: message if item == first else silent for item in items}
                self._albums[message.ref.channel_id, group] = _Album(first, said)

    async def whole(self, update: Update, message: Message) -> Message:
        """The message as it is to be kept: an item with all of its album that is known."""
        source = update.message or update.edited_message
        if source is None or source.media_group_id is None:
            return message
        chat, item = message.ref.channel_id, message.ref.message_id
        name = (chat, source.media_group_id)
        album = self._albums.get(name)
        if album is None:
            found = await self._on_record(message) if message.kind is Kind.EDIT else [item]
            album = _Album(found[0], {one: replace(message, text="", links=(), mentions=0) for one in found})
        self._albums[name] = album
        album.items[item] = message
        grown = _merged(album.items)
        revision = message.ref.revision or (0 if item == album.first else int(item))
        return replace(
            grown,
            ref=MessageRef(TELEGRAM, chat, album.first, revision),
            kind=message.kind,
            sent_at=message.sent_at if message.kind is Kind.EDIT else grown.sent_at,
            more_to_come=message.kind is Kind.NEW,
            extra=grown.extra | {"items": ",".join(sorted(album.items, key=int)), "album": source.media_group_id},
        )

    async def _on_record(self, message: Message) -> list[str]:
        """All items of the album that an edited item belongs to, the first one first; the item alone where nothing is
        known."""
        channel, number = message.ref.channel_id, int(message.ref.message_id)
        near = range(max(1, number - MOST + 1), number + MOST)
        refs = [MessageRef(TELEGRAM, channel, str(first), item) for first in near for item in near]
        try:
            settled = await self.inbox.settled(refs) if self.inbox else [False] * len(refs)
        except Unavailable:
            settled = [False] * len(refs)
        albums: dict[str, list[str]] = {}
        for ref, is_item in zip(refs, settled, strict=True):
            if is_item:
                albums.setdefault(ref.message_id, [ref.message_id]).append(str(ref.revision))
        return next((items for items in albums.values() if str(number) in items), [str(number)])


def _merged(items: dict[str, Message]) -> Message:
    """Everything that the items say, in their order."""
    ordered = [items[item] for item in sorted(items, key=int)]
    return replace(
        ordered[0],
        sent_at=max(item.sent_at for item in ordered),
        text="\n".join(dict.fromkeys(item.text for item in ordered if item.text)),
        mentions=sum(item.mentions for item in ordered),
        links=tuple(dict.fromkeys(link for item in ordered for link in item.links)),
        media=frozenset().union(*(item.media for item in ordered)),
    )
