"""A chat message as the bot sees it, whichever platform it came from."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bot.core.chat.links import Link

#: The name of a chat network, which its package gives it (adapters/chat). Stored with all that came from there, so what
#: is read back may be one that nobody speaks any more.
Platform = NewType("Platform", str)


class Kind(StrEnum):
    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"  # the author (or a moderator) took it away; there is no text to judge


class Pairing(StrEnum):
    """How sure it is what a bot's message answers."""

    CERTAIN = "certain"  # the platform says which message it answers
    GUESSED = "guessed"  # the platform does not say; it was the only one that the bot can have meant
    HIDDEN = "hidden"  # it answers somebody, but nobody can see what was asked (a slash command)


#: Characters of a text that guards and rules read: of a longer one the head and the tail, half each.
MOST_READ = 20_000
_LEFT_OUT = "\n…\n"


class OriginKind(StrEnum):
    PERSON = "person"
    BOT = "bot"
    GROUP = "group"
    CHANNEL = "channel"
    HIDDEN = "hidden"  # somebody who does not want to be named


@dataclass(frozen=True, slots=True)
class Origin:
    """Where words come from that somebody else wrote first. `name` is the public one (without @), where there is one;
    both are empty where the platform does not tell."""

    kind: OriginKind
    title: str = ""
    name: str = ""


class Media(StrEnum):
    """What a message carries beside its text, as those call it who send it."""

    PHOTO = "photo"
    VIDEO = "video"
    ANIMATION = "animation"  # a GIF
    AUDIO = "audio"
    VOICE = "voice"  # recorded for this message
    VIDEO_NOTE = "video_note"
    FILE = "file"
    STICKER = "sticker"
    STORY = "story"
    POLL = "poll"
    CHECKLIST = "checklist"
    CONTACT = "contact"
    PLACE = "place"
    GAME = "game"
    DICE = "dice"
    INVOICE = "invoice"
    GIVEAWAY = "giveaway"
    PAID = "paid"  # to be seen after paying
    BUTTONS = "buttons"  # under it, to press


#: Role words every platform adapter maps its own permissions to.
STAFF = frozenset({"owner", "admin", "moderator"})


@dataclass(frozen=True, slots=True, order=True)
class CommunityRef:
    """Names one community: a Discord server, a Telegram group. `id` is the platform's own, as text: another platform
    may have the same."""

    platform: Platform
    id: str


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Names one revision of one message; an edit is a new, higher revision of the same message.

    `channel_id` is a Discord channel or thread or a Telegram chat; ids are the platform's own, as text.
    `revision` must come out the same when the platform delivers the same edit twice.
    """

    platform: Platform
    channel_id: str
    message_id: str
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote it. `roles` holds the platform's role names or ids and the words of STAFF."""

    id: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    bot: bool = False
    myself: bool = False  # written by this very bot
    no_account: bool = False  # speaks through a webhook: there is nobody to warn or to sanction
    since: datetime | None = None  # when they joined the community, where the platform tells
    account_since: datetime | None = None  # when they made their account, where the platform tells
    unmet: bool = False  # the platform has not said yet who they are here (roles, `since`): to be asked before acting

    @property
    def is_staff(self) -> bool:
        return self.myself or not self.roles.isdisjoint(STAFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One revision of a message. `sent_at` is aware (UTC) and is this revision's time, not the first one's.

    `text` may be empty where something else is said: a picture, a forward, a sticker."""

    ref: MessageRef
    community_id: str
    author: Author
    sent_at: datetime
    text: str = ""
    kind: Kind = Kind.NEW
    reply_to: str | None = None  # message_id in the same channel
    prompt: str | None = None  # for a bot's answer: what it was asked, where that is known
    pairing: Pairing | None = None  # for a bot's answer; None: it answers nobody, as far as we know
    lead: str = ""  # for a bot's answer in several messages: what the earlier ones said
    channel_name: str = ""  # what people call the channel, where the platform tells
    within: frozenset[str] = frozenset()  # ids and names of what holds the channel, and its own name; no member's words
    typed: str | None = None  # `text` without the names of files, where it holds any
    mentions: int = 0  # how many people or roles the message pings
    links: tuple[Link, ...] = ()  # in the order in which they stand; empty too where the platform does not mark them
    forwarded: Origin | None = None  # the message is passed on, and was first said there
    quoted: Origin | None = None  # it answers something in another chat and shows it, and that was said there
    media: frozenset[Media] = frozenset()
    via_bot: str | None = None  # the name of the bot that composed it for its author
    is_name: bool = False  # the text is the name that its author bears; sent when they join: sent_at == author.since
    more_to_come: bool = False  # one of several pieces, with those that came before; judged when no more comes
    filtered: str | None = None  # what the platform's own filter has stopped it for; nobody else got to see it
    flagged: bool = False  # a member has pointed the moderators to it
    extra: dict[str, str] = field(default_factory=dict)  # what only the platform's adapter reads back

    @property
    def community(self) -> CommunityRef:
        """Where it was said; of the platform it came from, so that the two cannot differ."""
        return CommunityRef(self.ref.platform, self.community_id)

    @property
    def places(self) -> frozenset[str]:
        """Everything that may stand for where it was said: a thread lies in its channel, a channel in its category."""
        return self.within | {self.ref.channel_id}

    @property
    def read(self) -> str:
        """The text as guards, rules and memories read it (`as_read`)."""
        return as_read(self.text)

    @property
    def is_sound(self) -> bool:
        """Whether all that should be words is, and every moment has a zone: a platform on a bad day may hand on
        anything, and one message that cannot be stored would hold up those that came with it."""
        origins = [one for one in (self.forwarded, self.quoted) if one]
        words: list[object] = [
            self.community_id, self.ref.channel_id, self.ref.message_id, self.author.id, self.author.name, self.text,
            self.channel_name, self.reply_to or "", self.typed or "", self.via_bot or "", self.filtered or "",
            *self.author.roles, *self.within, *self.extra.values(),
        ]  # fmt: skip
        words += [word for one in self.links for word in (one.target, one.shown)]
        words += [word for one in origins for word in (one.title, one.name)]
        numbers, truths, moments = (
            (self.ref.revision, self.mentions),
            (self.author.bot, self.author.myself, self.is_name, self.flagged),
            [at for at in (self.sent_at, self.author.since, self.author.account_since) if at],
        )
        return (
            all(isinstance(word, str) for word in words)
            and all(isinstance(number, int) for number in numbers)
            and all(isinstance(truth, bool) for truth in truths)
            and all(isinstance(at, datetime) and at.tzinfo for at in moments)
        )

    @property
    def answer(self) -> str:
        """A bot's answer whole, with what its earlier messages said; not bounded."""
        return "\n".join(filter(None, (self.lead, self.text)))

    @property
    def is_read_whole(self) -> bool:
        """Whether nothing of it is left out of what is read: what nobody has read is never called safe."""
        return max(len(self.text), len(self.answer) if self.lead else 0, len(self.prompt or "")) <= MOST_READ


def as_read(text: str) -> str:
    """At most MOST_READ characters of the text: itself, or its head and its tail with a line between."""
    if len(text) <= MOST_READ:
        return text
    half = (MOST_READ - len(_LEFT_OUT)) // 2
    return text[:half] + _LEFT_OUT + text[-half:]
