"""Writes docs/*/configuration.md: every setting as the sections, networks, conditions and actions declare it.

python -m tests.pictures.configuration
"""

import ast
import inspect
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bot.app.chats import NETWORKS
from bot.config.conditions import When
from bot.config.networks import with_sections
from bot.config.rules import CHOICES, RuleSettings
from bot.config.writing import toml
from bot.core.moderators.network import Network
from bot.core.rules.conditions import CONDITIONS, Condition, Written
from bot.core.text.catalogue import LANGUAGES, texts

DOCS = Path(__file__).parents[2] / "docs"

TITLE = {"ko": "설정 항목", "en": "Settings"}
ABOUT = {
    "ko": "이 쪽은 코드에서 만듭니다(`make configuration`). 모든 항목은 생략할 수 있습니다. 기간은 `30s`, `10m`, `2h`, "
    "`7d`처럼 적습니다. 보기는 [config.example.toml](../../config.example.toml), 붙여 쓸 규칙은 "
    "[규칙 요리책](rules.md)에 있습니다.",
    "en": "This page is made from the code (`make configuration`). Every key may be left out. Spans of time are "
    "written as `30s`, `10m`, `2h`, `7d`. An example is [config.example.toml](../../config.example.toml); rules to "
    "paste are in the [cookbook](rules.md).",
}
COLUMNS = {"ko": ("항목", "뜻", "기본값"), "en": ("Key", "Meaning", "Default")}
FORM = {"ko": "적는 법", "en": "Written as"}

#: What sections and conditions without a docstring are.
PLAIN = {
    "discord": "Discord.",
    "telegram": "Telegram.",
    "rules": "A rule. One with the name of a shipped rule replaces it.",
    "when": "The conditions; all that are given must hold.",
    "then": "The actions; those of all rules that match are taken together.",
    "mentions": "It mentions at least so many.",
    "roles": "Its author has one of these roles, by name or id.",
    "edited": "It is an edit.",
    "by_bot": "Whether a bot has written it.",
}

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))

Said = Mapping[str, Mapping[str, str]]


def page(language: str) -> str:
    said, words = (_in_korean() if language == "ko" else _in_english()), texts(language)
    lines = [f"# {TITLE[language]}", "", ABOUT[language]]

    def part(marks: str, name: str, rows: Sequence[Sequence[str]], last: str = "") -> None:
        lines.extend(("", f"{marks} {name}", "", said["sections"][name], "", *_table(rows, language, last)))

    for name, section in with_sections(NETWORKS).model_fields.items():
        if name != "rules":
            own = inspect.get_annotations(type(section.default))  # those of another section are not told again
            keys = {key: one for key, one in type(section.default).model_fields.items() if key in own}
            part("##", name, [(key, said[name][key], _default(one)) for key, one in keys.items()])
    rules, conditions = RuleSettings.model_fields, When.model_fields
    part("##", "rules", [(key, said["rules"][key], _default(one)) for key, one in rules.items()])
    part("###", "when", [(key, said["when"][key], _form(one)) for key, one in conditions.items()], FORM[language])
    actions = [one.strip('"') for one in CHOICES["action"]]
    part("###", "then", [(one, words[f"action.{one.split()[0]}"]) for one in actions])
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Sequence[str]], language: str, last: str = "") -> Iterator[str]:
    columns = (*COLUMNS[language][:2], last or COLUMNS[language][2])[: len(rows[0])]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for key, *cells in rows:
        yield f"| `{key}` | {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: FieldInfo) -> str:
    """What holds where it is left out, and what else it may be."""
    value, choices = field.get_default(call_default_factory=True), list(_choices(field.annotation))
    if field.is_required() or value is None:
        shown = ""
    elif choices:
        return ", ".join(f"**{one}**" if one == value else str(one) for one in choices)
    else:
        shown = f"`{_written(value)}`"
    return shown or ", ".join(choices)


def _form(field: FieldInfo) -> str:
    """What stands after the condition's key: true, a value, a list, or a table of these keys."""
    (form,) = (one for one in get_args(field.annotation) if one is not NoneType)
    form = get_args(form)[0] if get_origin(form) is Annotated else form
    if inspect.isclass(form) and issubclass(form, BaseModel):
        return f"`{{ {', '.join(form.model_fields)} }}`"
    return {bool: "`true`, `false`", int: "`3`", timedelta: '`"1d"`'}.get(form) or (
        "`true`" if get_args(form) == (True,) else "`[…]`"
    )


def _written(value: object) -> str:
    match value:
        case {}:
            return "{}"
        case SecretStr():
            return '""'
        case timedelta():
            seconds = int(value.total_seconds())
            unit, length = next((one for one in UNITS if seconds and seconds % one[1] == 0), UNITS[-1])
            return f'"{seconds // length}{unit}"'
        case list() if value and not isinstance(value[0], str | int):
            return _written(
                [one.kind if one.kind != "timeout" else f"timeout {_written(one.lasting)[1:-1]}" for one in value]
            )
    return toml({"key": value}).removeprefix("key = ")


def _choices(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from (one for one in get_args(hint) if isinstance(one, str))
    elif get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _choices(one)


def _in_korean() -> Said:
    return tomllib.loads((DOCS / "ko" / "settings.toml").read_text("utf-8"))


def _in_english() -> Said:
    sections = {
        name: type(field.default) for name, field in with_sections(NETWORKS).model_fields.items() if name != "rules"
    }
    networks: dict[str, type[Network]] = {one.platform: one for one in NETWORKS}
    said: dict[str, dict[str, str]] = {"sections": dict(PLAIN)}
    for name, table in sections.items():
        declared: list[type[Any]] = [Network, networks[name]] if name in networks else [table]
        said[name] = {key: text for one in declared for key, text in _below(one)}
        if name not in networks:
            said["sections"][name] = _sentence((inspect.getdoc(table) or "").partition(": ")[2])
        said[name] = {key: text.replace("<SECTION>", name.upper()) for key, text in said[name].items()}
    said["rules"] = dict(_below(RuleSettings))
    said["when"] = {one.key: PLAIN.get(one.key) or _meaning(one) for one in CONDITIONS}
    return said


def _meaning(condition: type[Condition]) -> str:
    """Its docstring, in which fields are called as they are written."""
    text = (inspect.getdoc(condition) or "").partition("\n\n")[0]
    for name, hint in get_type_hints(condition, include_extras=True).items():
        for key in (one.name for one in getattr(hint, "__metadata__", ()) if isinstance(one, Written)):
            text = text.replace(f"`{name}`", f"`{key}`")
    return text


def _below(declared: type[BaseModel] | type[Network]) -> Iterator[tuple[str, str]]:
    """The docstrings below the fields of a class."""
    (table,) = ast.parse(inspect.getsource(declared)).body
    assert isinstance(table, ast.ClassDef)
    for field, after in pairwise(table.body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            yield ast.unparse(field.target), inspect.cleandoc(ast.literal_eval(after.value))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    for one in LANGUAGES:
        (DOCS / one / "configuration.md").write_text(page(one), "utf-8")
