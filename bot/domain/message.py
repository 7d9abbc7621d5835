"""A chat message as the bot sees it, whichever platform it came from."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Platform(StrEnum):
    DISCORD = "discord"
    TELEGRAM = "telegram"
    REHEARSAL = "rehearsal"
    API = "api"  # what is asked over HTTP for a community that is on no chat platform


class Kind(StrEnum):
    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"  # the author (or a moderator) took it away; there is no text to judge


class Pairing(StrEnum):
    """How sure it is what a bot's message answers."""

    CERTAIN = "certain"  # the platform says which message it answers
    GUESSED = "guessed"  # the platform does not say; it was the only one that the bot can have meant
    HIDDEN = "hidden"  # it answers somebody, but nobody can see what was asked (a slash command)


#: Role words every platform adapter maps its own permissions to.
STAFF = frozenset({"owner", "admin", "moderator"})


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
    since: datetime | None = None  # account or membership age, where the platform tells

    @property
    def is_staff(self) -> bool:
        return self.myself or not self.roles.isdisjoint(STAFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One revision of a message. `sent_at` is aware (UTC) and is this revision's time, not the first one's."""

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
    filtered: str | None = None  # what the platform's own filter has stopped it for; nobody else got to see it
    extra: dict[str, str] = field(default_factory=dict)  # what only the platform's adapter reads back

    @property
    def places(self) -> frozenset[str]:
        """Everything that may stand for where it was said: a thread lies in its channel, a channel in its category."""
        return self.within | {self.ref.channel_id}
