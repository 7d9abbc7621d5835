"""Tests of tables run on both databases."""

from pathlib import Path

import pytest

from tests.servers.databases import sqlite_in


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with the newest schema and nothing in it."""
    if request.param == "sqlite":
        return sqlite_in(tmp_path)
    created: str = request.getfixturevalue("postgres").create()
    return created


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without any tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    created: str = request.getfixturevalue("postgres").create_bare()
    return created
