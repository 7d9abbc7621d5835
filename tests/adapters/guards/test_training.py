"""A long training goes on where it was interrupted, measures on what it has not learned, and says where bars lie."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.guards.embedded.kinds import Judged
from adapters.guards.embedded.training import bars
from adapters.guards.embedded.training.comparison import AWAY, apart
from adapters.guards.embedded.training.corpora import KINDS, Lesson
from adapters.guards.embedded.training.run import Run


class Killed(BaseException):
    pass


def says(kind: str | None) -> dict[str, bool]:
    return {"harm": kind is not None, "quotes": False} | {one: one == kind for one in KINDS}


def test_a_step_that_was_interrupted_is_made_again_and_one_that_is_there_is_not(tmp_path: Path) -> None:
    made: list[str] = []
    run = Run(tmp_path, lambda line: None)

    def first(path: Path) -> None:
        path.write_text("half")
        made.append("first")
        if len(made) == 1:
            raise Killed

    with pytest.raises(Killed):
        run.step("a", first)
    assert not (tmp_path / "a").exists()
    for _ in range(2):
        assert run.step("a", first).read_text() == "half"
    assert made == ["first", "first"]


def test_whole_pens_and_the_ends_of_others_are_kept_away() -> None:
    lines = [Lesson(f"{pen} {number}", pen, says(None)) for pen in (AWAY[0], "other") for number in range(100)]
    near, away = apart(lines)
    assert [one.text for one in near] == [f"other {number}" for number in range(90)]
    assert [one.text for one in away] == [f"{AWAY[0]} {number}" for number in range(100)] + [
        f"other {number}" for number in range(90, 100)
    ]


def test_bars_lie_where_most_is_caught_for_what_may_be_touched() -> None:
    chance = np.random.default_rng(1)
    true = np.zeros((2000, 3), bool)
    for kind in range(3):
        true[kind * 300 : (kind + 1) * 300, kind] = True
    score = np.clip(chance.normal(0.25 + 0.4 * true, 0.15), 0, 1)
    score[:, 2] = 0.9 * chance.random(2000)  # a kind of which nothing is known is not bought with innocent lines
    found = bars.chosen(score, true, 0.05)
    high: NDArray[np.bool_] = np.asarray((score >= found).any(axis=1))
    assert high[900:].mean() <= 0.05
    assert high[:600].mean() > 0.6
    assert found[2] == bars.STEPS[-1]


def test_the_table_says_what_is_caught_and_touched_of_each_kind_and_pen() -> None:
    lines = [Lesson("나쁜 말", "one", says(KINDS[0])), Lesson("좋은 말", "two", says(None))]
    judged = Judged(np.array([[0.9, *[0.0] * 9], [0.01] * 10]), np.zeros(2), [1, 1])
    table = bars.table(lines, KINDS, judged)
    assert all(f"| {name} |" in table for name in (*KINDS, "one", "two", "all"))
    assert "| two | 1 | - | 0.0% |" in table


def test_what_was_interrupted_has_learned_the_same_as_what_was_not(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from adapters.guards.embedded.training.networks.convolutions import Convolutions, letters
    from adapters.guards.embedded.training.networks.encoder import judge
    from adapters.guards.embedded.training.networks.teaching import BATCH, KEPT_EVERY, taught

    kinds = ((None, "빵"), ("threat", "칼"))
    lessons = [Lesson(f"{word} {n}", "pen", says(kind)) for n in range(BATCH * KEPT_EVERY) for kind, word in kinds]

    def learned(kept: Path, die_at: str = "never") -> NDArray[np.float64]:
        def say(line: str) -> None:
            if line.startswith(f"step {die_at} "):
                raise Killed

        torch.manual_seed(1)
        network = Convolutions()
        taught(network, letters, [lessons[: BATCH * (KEPT_EVERY + 60)]], rate=1e-3, seed=1, progress=say, kept=kept)
        return judge(network, letters)(["빵 먹자", "칼 갈자"])

    with pytest.raises(Killed):
        learned(tmp_path / "a", die_at=str(KEPT_EVERY + 50))
    assert learned(tmp_path / "a") == pytest.approx(learned(tmp_path / "b"), abs=1e-5)
