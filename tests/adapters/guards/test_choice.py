"""A configuration gets the guard that it names, and one written for a version before the guard that it pins."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from adapters.guards.composed.beside import BesideGuard
from adapters.guards.embedded.kinds import SHIPPED as FILE
from bot.app.guards import FORMER, NAMES, capabilities, guard, judges, remarks
from bot.cli.app import typed
from bot.config import Config
from bot.core.guarding.verdict import GuardVersion
from bot.core.text.catalogue import LANGUAGES, texts
from tests.fakes.guarding import ScriptedGuard
from tests.servers.guards import shipped

SAY = texts("en")
LABELLED = str(Path(__file__).parents[2] / "data" / "labelled.jsonl")
TODAY, FAST = shipped.kinds().version, shipped.kinds(encoder=False).version


def config(**keys: object) -> Config:
    return Config.model_validate({"guard": keys})


def chosen(settings: Config, name: str | None = None) -> GuardVersion:
    async def version() -> GuardVersion:
        async with guard(settings, SAY, name) as one:
            return one.version

    return asyncio.run(version())


@pytest.mark.parametrize(
    ("keys", "version"),
    [
        ({}, TODAY),
        ({"name": "embedded", "revision": "main"}, TODAY),
        ({"name": "encoder"}, TODAY),
        ({"encoder": False}, FAST),
        ({"revision": FORMER}, shipped.comments().version),
    ],
)
def test_the_embedded_guard_is_the_new_one_unless_the_one_before_is_pinned(
    keys: Mapping[str, object], version: GuardVersion
) -> None:
    assert chosen(config(**keys)) == version
    given = ScriptedGuard()
    assert judges(given, config(**keys)) == (given, None)


def test_the_embedded_guard_may_be_of_files_elsewhere(tmp_path: Path) -> None:
    for name in ("kinds.npz", "model.npz"):
        shutil.copy(FILE.with_name(name), tmp_path)
    elsewhere = config(model=str(tmp_path), encoder=False)
    assert chosen(elsewhere) == FAST
    with np.load(FILE, allow_pickle=False) as file:
        np.savez(tmp_path / "kinds.npz", **dict(file))  # the same, packed otherwise
    assert chosen(elsewhere).model not in ("", FAST.model)
    assert chosen(config(model="iknow-lab/a-model-of-another-guard", encoder=False)) == FAST


def test_the_revision_to_pin_is_that_of_the_file_that_ships() -> None:
    assert shipped.comments().version.model == FORMER


def test_n_grams_are_asked_before_a_model_and_the_whole_guard_stands_in_for_it() -> None:
    cascade = config(name="cascade", revision="of-the-second")
    assert chosen(cascade).model.startswith(f"embedded {FAST.model} <")
    given = ScriptedGuard()
    beside, stood_in = judges(given, cascade)
    assert isinstance(beside, BesideGuard) and beside.version == given.version
    assert stood_in and stood_in.version == TODAY


def test_a_guard_that_ships_is_listed_once_with_its_kinds() -> None:
    names = [row["name"] for row in capabilities()]
    assert names[0] == "embedded" and len(set(names)) == len(names)
    assert len(capabilities()[0]["categories"]) == 10
    assert sorted(names) == sorted(NAMES.split(", "))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_guard_that_there_is_not_is_told_apart_from_a_setting(
    language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = texts(language)("guards.unknown", name="nope", names="")[:-3]
    for words in (["guards", "nope"], ["eval", "--guard", "nope", LABELLED]):
        assert typed(["--lang", language, *words]) == 2
        said = capsys.readouterr().err
        assert said.startswith(wanted) and "cascade" in said and "encoder" not in said
    assert typed(["--lang", language, "guards", "cascade"]) == 0
    assert texts(language).why("of the guards that it asks") in capsys.readouterr().out


def test_whoever_pinned_something_is_told_what_it_means() -> None:
    def said(**keys: object) -> str:
        return " ".join(remarks(config(**keys), SAY))

    assert said() == said(revision=TODAY.model) == said(name="wildguard-ko", revision="main") == ""
    assert FORMER in said(revision=FORMER) and "version before" in said(revision=FORMER)
    assert "main" in said(revision="main") and TODAY.model in said(revision="main")
    assert '"embedded"' in said(name="encoder")
