"""Telegram's messages -> messages to judge, pure: every place where text hides, and who really speaks.

Facts: T18-T22 and T34-T43 of the platform reference; Bot API "Message".
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from telegram import (
    Chat,
    ChatMember,
    ChatMemberAdministrator,
    ExternalReplyInfo,
    InlineKeyboardMarkup,
    MessageEntity,
    MessageOrigin,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
    Poll,
    Update,
    User,
)
from telegram import (
    Message as TelegramMessage,
)

from bot.domain.message import Author, Kind, Message, MessageRef, Platform

#: Stand-ins that Telegram puts in `from`; nobody may ever be sanctioned under these ids.
STAND_INS = frozenset({1087968824, 136817688, 777000})  # GroupAnonymousBot, Channel_Bot, Telegram

GROUPS = (Chat.GROUP, Chat.SUPERGROUP)


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
        return [_newcomer(source, user, number, staff, me) for number, user in enumerate(source.new_chat_members)]
    text = "\n".join(dict.fromkeys(filter(None, map(str.strip, texts(source)))))
    if not text and not source.media_group_id:
        return ()
    edited = update.message is None
    moment = (source.edit_date if edited else None) or source.date
    message = Message(
        ref=MessageRef(
            Platform.TELEGRAM, str(source.chat.id), str(source.message_id), revision(moment, text) if edited else 0
        ),
        community_id=str(source.chat.id),
        author=author(source, staff, me),
        sent_at=moment.astimezone(UTC),
        text=text,
        kind=Kind.EDIT if edited else Kind.NEW,
        reply_to=_reply_to(source),
        channel_name=source.chat.title or "",
        mentions=sum(entity.type in _PINGS for entity in (*source.entities, *source.caption_entities)),
        extra=dict(_extra(source)),
    )
    return (message,)


def _newcomer(source: TelegramMessage, user: User, number: int, staff: Staff, me: int) -> Message:
    """The name under which somebody joins is a text of theirs, whoever let them in."""
    id_ = str(source.message_id)
    return Message(
        ref=MessageRef(Platform.TELEGRAM, str(source.chat.id), f"{id_}.{number}" if number else id_),
        community_id=str(source.chat.id),
        author=_person(user, staff, me),
        sent_at=source.date.astimezone(UTC),
        text="\n".join(filter(None, (user.full_name, user.username))),
        channel_name=source.chat.title or "",
        extra=dict(_extra(source)) | {"items": id_},
    )


def revision(edited_at: datetime, text: str) -> int:
    """The same for a redelivered edit, higher for a later one, another for another text in the same second."""
    digest = hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=4).digest()
    return int(edited_at.timestamp()) << 20 | int.from_bytes(digest) >> 12


def merge(items: Sequence[Message]) -> Message:
    """An album as one message: the first item's, with all captions; all items are deleted together."""
    first, *_ = ordered = sorted(items, key=lambda item: int(item.ref.message_id))
    return replace(
        first,
        text="\n".join(dict.fromkeys(item.text for item in ordered if item.text)),
        mentions=sum(item.mentions for item in ordered),
        extra=first.extra | {"items": ",".join(item.ref.message_id for item in ordered)},
    )


def message_ids(message: Message) -> list[int]:
    """Everything that has to be deleted with it; nothing where its group has become a supergroup since: what was sent
    before cannot be reached there, and the numbers begin anew."""
    if message.ref.channel_id != message.community_id:
        return []
    return [int(id_) for id_ in message.extra.get("items", message.ref.message_id).split(",")]


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


# ---- where text hides -----------------------------------------------------------------------------------------------

_PINGS = (MessageEntity.MENTION, MessageEntity.TEXT_MENTION)


def texts(source: TelegramMessage) -> Iterator[str]:
    """Every piece of text that a reader of this message sees or can tap on."""
    yield from _written(source.text, source.entities)
    yield from _written(source.caption, source.caption_entities)
    yield from _carried(source)
    yield from _strings(source.api_kwargs.get("rich_message"))  # newer than python-telegram-bot (10.1)
    if source.quote:
        yield from _written(source.quote.text, source.quote.entities)
    if source.external_reply:
        yield from _carried(source.external_reply)
    if source.link_preview_options and isinstance(source.link_preview_options.url, str):
        yield source.link_preview_options.url
    yield from _buttons(source.reply_markup)
    if added := source.checklist_tasks_added:
        for task in added.tasks:
            yield from _written(task.text, task.text_entities)
    if option := source.poll_option_added:
        yield option.option_text
    for topic in (source.forum_topic_created, source.forum_topic_edited):
        if topic:
            yield topic.name or ""
    yield source.new_chat_title or ""


def _written(text: str | None, entities: Iterable[MessageEntity] | None) -> Iterator[str]:
    yield text or ""
    yield from (entity.url or "" for entity in entities or ())  # what a text_link leads to is not in the text


def _carried(source: TelegramMessage | ExternalReplyInfo) -> Iterator[str]:
    """Text of what is attached; the same fields in a message and in a message of elsewhere that is replied to."""
    if source.poll:
        yield from _poll(source.poll)
    if checklist := source.checklist:
        yield from _written(checklist.title, checklist.title_entities)
        for task in checklist.tasks:
            yield from _written(task.text, task.text_entities)
    if contact := source.contact:
        yield from (contact.first_name, contact.last_name or "", contact.phone_number, contact.vcard or "")
    if source.venue:
        yield from (source.venue.title, source.venue.address)
    if game := source.game:
        yield from (game.title, game.description, game.text or "")
    if source.invoice:
        yield from (source.invoice.title, source.invoice.description)
    for prize in (source.giveaway, source.giveaway_winners):
        yield (prize.prize_description or "") if prize else ""
    if source.audio:
        yield from (source.audio.title or "", source.audio.performer or "")
    for file in (source.document, source.audio, source.video, source.animation):
        yield (file.file_name or "") if file else ""
    if source.sticker:
        yield from (source.sticker.emoji or "", source.sticker.set_name or "")


def _poll(poll: Poll) -> Iterator[str]:
    yield poll.question
    yield from _written(poll.description, poll.description_entities)
    yield from (option.text for option in poll.options)
    yield from _written(poll.explanation, poll.explanation_entities)


def _buttons(markup: InlineKeyboardMarkup | None) -> Iterator[str]:
    for row in markup.inline_keyboard if markup else ():
        for button in row:
            yield from (button.text, button.url or "")


_NOT_TEXT = frozenset(
    {"type", "file_id", "file_unique_id", "custom_emoji_id", "mime_type", "language", "align", "valign"}
)


def _strings(tree: Any) -> Iterator[str]:
    """Every string of a rich message but ids and kinds, so that blocks of a later Bot API are read, too. Pieces of one
    styled line belong together."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list) and any(isinstance(part, str) for part in tree):
        yield "".join(" ".join(_strings(part)) for part in tree)
    elif isinstance(tree, list):
        for part in tree:
            yield from _strings(part)
    elif isinstance(tree, dict):
        for key, part in tree.items():
            if key not in _NOT_TEXT:
                yield from _strings(part)


# ---- what belongs to it ---------------------------------------------------------------------------------------------


def _reply_to(source: TelegramMessage) -> str | None:
    target = source.reply_to_message
    if target is None or target.forum_topic_created:  # in a topic everything "replies" to the topic itself
        return None
    return str(target.message_id)


def _extra(source: TelegramMessage) -> Iterator[tuple[str, str]]:
    yield "date", str(int(source.date.timestamp()))  # the 48 hours of a deletion count from here, also for an edit
    if source.is_topic_message and source.message_thread_id:
        yield "topic", str(source.message_thread_id)
    if source.via_bot:
        yield "via_bot", source.via_bot.username or str(source.via_bot.id)
    if source.forward_origin and (name := _origin(source.forward_origin)):
        yield "forwarded_from", name


def _origin(origin: MessageOrigin) -> str:
    match origin:
        case MessageOriginUser():
            return origin.sender_user.full_name
        case MessageOriginHiddenUser():
            return origin.sender_user_name
        case MessageOriginChat():
            return origin.sender_chat.title or ""
        case MessageOriginChannel():
            return origin.chat.title or ""
    return ""
