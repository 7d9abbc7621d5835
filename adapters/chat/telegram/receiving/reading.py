"""Telegram's messages -> messages to judge, pure: every place where text hides, and who really speaks.

Facts: T18-T22 and T34-T43 of the platform reference; Bot API "Message".
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

from adapters.chat.telegram.refs import TELEGRAM
from bot.core.chat.links import link_to
from bot.core.chat.message import (
    Author,
    Kind,
    Link,
    LinkKind,
    Media,
    Message,
    MessageRef,
    Origin,
    OriginKind,
)

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
        at, extra = source.date.astimezone(UTC), {"items": str(source.message_id)} | dict(_extra(source))
        return [newcomer(source.chat, user, at, staff, me, extra) for user in source.new_chat_members]
    said = list(_pieces(source))
    text = "\n".join(dict.fromkeys(piece.strip() for piece in said if isinstance(piece, str) and piece.strip()))
    links = tuple(dict.fromkeys(piece for piece in said if isinstance(piece, Link)))
    origin, quoted = source.forward_origin, source.external_reply and source.external_reply.origin
    media = frozenset(_media(source))
    if not (text or media or origin):
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
        mentions=sum(entity.type in _PINGS for entity in (*source.entities, *source.caption_entities)),
        links=links,
        forwarded=_origin(origin) if origin and not source.is_automatic_forward else None,
        quoted=_origin(quoted) if quoted else None,
        media=media,
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
    chat, text, edited_at = str(source.chat.id), source.text or source.caption or "", source.edit_date
    number = int(edited_at.timestamp()) << 20 if edited_at else 0
    return (
        Message(
            ref=MessageRef(TELEGRAM, chat, str(source.message_id), number),
            community_id=chat,
            author=Author(id=str(speaker.id), bot=isinstance(speaker, User) and speaker.is_bot),
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


# ---- where text hides, and what is tapped on ------------------------------------------------------------------------

_PINGS = (MessageEntity.MENTION, MessageEntity.TEXT_MENTION)

Piece = str | Link


def _pieces(source: TelegramMessage) -> Iterator[Piece]:
    """Every piece of text that a reader of this message sees, and every link; where a link leads that does not show it
    is a text, too."""
    yield from _written(source.text, source.entities)
    yield from _written(source.caption, source.caption_entities)
    yield from _carried(source)
    if rich := source.api_kwargs.get("rich_message"):  # newer than python-telegram-bot (10.1)
        yield from _strings(rich)
        yield from _addresses(rich)
    if not source.is_automatic_forward:
        yield from _came_from(source.forward_origin)
    if source.external_reply:  # what is quoted of this chat was judged where it was said, and is not this author's
        if source.quote:
            yield from _written(source.quote.text, source.quote.entities)
        yield from _carried(source.external_reply)
        yield from _came_from(source.external_reply.origin)
    if source.link_preview_options and isinstance(url := source.link_preview_options.url, str):
        yield from _hidden(url)
    yield from _buttons(source.reply_markup)
    if added := source.checklist_tasks_added:
        for task in added.tasks:
            yield from _written(task.text, task.text_entities)
    if option := source.poll_option_added:
        yield from _written(option.option_text, option.option_text_entities)
    for topic in (source.forum_topic_created, source.forum_topic_edited):
        if topic:
            yield topic.name or ""
    yield source.new_chat_title or ""


def _written(text: str | None, entities: Iterable[MessageEntity] | None) -> Iterator[Piece]:
    if not text:
        return
    yield text
    for entity in entities or ():
        match entity.type:
            case MessageEntity.TEXT_LINK if entity.url:
                yield from _hidden(entity.url, _part(text, entity))
            case MessageEntity.URL:
                shown = _part(text, entity)
                yield link_to(shown, shown)
            case MessageEntity.MENTION:
                shown = _part(text, entity)
                yield Link(LinkKind.MENTION, shown.removeprefix("@"), shown)
            case MessageEntity.TEXT_MENTION if entity.user:
                yield Link(LinkKind.MENTION, str(entity.user.id), _part(text, entity))


def _part(text: str, entity: MessageEntity) -> str:
    """Entities count in UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")


def _hidden(url: str, shown: str = "") -> Iterator[Piece]:
    """A link that does not show where it leads."""
    yield url
    yield link_to(url, shown)


def _came_from(origin: MessageOrigin | None) -> Iterator[Piece]:
    """The name of a channel, group or bot is what an advertisement lives of; a person's name is not what is said."""
    if origin and (found := _origin(origin)).kind in (OriginKind.CHANNEL, OriginKind.GROUP, OriginKind.BOT):
        yield from (found.title, found.name)


def _carried(source: TelegramMessage | ExternalReplyInfo) -> Iterator[Piece]:
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
    if source.story:
        yield from (source.story.chat.title or "", source.story.chat.username or "")
    if game := source.game:
        yield from (game.title, game.description)
        yield from _written(game.text, game.text_entities)
    if source.invoice:
        yield from (source.invoice.title, source.invoice.description)
    for prize in (source.giveaway, source.giveaway_winners):
        yield (prize.prize_description or "") if prize else ""
    for gift in (getattr(source, "gift", None), getattr(source, "unique_gift", None)):  # not of what is replied to
        yield from _written(getattr(gift, "text", None), getattr(gift, "entities", None))
    if source.audio:
        yield from (source.audio.title or "", source.audio.performer or "")
    paid = source.paid_media.paid_media if source.paid_media else ()
    files = (source.document, source.audio, source.video, source.animation)
    for file in (*files, *(getattr(part, "video", None) for part in paid)):
        yield (file.file_name or "") if file else ""
    if source.sticker:
        yield from (source.sticker.emoji or "", source.sticker.set_name or "")


def _poll(poll: Poll) -> Iterator[Piece]:
    yield from _written(poll.question, poll.question_entities)
    yield from _written(poll.description, poll.description_entities)
    for option in poll.options:
        yield from _written(option.text, option.text_entities)
    yield from _written(poll.explanation, poll.explanation_entities)


def _buttons(markup: InlineKeyboardMarkup | None) -> Iterator[Piece]:
    for row in markup.inline_keyboard if markup else ():
        for button in row:
            yield button.text
            for opened in (button, button.login_url, button.web_app):
                if opened and opened.url:
                    yield from _hidden(opened.url, button.text)
            if button.copy_text:
                yield button.copy_text.text
            chosen = button.switch_inline_query_chosen_chat
            typed = (button.switch_inline_query, button.switch_inline_query_current_chat, chosen and chosen.query)
            yield from (words for words in typed if words)


#: What a message may carry -> by which name rules know it.
_CARRIES: Mapping[str, Media] = {
    "photo": Media.PHOTO, "video": Media.VIDEO, "animation": Media.ANIMATION, "audio": Media.AUDIO,
    "voice": Media.VOICE, "video_note": Media.VIDEO_NOTE, "document": Media.FILE, "sticker": Media.STICKER,
    "story": Media.STORY, "poll": Media.POLL, "checklist": Media.CHECKLIST, "contact": Media.CONTACT,
    "location": Media.PLACE, "venue": Media.PLACE, "game": Media.GAME, "dice": Media.DICE, "invoice": Media.INVOICE,
    "giveaway": Media.GIVEAWAY, "giveaway_winners": Media.GIVEAWAY, "paid_media": Media.PAID,
    "reply_markup": Media.BUTTONS,
}  # fmt: skip


def _media(source: TelegramMessage) -> Iterator[Media]:
    for name, kind in _CARRIES.items():
        # For an old client's sake an animation comes as a document, too.
        if getattr(source, name) and not (kind is Media.FILE and source.animation):
            yield kind


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


def _addresses(tree: Any) -> Iterator[Piece]:
    """The links of a rich message, however deep."""
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _addresses(part)
    if isinstance(tree, dict) and isinstance(url := tree.get("url"), str):
        yield link_to(url, " ".join(_strings(tree.get("text", ""))))


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


def _origin(origin: MessageOrigin) -> Origin:
    match origin:
        case MessageOriginUser(sender_user=user):
            return Origin(OriginKind.BOT if user.is_bot else OriginKind.PERSON, user.full_name, user.username or "")
        case MessageOriginHiddenUser():
            return Origin(OriginKind.HIDDEN, origin.sender_user_name)
        case MessageOriginChat(sender_chat=chat) | MessageOriginChannel(chat=chat):
            kind = OriginKind.CHANNEL if chat.type == Chat.CHANNEL else OriginKind.GROUP
            return Origin(kind, chat.title or "", chat.username or "")
    return Origin(OriginKind.HIDDEN)
