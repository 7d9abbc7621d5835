"""Keys on disk: what is sealed is read with them alone, and not at all once its period's is thrown away."""

import base64
import os
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.keyring import Keyring, made_key, master_key
from adapters.keyring.keyring import LASTS, STAYS
from bot.core.base.errors import Broken
from bot.core.operations.sealing import HEADER, NOTHING, Openly, Span
from tests.fakes.clock import ManualClock

WORDS = "내일 세 시에 역 앞에서"


def ring(folder: Path, clock: ManualClock | None = None) -> Keyring:
    return Keyring(folder, master_key(folder, {}), clock or ManualClock())


def test_what_is_sealed_shows_nothing_and_is_read_again(tmp_path: Path) -> None:
    sealed = ring(tmp_path).seal(WORDS, 7)
    assert WORDS.encode() not in sealed and sealed != ring(tmp_path).seal(WORDS, 7)
    assert ring(tmp_path).unseal(sealed) == WORDS, "by another process, too"
    assert ring(tmp_path).community_of(sealed) == 7
    assert ring(tmp_path).unseal(Openly().seal(WORDS)) == WORDS, "so does what an earlier version wrote"


def test_one_communitys_words_do_not_pass_for_anothers(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal(WORDS, 7)
    forged = sealed[:HEADER] + (8).to_bytes(4, "big") + sealed[HEADER + 4 :]
    assert keys.unseal(forged) is None
    assert keys.member_hash(7, "minji") != keys.member_hash(8, "minji")
    assert keys.member_hash(7, "minji") == ring(tmp_path).member_hash(7, "minji")


def test_every_broken_copy_is_unreadable_and_no_error(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal(WORDS, 7)
    for place in range(1, len(sealed)):
        assert keys.unseal(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]) is None
        assert keys.unseal(sealed[:place]) is None
    assert keys.seal("") == NOTHING


def test_periods_follow_each_other_and_old_keys_become_due(tmp_path: Path) -> None:
    clock = ManualClock()
    keys = ring(tmp_path, clock)
    first = keys.seal(WORDS, 1)
    clock.jump(LASTS[Span.KEPT])
    second = keys.seal(WORDS, 1)
    assert first[:HEADER] != second[:HEADER] and not keys.outdated()
    clock.jump(STAYS[Span.KEPT])
    due = keys.outdated()
    keys.throw_away(due)
    assert (keys.unseal(first), keys.unseal(second)) == (None, WORDS)
    assert ring(tmp_path, clock).unseal(first) is None


def test_two_processes_hear_of_each_others_periods(tmp_path: Path) -> None:
    clock = ManualClock()
    one, two = ring(tmp_path, clock), ring(tmp_path, clock)
    before = one.seal(WORDS)
    two.rotate()
    after = two.seal(WORDS)
    assert one.unseal(after) == WORDS, "a number that it does not know is looked up"
    clock.jump(timedelta(seconds=1))
    assert one.seal(WORDS)[:HEADER] == after[:HEADER] != before[:HEADER]
    clock.jump(LASTS[Span.KEPT])
    assert one.seal(WORDS)[:HEADER] == two.seal(WORDS)[:HEADER], "of two that begin a period, one does"


def test_a_clock_that_was_put_back_keeps_no_key_for_ever_and_loses_none(tmp_path: Path) -> None:
    clock = ManualClock()
    keys = ring(tmp_path, clock)
    before = keys.seal(WORDS)
    clock.jump(timedelta(days=3650))
    ahead = keys.seal(WORDS)
    clock.jump(-timedelta(days=3650))
    again = keys.seal(WORDS)
    assert [keys.unseal(one) for one in (before, ahead, again)] == [WORDS] * 3
    assert not keys.outdated() and len({before[:HEADER], ahead[:HEADER], again[:HEADER]}) == 3
    clock.jump(LASTS[Span.KEPT] + STAYS[Span.KEPT])
    keys.seal(WORDS)
    clock.jump(STAYS[Span.KEPT])
    keys.throw_away(keys.outdated())
    assert [keys.unseal(one) for one in (before, ahead, again)] == [None] * 3


def test_a_disk_that_is_full_stops_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    keys = ring(tmp_path, clock)
    (tmp_path / "keyring.new").mkdir()  # nothing can be written there
    clock.jump(LASTS[Span.KEPT])
    with capture_logs() as logs:
        assert keys.unseal(keys.seal(WORDS)) == WORDS
    assert [log["event"] for log in logs] == ["keyring cannot be written"]


def test_a_wrong_master_key_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    sealed = ring(tmp_path).seal(WORDS)
    other = {"JIKIMI_MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}
    before = (tmp_path / "keyring").read_bytes()
    with pytest.raises(Broken, match="another master key") as error:
        Keyring(tmp_path, master_key(tmp_path, other), ManualClock())
    assert other["JIKIMI_MASTER_KEY"] not in str(error.value)
    assert (tmp_path / "keyring").read_bytes() == before and ring(tmp_path).unseal(sealed) == WORDS


def test_a_master_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    told: list[Path] = []
    folder = tmp_path / "keys"
    key = master_key(folder, {}, told.append)
    assert master_key(folder, {}, told.append) == key and told == [folder / "master.key"]
    Keyring(folder, key, ManualClock())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    (folder / "master.key").chmod(0o400)
    assert master_key(folder, {}, told.append) == key, "it need not be written"
    (folder / "master.key").unlink()
    with pytest.raises(Broken, match="without its master key"):
        master_key(folder, {}, told.append)


@pytest.mark.parametrize("content", ["", "swordfish", "Zm9v", "비밀"])
def test_what_is_no_master_key_is_said_without_repeating_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content, "utf-8")
    with pytest.raises(Broken, match="openssl rand") as error:
        master_key(tmp_path, {"JIKIMI_MASTER_KEY_FILE": str(tmp_path / "key")})
    assert not content or content not in str(error.value)
    if content:
        with pytest.raises(Broken, match="openssl rand"):
            master_key(tmp_path, {"JIKIMI_MASTER_KEY": content})


def test_who_chose_no_place_for_the_master_key_is_told_where_it_is(tmp_path: Path) -> None:
    assert made_key(tmp_path, {}) is None
    master_key(tmp_path, {})
    assert made_key(tmp_path, {}) == tmp_path / "master.key"
    assert made_key(tmp_path, {"JIKIMI_MASTER_KEY": "given"}) is None


def test_the_master_key_comes_from_the_environment_a_file_or_a_credential(tmp_path: Path) -> None:
    key = os.urandom(32)
    (tmp_path / "jikimi-master-key").write_bytes(base64.b64encode(key) + b"\n")
    given = {
        "JIKIMI_MASTER_KEY": base64.b64encode(key).decode(),
        "JIKIMI_MASTER_KEY_FILE": str(tmp_path / "jikimi-master-key"),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    assert {master_key(tmp_path / "none", {name: value}) for name, value in given.items()} == {key}
    assert not (tmp_path / "none").exists()


def test_no_key_is_shown(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    shown = repr(keys) + repr(keys._periods)
    for period in keys._periods.values():
        assert repr(period.key) not in shown and period.key not in (tmp_path / "keyring").read_bytes()
