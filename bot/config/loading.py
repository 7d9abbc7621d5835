"""A TOML file + the environment -> one frozen, checked Config; anything wrong is one sentence that names the key."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bot.config import problems
from bot.config.sections import Config
from bot.config.values import Table
from bot.core.base.errors import Broken
from bot.core.text.catalogue import Texts


def load(path: Path | None, say: Texts, environment: Mapping[str, str] = os.environ) -> Config:
    """None means all defaults. Raises `Broken`."""
    name = str(path) if path else "config"
    content = _read(path, say) if path else {}
    _take_tokens(content, environment)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        key, why = problems.explained(error.errors(include_url=False)[0], say)
        raise Broken(say("check.problem", path=name, key=key, why=why)) from None  # it quotes what was given
    if problem := problems.in_rules(config, say):
        raise Broken(say("check.problem", path=name, key="rules", why=problem))
    return config


def _read(path: Path, say: Texts) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise Broken(say("check.no_file", path=path)) from None
    except OSError as error:
        raise Broken(say("check.problem", path=path, key="-", why=error.strerror)) from None
    except UnicodeDecodeError:
        raise Broken(say("check.not_text", path=path)) from None
    except tomllib.TOMLDecodeError as error:
        raise Broken(say("check.not_toml", path=path, problem=error)) from None


def _take_tokens(content: dict[str, Any], environment: Mapping[str, str]) -> None:
    """JIKIMI_SECTION_TOKEN goes before what the file says."""
    for section, field in Config.model_fields.items():
        token, table = environment.get(f"JIKIMI_{section.upper()}_TOKEN"), content.get(section, {})
        if token and _has_token(field) and isinstance(table, dict):
            content[section] = {**table, "token": token}


def _has_token(field: FieldInfo) -> bool:
    section = field.annotation
    return isinstance(section, type) and issubclass(section, Table) and "token" in section.model_fields
