"""A TOML file + the environment -> one frozen, checked Config; anything wrong is one sentence that names the key."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bot.config import problems, secrets
from bot.config.networks import with_sections
from bot.config.sections import Config
from bot.config.values import Table
from bot.core.base.errors import Broken
from bot.core.moderators.network import Network
from bot.core.text.catalogue import Texts


def load(
    path: Path | None, say: Texts, networks: Sequence[type[Network]], environment: Mapping[str, str] = os.environ
) -> Config:
    """None means all defaults. `networks`: those that may be configured. Raises `Broken`."""
    model = with_sections(tuple(networks))
    name = str(path) if path else "config"
    content = _read(path, say) if path else {}
    if path:
        secrets.refuse_if_others_read(path, content, say)
    _take_tokens(content, model, environment, say)
    try:
        config = model.model_validate(content)
    except ValidationError as error:
        key, why = problems.explained(error.errors(include_url=False)[0], model, say)
        raise Broken(say("check.problem", path=name, key=key, why=why)) from None  # it quotes what was given
    if problem := problems.in_the_clear(config, say):
        raise Broken(say("check.problem", path=name, key="guard.servers", why=problem))
    if problem := problems.in_rules(config, say):
        raise Broken(say("check.problem", path=name, key="rules", why=problem))
    return config.model_copy(update={"storage": config.storage.beside(path.parent if path else Path())})


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


def _take_tokens(content: dict[str, Any], model: type[Config], environment: Mapping[str, str], say: Texts) -> None:
    for section, field in model.model_fields.items():
        table = content.get(section, {})
        if _has_token(field) and isinstance(table, dict) and (token := secrets.token(section, environment, say)):
            content[section] = {**table, "token": token}


def _has_token(field: FieldInfo) -> bool:
    section = field.annotation
    return isinstance(section, type) and issubclass(section, Table) and "token" in section.model_fields
