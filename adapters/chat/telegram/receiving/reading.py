"""Telegram's messages -> messages to judge, pure: every place where text hides, and who really speaks.

Facts: T18-T22 and T34-T43 of the platform reference; Bot API "Message".
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from telegram import (
    Chat,
    ChatMember,
    ChatMemberAdministrator,
    MessageEntity,
    Update,
    User,
)
from telegram import (
    Message as TelegramMessage,
)

from adapters.chat.telegram.receiving.pieces import media, origin_of, pieces
from adapters.chat.telegram.refs import TELEGRAM, topic_of
from bot.core.chat.links import Link
from bot.core.chat.message import (
    Author,
    Kind,
    Message,
    MessageRef,
)

#: Stand-ins that Telegram puts in `from`; nobody may ever be sanctioned under these ids.
STAND_INS = frozenset({1087968824, 136817688, 777000})  # GroupAnonymousBot, Channel_Bot, Telegram

GROUPS = (Chat.GROUP, Chat.SUPERGROUP)

_PINGS = (MessageEntity.MENTION, MessageEntity.TEXT_MENTION)


@dataclass(frozen=True, slots=True)
class Staff:
    """Who is never sanctioned in a chat: ids (people, admin bots, the linked channel) and their role words."""

    roles: Mapping[int, str] = field(default_factory=dict)

    @staticmethod
    def of(administrators: Iterable[ChatMember], linked_channel: int | None) -> "Staff":
        roles = {member.user.id: role_word(member) for member in administrators}
        return Staff(roles | ({linked_channel: "admin"} if linked_channel else {}))

    def role(self, id_: int) -> frozenset[str]:
        return frozenset({self.roles[id_]}) if id_ in self.roles else frozenset()


def role_word(member: ChatMember) -> str:
    """`owner`, `admin` (may appoint others or ban) or `moderator` (any other admin); empty for everybody else."""
    if member.status == ChatMember.OWNER:
        return "owner"
    if isinstance(member, ChatMemberAdministrator):
        return "admin" if member.can_promote_members or member.can_restrict_members else "moderator"
    return ""


def read(update: Update, staff: Staff, me: int) -> Sequence[Message]:
    """The messages that an update carries: one, or one for each newcomer; none where there is nothing to judge or it
    does not come from a group."""
    source = update.message or update.edited_message
    if source is None or source.chat.type not in GROUPS:
        return ()
    if source.new_chat_members:
        at, extra = source.date.astimezone(UTC), {"items": str(source.message_id)} | dict(_extra(source))
        return [newcomer(source.chat, user, at, staff, me, extra) for user in source.new_chat_members]
    said = list(pieces(source))
    text = "\n".join(dict.fromkeys(piece.strip() for piece in said if isinstance(piece, str) and piece.strip()))
    links = tuple(dict.fromkeys(piece for piece in said if isinstance(piece, Link)))
    origin, quoted = source.forward_origin, source.external_reply and source.external_reply.origin
    carried = frozenset(media(source))
    if not (text or carried or origin):
        return ()
    edited = update.message is None
    moment = (source.edit_date if edited else None) or source.date
    said_in_all = "\n".join((text, *(link.target for link in links)))
    message = Message(
        ref=MessageRef(
            TELEGRAM,
            str(source.chat.id),
            str(source.message_id),
            revision(moment, said_in_all) if edited else 0,
        ),
        community_id=str(source.chat.id),
        author=author(source, staff, me),
        sent_at=moment.astimezone(UTC),
        text=text,
        kind=Kind.EDIT if edited else Kind.NEW,
        reply_to=_reply_to(source),
        channel_name=source.chat.title or "",
        within=frozenset(filter(None, [topic_of(source)])),
        mentions=sum(entity.type in _PINGS for entity in (*source.entities, *source.caption_entities)),
        links=links,
        forwarded=origin_of(origin) if origin and not source.is_automatic_forward else None,
        quoted=origin_of(quoted) if quoted else None,
        media=carried,
        via_bot=(source.via_bot.username or str(source.via_bot.id)) if source.via_bot else None,
        extra=dict(_extra(source)),
    )
    return (message,)


def read_plainly(update: Update) -> Sequence[Message]:
    """What is left where reading has failed: the words as they were typed, by whom, and nothing that could fail."""
    source = update.message or update.edited_message
    speaker = source and (source.sender_chat or source.from_user)
    if source is None or speaker is None or source.chat.type not in GROUPS:
        return ()
    text = next((one for one in (source.text, source.caption) if one and isinstance(one, str)), "")
    chat, edited_at = str(source.chat.id), source.edit_date
    number = int(edited_at.timestamp()) << 20 if edited_at else 0
    return (
        Message(
            ref=MessageRef(TELEGRAM, chat, str(source.message_id), number),
            community_id=chat,
            author=Author(id=str(speaker.id), bot=isinstance(speaker, User) and bool(speaker.is_bot)),
            sent_at=(edited_at or source.date).astimezone(UTC),
            text=text,
            kind=Kind.EDIT if edited_at else Kind.NEW,
            extra={"date": str(int(source.date.timestamp()))},
        ),
    )


def newcomer(
    chat: Chat, user: User, at: datetime, staff: Staff, me: int, extra: Mapping[str, str] | None = None
) -> Message:
    """The name under which somebody joins is a text of theirs, whoever let them in. `extra` is of the service message
    that tells of it; without one it may still come, and there is nothing to delete till then."""
    told = extra is not None
    return Message(
        ref=MessageRef(TELEGRAM, str(chat.id), f"joined:{user.id}", int(at.timestamp()) << 1 | told),
        community_id=str(chat.id),
        author=_person(user, staff, me),
        sent_at=at,
        text="\n".join(filter(None, (user.full_name, user.username))),
        channel_name=chat.title or "",
        is_name=True,
        more_to_come=not told,
        extra=dict(extra or {}),
    )


def revision(edited_at: datetime, text: str) -> int:
    """The same for a redelivered edit, higher for a later one, another for another text in the same second."""
    digest = hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=4).digest()
    return int(edited_at.timestamp()) << 20 | int.from_bytes(digest) >> 12


def message_ids(message: Message) -> list[int]:
    """Everything that has to be deleted with it; nothing where its group has become a supergroup since: what was sent
    before cannot be reached there, and the numbers begin anew. A name under which somebody joined stands in a message
    only where Telegram has posted one."""
    if message.ref.channel_id != message.community_id:
        return []
    items = message.extra.get("items", "" if message.is_name else message.ref.message_id)
    return [int(id_) for id_ in items.split(",") if id_]


# ---- who speaks -----------------------------------------------------------------------------------------------------


def author(source: TelegramMessage, staff: Staff, me: int) -> Author:
    """In this order: a post of the linked channel, an anonymous admin, another channel, a person or bot."""
    speaker, label = source.sender_chat, source.author_signature or source.sender_tag or ""
    if source.is_automatic_forward and speaker:
        return Author(id=str(speaker.id), name=speaker.title or "", roles=frozenset({"admin"}))
    if speaker and speaker.id == source.chat.id:
        return Author(id=str(speaker.id), name=label or speaker.title or "", roles=frozenset({"admin"}))
    if speaker:
        return Author(id=str(speaker.id), name=speaker.title or "", roles=staff.role(speaker.id) | {str(speaker.id)})
    user = source.from_user
    if user is None:
        return Author(id=str(source.chat.id), name=source.chat.title or "", roles=frozenset({"admin"}))
    if user.id in STAND_INS:
        return Author(id=str(user.id), name=label, roles=frozenset({"admin"}))
    return _person(user, staff, me)


def _person(user: User, staff: Staff, me: int) -> Author:
    roles = staff.role(user.id) | {str(user.id)}  # the id, too: a community may exempt one person
    return Author(id=str(user.id), name=user.full_name, roles=roles, bot=user.is_bot, myself=user.id == me)


def is_channel(author_id: str) -> bool:
    """Ids of people are positive, of chats and channels negative."""
    return author_id.startswith("-")


# ---- what belongs to it ---------------------------------------------------------------------------------------------


def _reply_to(source: TelegramMessage) -> str | None:
    target = source.reply_to_message
    if target is None or target.forum_topic_created:  # in a topic everything "replies" to the topic itself
        return None
    return str(target.message_id)


def _extra(source: TelegramMessage) -> Iterator[tuple[str, str]]:
    yield "date", str(int(source.date.timestamp()))  # the 48 hours of a deletion count from here, also for an edit
    if source.message_thread_id:
        # Comments under a channel's post are a thread, too, and no topic: one is written into by replying.
        yield "topic" if source.is_topic_message else "thread", str(source.message_thread_id)
    for name in _STAYS:
        if getattr(source, name):
            yield "stays", name


#: Service messages that tell of words which stand somewhere else, where a bot cannot reach them.
_STAYS = ("poll_option_added", "checklist_tasks_added", "forum_topic_created", "forum_topic_edited", "new_chat_title")
