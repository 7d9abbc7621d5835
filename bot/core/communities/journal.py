"""What befell the bot itself, for its report: outages of the guard, how much came in, and who set which setting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.core.communities.community import Community

#: Fields of a community that are no settings.
_ABOUT = frozenset({"platform", "id", "version", "name", "welcomed", "staff_explained", "left_at", "lists"})


@dataclass(frozen=True, slots=True)
class Outage:
    """From the first call that the guard did not answer to the first that it did again; `end` None: not yet."""

    begin: datetime
    end: datetime | None = None


class Aside(NamedTuple):
    """Of one community, what was looked at while the guard was away and set aside for it: `unjudged` are those among
    them that were closed since without anybody's verdict."""

    messages: int
    channels: int
    unjudged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many message revisions were kept and settled in a period."""

    kept: int
    settled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One setting that was changed. `setting` is the field of `Community`, with the rule behind a dot for one of the
    thresholds; `before` and `after` are its values as text, empty where nothing was set. Of a list that is what it had
    and what it has beyond the other."""

    at: datetime
    by: str  # the name; empty: the bot itself
    setting: str
    before: str
    after: str


def amendments(before: Community, after: Community, *, by: str, at: datetime) -> tuple[AuditEntry, ...]:
    """What differs, setting by setting; of the lists what went and what came."""
    old, new = _settings(before), _settings(after)
    changed = {
        name: (old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name, "") != new.get(name, "")
    }
    for (name, had), (_, has) in zip(before.lists, after.lists, strict=True):
        if had != has:
            kept = set(had) & set(has)
            went, came = (", ".join(one for one in list_ if one not in kept) for list_ in (had, has))
            changed[name] = went, came
    return tuple(
        AuditEntry(at=at, by=by, setting=name, before=went, after=came) for name, (went, came) in changed.items()
    )


def downtime(outages: Iterable[Outage]) -> timedelta:
    """How long the guard was away in all; outages may overlap, and each has ended."""
    total, until = timedelta(0), None
    for outage in sorted(outages, key=lambda outage: outage.begin):
        assert outage.end is not None
        begin = outage.begin if until is None else max(outage.begin, until)
        total += max(outage.end - begin, timedelta(0))
        until = outage.end if until is None else max(until, outage.end)
    return total


def _settings(community: Community) -> dict[str, str]:
    values: dict[str, str] = {}
    for field in fields(community):
        value = getattr(community, field.name)
        if field.name in _ABOUT:
            continue
        if isinstance(value, Mapping):
            values |= {f"{field.name}.{key}": _written(one) for key, one in value.items()}
        else:
            values[field.name] = _written(value)
    return values


def _written(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return str(value)
        case datetime():
            return value.isoformat(timespec="seconds")
        case float():
            return f"{value:g}"
        case frozenset():
            return ", ".join(sorted(map(str, value)))
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
