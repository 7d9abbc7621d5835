"""What KakaoTalk, DiscordChatExporter and Telegram Desktop export, in any usual encoding -> rows of a transcript."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]

#: KakaoTalk for computers: a line a day, then "[who] [at] words"; for phones the day stands in every line. Both say who
#: came and went in between.
_DATE, _TIME = r"(\d{4})(?:년|\.) (\d{1,2})(?:월|\.) (\d{1,2})(?:일|\.)", r"(?:(오전|오후) )?(\d{1,2}):(\d{2})"
_DAY = re.compile(r"-{5,} (\d{4})년 (\d{1,2})월 (\d{1,2})일 .+-{5,}")
_SAID = re.compile(rf"\[(.+?)\] \[{_TIME}\] (.*)")
_PHONE = re.compile(rf"{_DATE} {_TIME}, (.+?) : (.*)")
_NOTICE = re.compile(
    rf"{_DATE} (?:.요일|{_TIME}(?:, .*)?)$|.+님[이을] (?:들어왔|나갔|내보냈|초대했)습니다\."
    r"|채팅방 관리자가 메시지를 가렸습니다\."
)
_KAKAO = re.compile(r"카카오톡 대화|저장한 날짜|KakaoTalk Chats")


def rows(path: Path, content: str, zone: ZoneInfo) -> Iterator[Row] | None:
    """`zone`: where what has no offset was written. None: no program that is known has exported it. Raises EOFError
    where it is cut off, and ValueError, while it is read, where it is not as the program writes it."""
    head = content[:4_000].lstrip()
    if head.startswith("{"):
        return _of_json(path, content, head)
    if head.startswith("AuthorID,Author,Date,Content"):
        return _each(csv.DictReader(StringIO(content, newline="")), lambda row: _of_exporter_csv(row, path))
    if head.startswith("Date,User,Message"):
        return _each(csv.DictReader(StringIO(content, newline="")), lambda row: _of_kakao_csv(row, path, zone))
    if _KAKAO.search(head) or any(map(_PHONE.match, head.splitlines())) or any(map(_DAY.match, head.splitlines())):
        return _each(_of_kakao(content, zone), lambda row: row | {"community": path.stem})
    return None


def _of_json(path: Path, content: str, head: str) -> Iterator[Row] | None:
    if not re.search(r'"(guild|messages|personal_information)"\s*:', head):
        return None
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError) and error.msg != "Extra data":
            raise EOFError from None
        return None  # perhaps a transcript, a line of which says "guild"
    if not isinstance(told, dict) or not isinstance(told.get("messages"), list):
        return None
    if "guild" in told:
        return _each(told["messages"], lambda one: _of_exporter(one, told))
    said = (one for one in told["messages"] if not isinstance(one, dict) or one.get("type") == "message")
    return _each(said, lambda one: _of_telegram(one, str(told.get("name") or path.stem)))


def _each(several: Any, row: Callable[[Any], Row]) -> Iterator[Row]:
    """Each with a number of its own, where the program gives it none."""
    try:
        for number, one in enumerate(several, 1):
            yield {"message": str(number), "channel": "-"} | row(one)
    except (KeyError, TypeError, AttributeError, OverflowError, OSError, csv.Error) as error:
        raise ValueError(repr(error)) from None


def _of_exporter(one: Mapping[str, Any], whole: Mapping[str, Any]) -> Row:
    author, answered = one["author"], one.get("reference") or {}
    return {
        "at": one["timestamp"],
        "community": whole["guild"]["name"],
        "channel": whole["channel"]["name"],
        "author": author.get("nickname") or author["name"],
        "message": one["id"],
        "text": one["content"],
        "reply_to": answered.get("messageId"),
        "bot": bool(author.get("isBot")),
        "roles": [role["name"] for role in author.get("roles") or ()],
    }


def _of_exporter_csv(one: Mapping[str, str], path: Path) -> Row:
    return {"at": one["Date"], "community": path.stem, "author": one["Author"], "text": one["Content"] or ""}


def _of_telegram(one: Mapping[str, Any], name: str) -> Row:
    words = one.get("text", "")
    parts = words if isinstance(words, list) else [words]
    answered = one.get("reply_to_message_id")
    return {
        "at": datetime.fromtimestamp(int(one["date_unixtime"])).astimezone().isoformat(),
        "community": name,
        "author": one.get("from") or one.get("from_id") or "?",
        "message": str(one["id"]),
        "text": "".join(part if isinstance(part, str) else part["text"] for part in parts),
        "reply_to": None if answered is None else str(answered),
    }


def _of_kakao_csv(one: Mapping[str, str], path: Path, zone: ZoneInfo) -> Row:
    at = datetime.fromisoformat(one["Date"]).replace(tzinfo=zone)
    return {"at": at.isoformat(), "community": path.stem, "author": one["User"], "text": one["Message"] or ""}


def _of_kakao(content: str, zone: ZoneInfo) -> Iterator[Row]:
    """What stands below a line, without an author of its own, belongs to it, unless KakaoTalk says it."""
    day: tuple[str, ...] = ()
    row: Row = {}
    for line in content.replace("\r\n", "\n").split("\n"):
        phone, desk = _PHONE.match(line), _SAID.match(line)
        if found := _DAY.match(line):
            day = found.groups()
        elif phone or (desk and day):
            if row:
                yield row
            if phone:
                year, month, date, half, hour, minute, who, words = phone.groups()
            else:
                assert desk
                (year, month, date), (who, half, hour, minute, words) = day, desk.groups()
            hours = int(hour) % 12 + (12 if half == "오후" else 0) if half else int(hour)
            at = datetime(int(year), int(month), int(date), hours, int(minute), tzinfo=zone)
            row = {"at": at.isoformat(), "author": who, "text": words}
        elif row and line.strip() and not _NOTICE.match(line):
            row["text"] += f"\n{line}"
    if row:
        yield row
