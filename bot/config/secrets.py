"""The environment, files and systemd's credentials -> tokens; and who else can read a file that holds a secret."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.core.base.errors import Broken, reason
from bot.core.text.catalogue import Texts


def token_variable(section: str) -> str:
    """Of the environment: goes before what the file says. With `_FILE` behind it, it names a file that holds it."""
    return f"JIKIMI_{section.upper()}_TOKEN"


def credential(section: str) -> str:
    """systemd: LoadCredential=NAME:PATH."""
    return f"jikimi-{section}-token"


def token(section: str, environment: Mapping[str, str], say: Texts) -> str | None:
    """Of a section, where something other than the configuration says it. Raises `Broken`."""
    variable = token_variable(section)
    if given := environment.get(variable):
        return given
    if named := environment.get(f"{variable}_FILE"):
        return _content(Path(named), f"{variable}_FILE", say)
    if folder := environment.get("CREDENTIALS_DIRECTORY"):
        path = Path(folder) / credential(section)
        return _content(path, credential(section), say) if path.exists() else None
    return None


def mistakes(path: Path, content: Mapping[str, Any], say: Texts) -> Iterator[str]:
    """That a file with a secret in it is open to every user of the machine. One that lies where nothing can be written
    is as whoever mounted it wants it."""
    if _holds_a_secret(content) and _is_open(path):
        yield say("check.open_file", path=path)


def _content(path: Path, name: str, say: Texts) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = say.why(reason(error) if isinstance(error, OSError) else "not UTF-8")
        raise Broken(say("check.problem", path=path, key=name, why=why)) from None


def _holds_a_secret(content: Mapping[str, Any]) -> bool:
    return any(_is_secret(name, value) for name, value in content.items())


def _is_secret(name: str, value: object) -> bool:
    """A token, or a URL with a user in it, anywhere within."""
    if isinstance(value, Mapping):
        return _holds_a_secret(value)
    if isinstance(value, list):
        return any(_is_secret(name, one) for one in value)
    if not isinstance(value, str) or not value:
        return False
    user = value.partition("://")[2].rpartition("@")[0]
    is_name = value.startswith("postgresql:") and ":" not in user  # who one is there; anywhere else it may be a key
    return name == "token" or (bool(user) and not is_name) or ("://" in value and "password=" in value)


def _is_open(path: Path) -> bool:
    if os.name != "posix":
        return False
    try:
        whole = path.resolve()
        read_only = bool(os.statvfs(whole).f_flag & os.ST_RDONLY)
        return bool(whole.stat().st_mode & 0o004) and _reached(whole) and not read_only
    except OSError:
        return False


def _reached(path: Path) -> bool:
    """Whether the folders that it lies in let everybody through."""
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)
