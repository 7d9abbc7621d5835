"""Runs every contract test over the fake and over the real thing."""

from itertools import count
from pathlib import Path

import pytest

from tests.contracts.stores import Opens, in_database, in_memory

_numbers = count(1)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Of an empty database; None: in memory."""
    match request.param:
        case "memory":
            return None
        case "sqlite":
            return f"sqlite:///{tmp_path / 'jikimi.db'}"
        case _:
            created: str = request.getfixturevalue("postgres").create(f"contract_{next(_numbers)}")
            return created


@pytest.fixture
def opens(url: str | None) -> Opens:
    return in_database(url) if url else in_memory()
