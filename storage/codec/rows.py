"""Rows and the names of messages <-> the parameters and columns that hold them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.core.chat.message import MessageRef, Platform
from storage.columns import AnyRow, plain
from storage.tables import messages, queue

#: What names a revision, waiting or settled (read_ref).
QUEUED_REF = (queue.c.platform, queue.c.channel, queue.c.message, queue.c.revision)
SETTLED_REF = (messages.c.platform, messages.c.channel, messages.c.message, messages.c.revision)


def write_rows(rows: Iterable[Sequence[str | int | float | None]]) -> str:
    """For the parameter `given` of Database.sql. What is not Unicode is found out there, before anything is stored."""
    return json.dumps(list(rows), ensure_ascii=False, allow_nan=False)


def write_sealed_rows(rows: Iterable[Sequence[str | int | float | bytes | None]]) -> dict[str, str | bytes]:
    """For both parameters of Database.sql, `given` and `sealed`: of what is sealed a row says where it begins, from 1,
    and how long it is."""
    sealed = bytearray()

    def place(value: str | int | float | bytes | None) -> object:
        if not isinstance(value, bytes):
            return value
        sealed.extend(value)
        return len(sealed) - len(value) + 1, len(value)

    given = json.dumps([[place(value) for value in row] for row in rows], ensure_ascii=False, allow_nan=False)
    return {"given": given, "sealed": bytes(sealed)}


def write_refs(refs: Iterable[MessageRef]) -> str:
    return write_rows(map(key, refs))


def key(ref: MessageRef) -> tuple[str, str, str, int]:
    """Values for the columns QUEUED_REF; the first three name the message, whichever revision."""
    return ref.platform, plain(ref.channel_id), plain(ref.message_id), ref.revision


def plain_ref(ref: MessageRef) -> MessageRef:
    """As it is read again."""
    return replace(ref, channel_id=plain(ref.channel_id), message_id=plain(ref.message_id))


def read_ref(row: AnyRow) -> MessageRef:
    """`row` has the columns QUEUED_REF or SETTLED_REF."""
    return MessageRef(Platform(row.platform), row.channel, row.message, row.revision)
