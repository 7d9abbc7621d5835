"""Lessons laid side by side: lines come in, longer texts go out, for harm is harm beside innocent lines, too."""

from collections.abc import Sequence
from random import Random

from adapters.guards.embedded.training.corpora import KINDS, Lesson

JOINED = 0.4  # of the lessons
LONGEST = 120  # characters


def beside(lessons: Sequence[Lesson], chance: Random) -> list[Lesson]:
    """The lessons, some of them with one or two innocent ones before or behind."""
    innocent = [one for one in lessons if one.says.get("harm") is False and len(one.text) < LONGEST // 2]
    made = []
    for lesson in lessons:
        parts = [lesson]
        if "harm" in lesson.says and chance.random() < JOINED:
            parts += chance.sample(innocent, chance.choice((1, 1, 2)))
            chance.shuffle(parts)
        made.append(joined(parts, chance) if sum(len(one.text) for one in parts) <= LONGEST else lesson)
    return made


def joined(parts: Sequence[Lesson], chance: Random) -> Lesson:
    """One text of several, which does what any of them does. It quotes where all harm in it is quoted."""
    if len(parts) == 1:
        return parts[0]
    says: dict[str, bool] = {}
    for head in ("harm", *KINDS):
        told = [one.says.get(head) for one in parts]
        if any(told) or None not in told:
            says[head] = any(told)
    if all("quotes" in one.says or one.says["harm"] is False for one in parts):
        harmful = [one for one in parts if one.says["harm"]]
        quoting = [one.says.get("quotes", False) for one in harmful or parts]
        says["quotes"] = all(quoting) if harmful else any(quoting)
    return Lesson(chance.choice((" ", " ", "\n", ". ")).join(one.text for one in parts), parts[0].source, says)
