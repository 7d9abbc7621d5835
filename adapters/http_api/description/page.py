"""The OpenAPI document -> a page that people read, whole in itself: no script, nothing from anywhere else."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.http_api.description.openapi import described
from bot.core.text.catalogue import texts

_HERE = Path(__file__).parent
_STYLE = (_HERE / "page.css").read_text("utf-8")

#: Each by its own name.
_NAMES = {"ko": "한국어", "en": "English"}

#: Whatever stands on the page is text: nothing of it may run, and nothing is fetched for it.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Word(NamedTuple):
    """Of a type as it is written: `shape` is the one that it names."""

    text: str
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: tuple[Word, ...]
    is_needed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    meaning: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    meaning: str
    type: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    summary: str
    meaning: str
    takes_a_key: bool
    body: tuple[Word, ...]
    body_meaning: str
    answers: tuple[Answer, ...]


@cache
def page(language: str) -> bytes:
    document = described(language)
    loader = FileSystemLoader(_HERE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    content = environment.get_template("page.html.j2").render(
        say=texts(language),
        languages=_NAMES,
        style=_STYLE,
        info=document["info"],
        operations=list(_operations(document["paths"])),
        shapes=[_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
    )
    return content.encode()


def _operations(paths: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in paths.items():
        for method, one in methods.items():
            body = one.get("requestBody", {})
            yield Operation(
                name=one["operationId"],
                method=method.upper(),
                path=path + "".join(f"?{one['name']}=…" for one in one.get("parameters", ())),
                summary=one["summary"],
                meaning=one.get("description", ""),
                takes_a_key=one.get("security") != [],
                body=tuple(_content(body)),
                body_meaning=body.get("description", ""),
                answers=tuple(
                    Answer(status, answer["description"], tuple(_content(answer)))
                    for status, answer in one["responses"].items()
                ),
            )


def _content(part: Mapping[str, Any]) -> Iterator[Word]:
    for content in part.get("content", {}).values():
        yield from _type(content["schema"])


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    needed = schema.get("required", ())
    fields = tuple(
        Field(field, tuple(_type(one)), field in needed, one.get("description", ""))
        for field, one in schema.get("properties", {}).items()
    )
    return Shape(name, schema.get("description", ""), fields)


def _type(schema: Mapping[str, Any]) -> Iterator[Word]:
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        yield Word(name, name)
    elif either := schema.get("anyOf"):
        for place, one in enumerate(either):
            yield from ([Word(" | ")] if place else [])
            yield from _type(one)
    elif "const" in schema or "enum" in schema:
        yield Word(" | ".join(f'"{one}"' for one in schema.get("enum", [schema.get("const")])))
    elif schema.get("type") == "array":
        yield Word("[")
        for first in schema.get("prefixItems", ()):
            yield from _type(first)
            yield Word(", ")
        yield from _type(schema.get("items", {}))
        yield Word(", …]" + _bounds(schema, "Items"))
    elif isinstance(inner := schema.get("additionalProperties"), Mapping):
        yield Word("{string: ")
        yield from _type(inner)
        yield Word("}")
    else:
        yield Word(schema.get("format", schema.get("type", "any")) + _bounds(schema, "Length"))


def _bounds(schema: Mapping[str, Any], of: str) -> str:
    """How much of it at most."""
    return f" (≤ {most:,})" if (most := schema.get(f"max{of}")) else ""
