"""Runs every contract test over the fake and over the real thing."""

from itertools import count
from pathlib import Path

import pytest

from tests.contracts.stores import Opens, in_database, in_memory

_numbers = count(1)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Opens:
    match request.param:
        case "memory":
            return in_memory()
        case "sqlite":
            return in_database(f"sqlite:///{tmp_path / 'jikimi.db'}")
        case _:
            return in_database(request.getfixturevalue("postgres").create(f"contract_{next(_numbers)}"))
