"""A message <-> its columns and its body, which is all erased together."""

from typing import Literal

from pydantic import AwareDatetime, Field

from bot.core.chat.amounts import A_MESSAGE, Amounts
from bot.core.chat.links import Link, LinkKind
from bot.core.chat.message import Author, Kind, Media, Message, Origin, OriginKind, Pairing
from storage.codec.rows import QUEUED_REF, SETTLED_REF, read_ref
from storage.codec.stored import Stored, fitting
from storage.columns import AnyRow, writable
from storage.community_key import community_of
from storage.tables import incidents, messages, queue

#: What a message is read from: one that waits, and one that there is an incident of, as it was judged.
QUEUED = (*QUEUED_REF, community_of(queue)[1], queue.c.author, queue.c.kind, queue.c.sent_at, queue.c.body)
JUDGED = (
    *SETTLED_REF, community_of(incidents)[1], incidents.c.author, messages.c.kind, messages.c.sent_at, incidents.c.body,
)  # fmt: skip


_BITS = 12  # of the number that holds all amounts, for each of them
_MOST = (1 << _BITS) - 1  # of more, so much is known


class _Link(Stored):
    kind: LinkKind
    target: str
    shown: str = ""


class _Origin(Stored):
    kind: OriginKind
    title: str = ""
    name: str = ""


class _Body(Stored):
    """What of a message has no column of its own; it is all erased together."""

    v: Literal[1]
    text: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    bot: bool = False
    myself: bool = False
    no_account: bool = False
    unmet: bool = False
    since: AwareDatetime | None = None
    account_since: AwareDatetime | None = None
    reply_to: str | None = None
    prompt: str | None = None
    pairing: Pairing | None = None
    lead: str = ""
    channel: str = ""  # its name
    within: tuple[str, ...] = ()
    typed: str | None = None
    mentions: int = 0
    links: tuple[_Link, ...] = ()
    forwarded: _Origin | None = None
    quoted: _Origin | None = None
    media: tuple[Media, ...] = ()
    via_bot: str | None = None
    is_name: bool = False
    more_to_come: bool = False
    filtered: str | None = None
    flagged: bool = False
    extra: dict[str, str] = Field(default_factory=dict)


def write_body(message: Message) -> str:
    author = message.author
    with fitting("message"):
        body = _Body(
            v=1,
            text=writable(message.text),
            name=writable(author.name),
            roles=tuple(sorted(map(writable, author.roles))),
            bot=author.bot,
            myself=author.myself,
            no_account=author.no_account,
            unmet=author.unmet,
            since=author.since,
            account_since=author.account_since,
            reply_to=None if message.reply_to is None else writable(message.reply_to),
            prompt=None if message.prompt is None else writable(message.prompt),
            channel=writable(message.channel_name),
            within=tuple(sorted(map(writable, message.within))),
            typed=None if message.typed is None else writable(message.typed),
            pairing=message.pairing,
            lead=writable(message.lead),
            mentions=message.mentions,
            links=tuple(
                _Link(kind=link.kind, target=writable(link.target), shown=writable(link.shown))
                for link in message.links
            ),
            forwarded=_write_origin(message.forwarded),
            quoted=_write_origin(message.quoted),
            media=tuple(sorted(message.media)),
            via_bot=None if message.via_bot is None else writable(message.via_bot),
            is_name=message.is_name,
            more_to_come=message.more_to_come,
            filtered=None if message.filtered is None else writable(message.filtered),
            flagged=message.flagged,
            extra={writable(key): writable(value) for key, value in message.extra.items()},
        )
    return body.model_dump_json(exclude_defaults=True)


def _write_origin(origin: Origin | None) -> _Origin | None:
    if origin is None:
        return None
    return _Origin(kind=origin.kind, title=writable(origin.title), name=writable(origin.name))


def _read_origin(origin: _Origin | None) -> Origin | None:
    return None if origin is None else Origin(origin.kind, origin.title, origin.name)


def read_message(row: AnyRow, *, with_body: bool = True) -> Message:
    """`row` has the columns QUEUED or JUDGED. Where the body was erased, only what names the message is left."""
    with fitting("message"):
        body = _Body.model_validate_json(row.body) if with_body and row.body is not None else _Body(v=1)
    return Message(
        ref=read_ref(row),
        community_id=row.community,
        author=Author(
            id=row.author or "",
            name=body.name,
            roles=frozenset(body.roles),
            bot=body.bot,
            myself=body.myself,
            no_account=body.no_account,
            unmet=body.unmet,
            since=body.since,
            account_since=body.account_since,
        ),
        sent_at=row.sent_at,
        text=body.text,
        kind=Kind(row.kind),
        reply_to=body.reply_to,
        prompt=body.prompt,
        pairing=body.pairing,
        lead=body.lead,
        channel_name=body.channel,
        within=frozenset(body.within),
        typed=body.typed,
        mentions=body.mentions,
        links=tuple(Link(link.kind, link.target, link.shown) for link in body.links),
        forwarded=_read_origin(body.forwarded),
        quoted=_read_origin(body.quoted),
        media=frozenset(body.media),
        via_bot=body.via_bot,
        is_name=body.is_name,
        more_to_come=body.more_to_come,
        filtered=body.filtered,
        flagged=body.flagged,
        extra=body.extra,
    )


def write_amounts(amounts: Amounts) -> int | None:
    """How much a message posts, as one number. None of one in which there is nothing to count."""
    number = 0
    for amount in amounts[1:]:  # a message is one
        number = number << _BITS | min(amount, _MOST)
    return number or None


def read_amounts(number: int | None) -> Amounts:
    if number is None:
        return A_MESSAGE
    places = range(len(A_MESSAGE) - 2, -1, -1)
    return Amounts(1, *(number >> place * _BITS & _MOST for place in places))
