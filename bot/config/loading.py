"""A TOML file + the environment -> one frozen, checked Config; every mistake is one sentence that names the key."""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bot.config import problems, secrets
from bot.config.networks import with_sections
from bot.config.renamed import renew
from bot.config.sections import Config
from bot.config.values import Table
from bot.core.base.errors import Broken, reason
from bot.core.moderators.network import Network
from bot.core.text.catalogue import Texts

#: Of the environment: goes before [http] metrics_listen, so that processes of one configuration each have their own.
METRICS_LISTEN = "JIKIMI_METRICS_LISTEN"


def load(
    path: Path | None, say: Texts, networks: Sequence[type[Network]], environment: Mapping[str, str] = os.environ
) -> Config:
    """None means all defaults. `networks`: those that may be configured. Raises `Broken`: a line for every mistake."""
    config, mistakes = examine(path, say, networks, environment)
    if mistakes:
        raise Broken("\n".join(mistakes))
    return config


def examine(
    path: Path | None, say: Texts, networks: Sequence[type[Network]], environment: Mapping[str, str] = os.environ
) -> tuple[Config, Sequence[str]]:
    """What could be read, and every mistake in it. Raises `Broken` where it is no TOML file."""
    model = with_sections(tuple(networks))
    content = _read(path, say) if path else {}
    mistakes = list(secrets.mistakes(path, content, say)) if path else []
    mistakes += _take_tokens(content, model, environment, say)
    if (place := environment.get(METRICS_LISTEN)) and isinstance(table := content.get("http", {}), dict):
        content["http"] = {**table, "metrics_listen": place}
    config, found = _validated(content, model, say)
    for section, guard in (("guard", config.guard), ("trial", config.trial), ("house_rules", config.house_rules)):
        found += [(f"{section}.servers", why) for why in problems.in_the_clear(guard, say)]
    found += [("rules", why) for why in problems.in_rules(config, say)]
    found += [("defaults.disabled_rules", why) for why in problems.in_disabled(config, say)]
    name = path or "config"
    mistakes += [say("check.problem", path=name, key=key, why=why) for key, why in dict.fromkeys(found)]
    return config.model_copy(update={"storage": config.storage.beside(path.parent if path else Path())}), mistakes


def _validated(content: dict[str, Any], model: type[Config], say: Texts) -> tuple[Config, list[tuple[str, str]]]:
    """With the first mistake of every key. What is wrong is left out, so that the rest is looked at all the same."""
    try:
        return model.model_validate(content), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    found: dict[str, str] = {}
    for one in errors:
        found.setdefault(*problems.explained(one, model, say))
    renewed, _ = renew(content)
    wrong = {one["loc"][:2] for one in errors}
    try:
        return model.model_validate(_without(renewed, wrong)), list(found.items())
    except ValidationError:  # it quotes what was given
        return model(), list(found.items())


def _without(content: Any, wrong: Collection[tuple[str | int, ...]]) -> dict[str, Any]:
    """Less the sections, keys and rules that stand there."""
    left = {section: table for section, table in content.items() if (section,) not in wrong}
    for section, table in left.items():
        if isinstance(table, dict):
            left[section] = {key: value for key, value in table.items() if (section, key) not in wrong}
        elif isinstance(table, list):
            left[section] = [one for place, one in enumerate(table) if (section, place) not in wrong]
    return left


def _read(path: Path, say: Texts) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise Broken(say("check.no_file", path=path)) from None
    except OSError as error:
        raise Broken(f"{path}: {say.why(reason(error))}") from None
    except UnicodeDecodeError:
        raise Broken(say("check.not_text", path=path)) from None
    except tomllib.TOMLDecodeError as error:
        raise Broken(say("check.not_toml", path=path, problem=problems.not_toml(error, say))) from None
    except RecursionError:
        raise Broken(say("check.problem", path=path, key="-", why=say["policy_file.deep"])) from None


def _take_tokens(
    content: dict[str, Any], model: type[Config], environment: Mapping[str, str], say: Texts
) -> Iterator[str]:
    """Says which cannot be read."""
    for section, field in model.model_fields.items():
        table = content.get(section, {})
        if not _has_token(field) or not isinstance(table, dict):
            continue
        try:
            token = secrets.token(section, environment, say)
        except Broken as error:
            yield str(error)
            continue
        if token:
            content[section] = {**table, "token": token}


def _has_token(field: FieldInfo) -> bool:
    section = field.annotation
    return isinstance(section, type) and issubclass(section, Table) and "token" in section.model_fields
