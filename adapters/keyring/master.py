"""The environment, a credential or a file -> the master key, under which the keyring lies; without any, one is made."""

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.keyring.files import KEYRING, locked, private_folder, replace_file
from bot.core.base.errors import Broken, reason

VARIABLE = "JIKIMI_MASTER_KEY"
CREDENTIAL = "jikimi-master-key"  # systemd: LoadCredential=jikimi-master-key:PATH
FILE = "master.key"  # in the folder of the keys
LENGTH = 32  # bytes


def master_key(
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    said: Callable[[Path], None] = lambda path: None,
) -> bytes:
    """`said`: hears where one was made, once in its life. Broken: what is there is no key, or cannot be read."""
    if given := environment.get(VARIABLE):
        return _read(given, f"${VARIABLE}")
    for path in _elsewhere(environment):
        return _read(_content(path), str(path))
    path = folder / FILE
    if not path.exists():
        private_folder(folder)
        with locked(folder / "lock"):
            if not path.exists():  # nobody else was faster
                _make(path)
                said(path)
    return _read(_content(path), str(path))


def made_key(folder: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the one lies that was made for want of any, if that is the one in use."""
    path = folder / FILE
    return path if path.exists() and VARIABLE not in environment and not _elsewhere(environment) else None


def is_there(folder: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether anything of the keys is: then none is made where they are opened."""
    made = any((folder / name).exists() for name in (FILE, KEYRING))
    return made or bool(environment.get(VARIABLE)) or bool(_elsewhere(environment))


def _elsewhere(environment: Mapping[str, str]) -> list[Path]:
    """Where the environment says that it lies, if it does."""
    if named := environment.get(f"{VARIABLE}_FILE"):
        return [Path(named)]
    credential = Path(environment.get("CREDENTIALS_DIRECTORY", "")) / CREDENTIAL
    return [credential] if "CREDENTIALS_DIRECTORY" in environment and credential.exists() else []


def _make(path: Path) -> None:
    if path.with_name(KEYRING).exists():
        raise Broken(
            "The keyring beside {path} is there without its master key; put that back, or set ${variable}.",
            path=path,
            variable=VARIABLE,
        )
    try:
        replace_file(path, base64.b64encode(os.urandom(LENGTH)) + b"\n")
    except OSError as error:
        raise Broken("The master key {path} cannot be written ({why}).", path=path, why=reason(error)) from None


def _content(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise Broken("The master key {path} cannot be read ({why}).", path=path, why=reason(error)) from None
    except UnicodeDecodeError:
        raise _no_key(str(path)) from None


def _read(given: str, place: str) -> bytes:
    try:
        key = base64.b64decode(given.strip(), validate=True)
    except ValueError:  # one of binascii's, or no ASCII
        key = b""
    if len(key) != LENGTH:
        raise _no_key(place)
    return key


def _no_key(place: str) -> Broken:
    return Broken(
        "{place} holds no master key: 32 bytes in base64, as `openssl rand -base64 32` makes them.", place=place
    )
