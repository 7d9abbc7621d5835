"""discord.py objects -> messages: pure; every place where a Discord message can carry text is read here.

The numbers in brackets name Discord's component flags and message types as its documentation does.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import discord

from adapters.chat.discord.refs import DISCORD
from bot.core.chat.links import Link, link_to
from bot.core.chat.message import (
    STAFF,
    Author,
    Kind,
    Media,
    Message,
    MessageRef,
    Origin,
    OriginKind,
)

ATTACHED = 64 * 1024  # bytes read of a text file
DELETED = 2**53  # the revision of a deletion: above every edit, the same however often it is delivered

#: `Message.extra`, which only this package reads back.
AVATAR, WEBHOOK, PARENT, TITLE, COMMAND, ASKED_BY, FIRST_ANSWER, BUTTON_OF = (
    "avatar", "webhook", "parent", "title", "command", "asked_by", "first_answer", "button_of",
)  # fmt: skip
CONTENT, FILES = "content", "files"  # where `Message.text` holds more: what its author typed, and the names of files
NAME = "name"  # the message is a member's name: NICK, one that they have in this server alone, or OWN
NICK, OWN = "nick", "own"

_TYPES = {
    discord.MessageType.default,
    discord.MessageType.reply,
    discord.MessageType.chat_input_command,
    discord.MessageType.context_menu_command,
    discord.MessageType.channel_name_change,  # a thread was renamed: its content is the new title
    discord.MessageType.poll_result,
}
_TEXT_FILES = (".txt", ".md", ".log", ".csv", ".json", ".srt", ".lrc")
_MODERATES = discord.Permissions(
    manage_messages=True, moderate_members=True, kick_members=True, ban_members=True, manage_guild=True
)


def is_readable(message: discord.Message, ours: Collection[int]) -> bool:
    """Whether somebody else has said something in a server: not ourselves (`ours`: our user, application and
    webhooks), not Discord, not a bot that still thinks."""
    return (
        message.guild is not None
        and message.type in _TYPES
        and message.author.id not in ours
        and message.application_id not in ours
        and message.webhook_id not in ours  # a message that we have restored
        and not message.flags.loading
        and not message.flags.ephemeral
    )


def read(message: discord.Message, *, attached: Iterable[str] = ()) -> Message:
    """One revision of a message; `attached` are the beginnings of its text files. Its author is unmet where Discord did
    not send a member along (history)."""
    assert message.guild is not None
    title = message.type is discord.MessageType.channel_name_change
    return Message(
        ref=MessageRef(DISCORD, str(message.channel.id), str(message.id), revision(message)),
        community_id=str(message.guild.id),
        author=_author(message),
        sent_at=said_at(message),
        text=text_of(message, attached),
        kind=Kind.EDIT if message.edited_at else Kind.NEW,
        reply_to=_reply_to(message),
        # Of a channel that is not cached, only the id is known.
        channel_name=getattr(message.channel, "name", None) or "",
        within=places(message.channel),
        typed=text_of(message, attached, file_names=False) if _files(message) else None,
        mentions=len({*message.raw_mentions, *message.raw_role_mentions}) + message.mention_everyone,
        links=_links(message),
        forwarded=_origin(message),
        media=_media(message),
        extra=_extra(message, attached) | ({TITLE: str(message.channel.id)} if title else {}),
    )


def read_plainly(message: discord.Message) -> Message:
    """What is left where reading has failed: the words as they were typed, by whom, and nothing that could fail."""
    assert message.guild is not None
    return Message(
        ref=MessageRef(DISCORD, str(message.channel.id), str(message.id), revision(message)),
        community_id=str(message.guild.id),
        author=Author(id=str(message.author.id), bot=bool(message.author.bot), unmet=True),
        sent_at=said_at(message),
        text=message.content if isinstance(message.content, str) else "",
        kind=Kind.EDIT if message.edited_at else Kind.NEW,
    )


def read_title(thread: discord.Thread) -> Message:
    """The title that a thread or forum post was opened with; later ones come as messages of type 4."""
    assert thread.created_at is not None
    return Message(
        ref=MessageRef(DISCORD, str(thread.id), f"title:{thread.id}"),
        community_id=str(thread.guild.id),
        author=Author(id=str(thread.owner_id), unmet=True),
        sent_at=thread.created_at,
        text=thread.name,
        channel_name=thread.name,
        within=places(thread),
        extra={TITLE: str(thread.id), PARENT: str(thread.parent_id)},
    )


def read_name(member: discord.Member, at: datetime) -> Message:
    """The name under which others see a member. A name has no number of its own: it counts as said when it is seen."""
    return Message(
        ref=MessageRef(DISCORD, str(member.guild.id), f"name:{member.id}", round(at.timestamp() * 1000)),
        community_id=str(member.guild.id),
        author=author_of(member, member.guild),
        sent_at=at,
        text=member.display_name,
        is_name=True,
        extra={NAME: NICK if member.nick else OWN},
    )


def read_filtered(execution: discord.AutoModAction, at: datetime) -> Message:
    """What AutoMod has stopped: it has no id, because it has never become a message."""
    nth = f"automod:{execution.rule_id}:{execution.user_id}"
    channel = execution.guild.get_channel_or_thread(execution.channel_id or 0)
    return Message(
        ref=MessageRef(DISCORD, str(execution.channel_id), nth, round(at.timestamp() * 1000)),
        community_id=str(execution.guild_id),
        author=Author(id=str(execution.user_id), unmet=True),
        sent_at=at,
        text=execution.content,
        within=places(channel),
        filtered=execution.matched_keyword or execution.matched_content or execution.rule_trigger_type.name,
        extra={PARENT: str(channel.parent_id)} if isinstance(channel, discord.Thread) else {},
    )


def read_deletion(guild_id: int, channel_id: int, message_id: int, at: datetime) -> Message:
    """Discord says neither who wrote the message nor who took it away."""
    return Message(
        ref=MessageRef(DISCORD, str(channel_id), str(message_id), DELETED),
        community_id=str(guild_id),
        author=Author(id=""),
        sent_at=at,
        kind=Kind.DELETE,
    )


def revision(message: discord.Message) -> int:
    """Milliseconds from the message to its last edit: grows with every edit, the same in every delivery."""
    edited = edited_at(message)
    return max(1, round((edited - message.created_at).total_seconds() * 1000)) if edited else 0


def edited_at(message: discord.Message) -> datetime | None:
    """A moment of which Discord did not say the zone is one of UTC, as all of its moments are."""
    edited = message.edited_at
    return edited if edited is None or edited.tzinfo else edited.replace(tzinfo=UTC)


def said_at(message: discord.Message) -> datetime:
    """When what it says now was said."""
    return edited_at(message) or message.created_at


def text_of(message: discord.Message, attached: Iterable[str] = (), *, file_names: bool = True) -> str:
    """All text that a reader of the message sees, one piece a line."""
    # People cannot write embeds: theirs are previews of links, which come and go by themselves.
    written = message.author.bot or message.webhook_id or message.type is discord.MessageType.poll_result
    pieces = list(_pieces(message, embeds=bool(written), file_names=file_names))
    if message.poll:
        pieces += [message.poll.question, *(answer.text for answer in message.poll.answers)]
    for snapshot in message.message_snapshots:
        pieces += _pieces(snapshot, embeds=True, file_names=file_names)
    return "\n".join(piece for piece in (*pieces, *attached) if piece)


def text_files(message: discord.Message) -> list[discord.Attachment]:
    """Attachments, forwarded ones included, that can be read as text."""
    return [
        file
        for file in _files(message)
        if (file.content_type or "").startswith("text/") or file.filename.lower().endswith(_TEXT_FILES)
    ]


def shown_name(file: discord.Attachment) -> str:
    """What people see: `filename` has lost everything but ASCII letters where its name had others (fact D46)."""
    return file.title or file.filename


def _files(message: discord.Message) -> list[discord.Attachment]:
    return [file for part in _parts(message) for file in part.attachments]


def _parts(message: discord.Message) -> tuple[discord.Message | discord.MessageSnapshot, ...]:
    return message, *message.message_snapshots


def _pieces(part: discord.Message | discord.MessageSnapshot, *, embeds: bool, file_names: bool) -> Iterator[str]:
    yield part.content
    if embeds:
        for embed in part.embeds:
            if embed.type in ("rich", "poll_result"):
                yield from _embed(embed)
    for component in part.components:
        yield from _component(component)
    for file in part.attachments:
        if file_names:
            yield shown_name(file)
        yield file.description or ""
    for sticker in part.stickers:
        yield sticker.name


def _embed(embed: discord.Embed) -> Iterator[str]:
    yield embed.author.name or ""
    yield embed.title or ""
    yield embed.description or ""
    for field in embed.fields:
        yield field.name or ""
        yield field.value or ""
    yield embed.footer.text or ""


def _links(message: discord.Message) -> tuple[Link, ...]:
    """What can be followed: addresses and [words](address) in any text, buttons, and the titles of bots' embeds."""
    found: dict[Link, None] = {}
    for part in _parts(message):
        for match in _ADDRESS.finditer(part.content):
            found[link_to(match["to"] or _without_end(match["bare"]), match["shown"] or "")] = None
        for embed in part.embeds:
            if embed.type == "rich":
                for address, shown in ((embed.url, embed.title), (embed.author.url, embed.author.name)):
                    if address:
                        found[link_to(address, shown or "")] = None
        for component in part.components:
            for address, shown in _buttons(component):
                found[link_to(address, shown)] = None
    return tuple(found)


#: As Discord makes links of text: [shown](to), where nobody would look behind what is shown, or the bare address.
_ADDRESS = re.compile(
    r"\[(?P<shown>[^\[\]]{1,300})\]\(\s*<?(?P<to>https?://[^\s<>()]+)[^()]{0,300}\)"
    r"|(?P<bare>https?://[^\s<>]+|(?<![\w.@/-])discord(?:\.gg|(?:app)?\.com/invite)/[\w-]+)",
    re.IGNORECASE,
)


def _without_end(address: str) -> str:
    """Signs that end a sentence end the address, too, and so does a bracket that was opened before it."""
    address = address.rstrip(".,:;!?\"'*_~|`]")
    return address[:-1] if address.endswith(")") and "(" not in address else address


def _buttons(component: Any) -> Iterator[tuple[str, str]]:
    """Addresses of a component and of what it holds, with what is shown."""
    if isinstance(address := getattr(component, "url", None), str):
        yield address, getattr(component, "label", None) or ""
    for part in _held(component):
        yield from _buttons(part)


def _origin(message: discord.Message) -> Origin | None:
    """Of a forward Discord tells the channel, which may be anybody's, and not who wrote it."""
    if not message.message_snapshots or message.reference is None or message.guild is None:
        return None
    channel = message.guild.get_channel_or_thread(message.reference.channel_id)
    return Origin(OriginKind.CHANNEL, title=channel.name if channel else "")


def _media(message: discord.Message) -> frozenset[Media]:
    parts = _parts(message)
    kinds = {_kind_of(file) for file in _files(message)}
    kinds |= {Media.STICKER} if any(part.stickers for part in parts) else set()
    kinds |= {Media.POLL} if message.poll else set()
    return frozenset(kinds | ({Media.BUTTONS} if any(part.components for part in parts) else set()))


def _kind_of(file: discord.Attachment) -> Media:
    if file.is_voice_message():
        return Media.VOICE
    family, _, form = (file.content_type or "").partition("/")
    if form.startswith("gif"):
        return Media.ANIMATION
    return {"image": Media.PHOTO, "video": Media.VIDEO, "audio": Media.AUDIO}.get(family, Media.FILE)


_SPOKEN = ("content", "label", "placeholder", "description", "name")
_NESTED = ("children", "items", "options", "accessory", "component")


def _component(component: Any) -> Iterator[str]:
    """The words of any component, and of what it holds: text displays, sections, containers, buttons, menus."""
    for attribute in _SPOKEN:
        if isinstance(words := getattr(component, attribute, None), str):
            yield words
    for part in _held(component):
        yield from _component(part)


def _held(component: Any) -> Iterator[Any]:
    for attribute in _NESTED:
        inner = getattr(component, attribute, None)
        for part in inner if isinstance(inner, list | tuple) else [inner]:
            if part is not None and not isinstance(part, str):
                yield part


def _author(message: discord.Message) -> Author:
    assert message.guild is not None
    if message.webhook_id:
        # One that no application owns is a person's tool: a bridge to another chat, a feed, a leaked address.
        owned = message.application_id is not None
        return Author(id=str(message.webhook_id), name=message.author.display_name, bot=owned, no_account=True)
    return author_of(message.author, message.guild)


def author_of(user: discord.Member | discord.User, guild: discord.Guild) -> Author:
    """Roles by id and by name, and what a member may do as the words of STAFF. Somebody of whom only the account is
    known is unmet."""
    roles: set[str] = set()
    if isinstance(user, discord.Member):
        shown = [role for role in user.roles if not role.is_default()]
        # A role that merely calls itself "admin" makes nobody staff.
        roles = {str(role.id) for role in shown} | {role.name for role in shown if role.name not in STAFF}
        if user.guild_permissions.administrator:
            roles.add("admin")
        elif moderates(user.guild_permissions):
            roles.add("moderator")
    if user.id == guild.owner_id:
        roles.add("owner")
    return Author(
        id=str(user.id),
        name=user.display_name,
        roles=frozenset(roles),
        bot=user.bot,
        since=user.joined_at if isinstance(user, discord.Member) else None,
        account_since=user.created_at,
        unmet=not isinstance(user, discord.Member),
    )


def moderates(permissions: discord.Permissions) -> bool:
    """Whether who may do this is staff."""
    return permissions.administrator or bool(permissions.value & _MODERATES.value)


def _reply_to(message: discord.Message) -> str | None:
    reference = message.reference
    if reference is None or message.message_snapshots or message.type is not discord.MessageType.reply:
        return None
    return str(reference.message_id) if reference.message_id else None


def places(channel: object) -> frozenset[str]:
    """Ids and names of what a channel lies in. Titles of threads and names of voice channels are not among them:
    members choose those, and nobody may name themselves out of a rule."""
    parent = channel.parent if isinstance(channel, discord.Thread) else channel
    category = getattr(parent, "category", None)
    names = {one.name for one in (parent, category) if isinstance(one, _NAMED_BY_STAFF)}
    ids = {getattr(channel, "parent_id", None), getattr(parent, "category_id", None)}
    return frozenset(names | {str(id_) for id_ in ids if id_})


_NAMED_BY_STAFF = (discord.TextChannel, discord.ForumChannel, discord.CategoryChannel)


def _extra(message: discord.Message, attached: Iterable[str]) -> dict[str, str]:
    extra = {AVATAR: message.author.display_avatar.url}
    if files := _files(message):
        extra[FILES] = "\n".join(map(shown_name, files))
    if files or attached or message.stickers or message.message_snapshots:
        forwarded = (snapshot.content for snapshot in message.message_snapshots)
        extra[CONTENT] = "\n".join(filter(None, (message.content, *forwarded)))
    if message.webhook_id:
        extra[WEBHOOK] = str(message.webhook_id)
    if isinstance(message.channel, discord.Thread):
        extra[PARENT] = str(message.channel.parent_id)
    if asked := message.interaction_metadata:
        extra[ASKED_BY] = str(asked.user.id)
        for key, value in (
            (FIRST_ANSWER, asked.original_response_message_id),
            (BUTTON_OF, asked.interacted_message_id),
        ):
            if value:
                extra[key] = str(value)
        if name := getattr(message._interaction, "name", None):  # deprecated by Discord, and the only place of the name
            extra[COMMAND] = name
    return extra
