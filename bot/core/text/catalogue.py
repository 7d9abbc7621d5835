"""Every sentence the product says, in Korean and English: key + facts -> text.

The sentences stand in bot/wording/ko/ and en/, a file a capability, key by key the same; `{name}` marks a fact. Behind
one, Korean has the particle that its sound asks for, English the words for one before the bar, for more behind it:
{count:,} incident{count:|s} {count:waits|wait}.
Errors and the lines of the log are written in English where they arise; ko/errors.toml and ko/log.toml say each of them
in Korean.
What only one section of a report says stands in that section's folder.
"""

import json
import locale
import os
import string
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from bot.core.base.errors import BotError
from bot.core.text.particles import filled

LANGUAGES = ("ko", "en")


class _English(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        one, bar, more = format_spec.partition("|")
        return (one if str(value) == "1" else more) if bar else super().format_field(value, format_spec)


_ENGLISH = _English()


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's sentences; `say["key"]` is the bare text, `say("key", fact=…)` fills the facts in."""

    language: str
    sentences: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.sentences[key]

    def __contains__(self, key: str) -> bool:
        return key in self.sentences

    def get(self, key: str, default: str) -> str:
        return self.sentences.get(key, default)

    def __call__(self, key: str, /, **facts: object) -> str:
        sentence = self.sentences[key]
        return filled(sentence, facts) if self.language == "ko" else _ENGLISH.vformat(sentence, (), facts)

    def why(self, said: BotError | str) -> str:
        """What an error says, and the errors in it; or why there is no verdict, which is kept in English."""
        if isinstance(said, str):
            return self.get(f"errors.{said}", said)
        if f"errors.{said.sentence}" not in self:
            return str(said)
        facts = {
            name: self.why(fact) if isinstance(fact, BotError | str) else fact for name, fact in said.facts.items()
        }
        return self(f"errors.{said.sentence}", **facts)

    def as_noted(self, note: str) -> str:
        """The sentence that `noted` has kept. A network's own words stand as they are, and so does what was kept as a
        sentence before."""
        key, _, kept = note.partition(" ")
        if key not in self:
            return note
        with suppress(ValueError, KeyError):
            facts = json.loads(kept or "{}")
            return self(key, **{name: self._listed(fact) for name, fact in facts.items()})
        return note

    def _listed(self, fact: object) -> object:
        return ", ".join(self[key] for key in fact) if isinstance(fact, list) else fact


def noted(key: str, /, **facts: object) -> str:
    """A sentence for the record, to be said later in the language of whoever reads it: its key, with its facts as
    JSON. Of a list each is the key of what is called so."""
    return f"{key} {json.dumps(facts, ensure_ascii=False)}" if facts else key


@lru_cache
def texts(language: str) -> Texts:
    """The sentences of "ko" or "en"."""
    sentences: dict[str, str] = {}
    for page in files("bot.wording").joinpath(language).iterdir():
        sentences |= _flat(tomllib.loads(page.read_text("utf-8")))
    return Texts(language, sentences)


@lru_cache
def texts_on(network: str, language: str) -> Texts:
    """Those, as one network calls things: what stands below its name ("telegram.mode.live") goes before the general
    ("mode.live")."""
    sentences = texts(language).sentences
    own = {key.removeprefix(f"{network}."): text for key, text in sentences.items() if key.startswith(f"{network}.")}
    return Texts(language, {**sentences, **own})


@lru_cache
def texts_beside(package: str, language: str) -> Texts:
    """Those, and the sentences of `package` alone, which stand in its folder (ko.toml, en.toml)."""
    content = tomllib.loads(files(package).joinpath(f"{language}.toml").read_text("utf-8"))
    return Texts(language, dict(texts(language).sentences) | dict(_flat(content)))


def spoken_here() -> str:
    """The language of this terminal's user: Korean or English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ko" if value.lower().startswith("ko") else "en"
    return "ko" if (locale.getlocale()[0] or "").lower().startswith("ko") else "en"


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in content.items():
        if isinstance(value, str):
            pairs.append((prefix + key, value))
        else:
            pairs += _flat(value, f"{prefix}{key}.")
    return pairs
