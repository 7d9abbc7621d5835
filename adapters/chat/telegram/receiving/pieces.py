"""A message of Telegram's -> every piece of text that its readers see, every link, and what else it carries."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from telegram import (
    Chat,
    ExternalReplyInfo,
    InlineKeyboardMarkup,
    MessageEntity,
    MessageOrigin,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
    Poll,
)
from telegram import (
    Message as TelegramMessage,
)

from bot.core.chat.links import Link, LinkKind, link_to
from bot.core.chat.message import Media, Origin, OriginKind

Piece = str | Link


def pieces(source: TelegramMessage) -> Iterator[Piece]:
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
    if origin and (found := origin_of(origin)).kind in (OriginKind.CHANNEL, OriginKind.GROUP, OriginKind.BOT):
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


def media(source: TelegramMessage) -> Iterator[Media]:
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


def origin_of(origin: MessageOrigin) -> Origin:
    match origin:
        case MessageOriginUser(sender_user=user):
            return Origin(OriginKind.BOT if user.is_bot else OriginKind.PERSON, user.full_name, user.username or "")
        case MessageOriginHiddenUser():
            return Origin(OriginKind.HIDDEN, origin.sender_user_name)
        case MessageOriginChat(sender_chat=chat) | MessageOriginChannel(chat=chat):
            kind = OriginKind.CHANNEL if chat.type == Chat.CHANNEL else OriginKind.GROUP
            return Origin(kind, chat.title or "", chat.username or "")
    return Origin(OriginKind.HIDDEN)
