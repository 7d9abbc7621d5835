"""Values -> TOML that reads back as the same: a table a section, and what lies deeper within it on one line."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

_WIDE = 100  # characters from which on a list takes a line for each of its entries


def toml(table: Mapping[str, object]) -> str:
    """Of strings, numbers, flags, moments, lists and tables; a list of tables at the top becomes one section each."""
    return "\n".join(_lines(table))


def _lines(table: Mapping[str, object]) -> Iterator[str]:
    sections = {key: value for key, value in table.items() if isinstance(value, Mapping) or _is_of_tables(value)}
    yield from (f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in sections)
    for key, value in sections.items():
        heading = f"[{_key(key)}]" if isinstance(value, Mapping) else f"[[{_key(key)}]]"
        for one in (value,) if isinstance(value, Mapping) else value:  # type: ignore[attr-defined]  # a list of tables
            yield from ("", heading, *(f"{_key(name)} = {_value(within)}" for name, within in one.items()))


def _is_of_tables(value: object) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str) and bool(value)
    return is_list and all(isinstance(one, Mapping) for one in value)  # type: ignore[attr-defined]  # a list


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value) if "\n" not in value else _lines_of(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            within = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
            return f"{{ {within} }}" if within else "{}"
        case Sequence():
            return _list([_value(one) for one in value])
    return repr(value)


def _list(entries: Sequence[str]) -> str:
    if sum(map(len, entries)) < _WIDE:
        return f"[{', '.join(entries)}]"
    return "\n".join(("[", *(f"  {entry}," for entry in entries), "]"))


def _lines_of(text: str) -> str:
    """The same over several lines; a break behind the quotation marks is none."""
    return '"""\n' + "\n".join(_text(line)[1:-1] for line in text.split("\n")) + '"""'


def _text(text: str) -> str:
    """A basic string: JSON's escapes are all known to TOML, which escapes one more letter."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
