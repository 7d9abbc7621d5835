"""Rows and the names of messages <-> the parameters and columns that hold them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.core.chat.message import MessageRef, Platform
from storage.tables import AnyRow, plain


def write_rows(rows: Iterable[Sequence[str | int | float | None]]) -> str:
    """For the parameter `given` of Database.sql. What is not Unicode is found out there, before anything is stored."""
    return json.dumps(list(rows), ensure_ascii=False, allow_nan=False)


def write_refs(refs: Iterable[MessageRef]) -> str:
    return write_rows(map(key, refs))


def key(ref: MessageRef) -> tuple[str, str, str, int]:
    """Values for the columns tables.REF; the first three name the message, whichever revision."""
    return ref.platform, plain(ref.channel_id), plain(ref.message_id), ref.revision


def plain_ref(ref: MessageRef) -> MessageRef:
    """As it is read again."""
    return replace(ref, channel_id=plain(ref.channel_id), message_id=plain(ref.message_id))


def read_ref(row: AnyRow) -> MessageRef:
    """`row` has the columns tables.REF."""
    return MessageRef(Platform(row.platform), row.channel, row.message, row.revision)
