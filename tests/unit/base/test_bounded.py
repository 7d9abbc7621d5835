"""A bounded memory forgets what was set longest ago, however it was set."""

from hypothesis import given
from hypothesis import strategies as st

from bot.core.base.bounded import Bounded


@given(
    most=st.integers(1, 5),
    steps=st.lists(st.tuples(st.sampled_from(["set", "refresh", "update", "read", "delete"]), st.integers(0, 7))),
)
def test_it_holds_the_keys_that_were_set_last(most: int, steps: list[tuple[str, int]]) -> None:
    memory, expected = Bounded[int, int](most), list[int]()
    for number, (step, key) in enumerate(steps):
        before = memory.get(key)
        match step:
            case "set":
                memory[key] = number
            case "update":
                memory.update({key: number})
            case "refresh":
                assert memory.refresh(key, number) == (number if before is None else before)
            case "delete":
                memory.pop(key, None)
        if step == "delete" or (step != "read" and key in expected):
            expected = [one for one in expected if one != key]
        if step in ("set", "update", "refresh"):
            expected = [*expected, key][-most:]
        assert list(memory) == expected


def test_what_is_refreshed_is_the_very_same() -> None:
    memory = Bounded[str, list[int]](2)
    memory.refresh("a", []).append(1)
    memory.refresh("b", [])
    memory.refresh("a", []).append(2)
    memory.refresh("c", [])
    assert memory == {"a": [1, 2], "c": []}
