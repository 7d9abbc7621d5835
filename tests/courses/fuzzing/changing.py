"""Inputs of a corpus -> inputs like them, changed here and there: as somebody would who means harm, or a bad wire."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

#: What JSON can say; texts may hold halves of surrogate pairs, numbers may be beyond any column.
Value = Any
Path = tuple[str | int, ...]

TEXT = st.text(max_size=20) | st.sampled_from(
    ["", "\0", "\ud800", "²", "٣", "\u202e", "{", "[" * 5000, "9" * 30, "-1", "1e999", "\u3164", "jikimi:", "\r\n"]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**400])
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MOST_CHANGES = 4


@st.composite
def like(draw: st.DrawFn, corpus: Sequence[Value]) -> Value:
    value = deepcopy(draw(st.sampled_from(corpus)))
    for _ in range(draw(st.integers(0, MOST_CHANGES))):
        place = draw(st.sampled_from(list(paths(value))))
        value = _put(value, place, draw(_changed(_at(value, place), corpus)))
    return value


def paths(value: Value, so_far: Path = ()) -> Iterator[Path]:
    """Of everything in it, itself first."""
    yield so_far
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths(inner, (*so_far, key))


def _changed(value: Value, corpus: Sequence[Value]) -> st.SearchStrategy[Value]:
    ways = [VALUES, st.sampled_from(corpus).map(_some_part)]
    if isinstance(value, str):
        ways += [_respelled(value)] * 3
    if isinstance(value, dict):
        ways += [st.just({}), st.sampled_from([*value, ""]).map(lambda gone: _without(value, gone))]
        ways.append(st.tuples(TEXT, VALUES).map(lambda new: value | {new[0]: new[1]}))
    if isinstance(value, list):
        ways += [st.just(value * 2), st.just(value[1:]), VALUES.map(lambda new: [*value, new])]
    return st.one_of(ways)


def _respelled(text: str) -> st.SearchStrategy[str]:
    """With something in it, without something of it, or some of it twice."""
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    return st.one_of(
        st.tuples(places, TEXT).map(lambda to: text[: to[0][0]] + to[1] + text[to[0][0] :]),
        places.map(lambda to: text[: to[0]] + text[to[1] :]),
        places.map(lambda to: text[: to[1]] + text[to[0] :]),
    )


def _some_part(value: Value) -> Value:
    """Something else of the corpus: the last thing within it."""
    return deepcopy(_at(value, list(paths(value))[-1]))


def _without(value: dict[str, Value], gone: str) -> Value:
    return {key: inner for key, inner in value.items() if key != gone}


def _at(value: Value, place: Path) -> Value:
    for key in place:
        value = value[key]
    return value


def _put(value: Value, place: Path, new: Value) -> Value:
    if not place:
        return new
    _at(value, place[:-1])[place[-1]] = new
    return value
