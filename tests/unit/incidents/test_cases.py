"""What moderators did by hand, and took back, as the record words it."""

from datetime import timedelta

import pytest

from bot.core.incidents.case import Case, CaseKind, CaseState, Person
from bot.core.moderators.answer import Lines, said
from bot.core.rules.actions import (
    Action,
    Answer,
    Ban,
    CalledOff,
    DeletePost,
    Done,
    Kick,
    Lock,
    Outcome,
    Timeout,
    Unlock,
    Unsanction,
    Warn,
)
from bot.core.text.catalogue import texts_on
from bot.wording.answered import lines
from tests.builders import NOW
from tests.unit.moderators.test_commands import Plain

HOUR = timedelta(hours=1)
TOLD, MUTED, KICKED = (Warn(), Done()), (Timeout(HOUR), Done()), (Kick(), Done())
FREED = (Unsanction(), Done())


def case(kind: CaseKind, *outcomes: tuple[Action, Outcome | None], words: str = "도배") -> Case:
    return Case(
        number=2,
        kind=kind,
        state=CaseState.UNDONE,
        opened_at=NOW,
        member=Person("7", "민지"),
        moderator=Person("2", "지수"),
        words=words,
        outcomes=outcomes,
    )


@pytest.mark.parametrize(
    ("kind", "outcomes", "back"),
    [
        (CaseKind.MUTE, [TOLD, MUTED, FREED], [FREED]),
        (CaseKind.MUTE, [TOLD, MUTED, (Unsanction(), None)], [(Unsanction(), None)]),
        (CaseKind.BAN, [(Warn(), CalledOff()), (Ban(), CalledOff())], [(Ban(), CalledOff())]),
        (CaseKind.KICK, [TOLD, KICKED, (DeletePost("1"), CalledOff()), (Answer(accepted=True), None)], []),
        (CaseKind.WARN, [TOLD], []),
        (CaseKind.UNMUTE, [FREED], []),
        (CaseKind.LOCK, [(Lock(HOUR), Done("1")), (Unlock("1"), Done())], [(Unlock("1"), Done())]),
    ],
)
def test_what_took_a_deed_back_is_told_from_the_deed(
    kind: CaseKind, outcomes: list[tuple[Action, Outcome | None]], back: list[tuple[Action, Outcome | None]]
) -> None:
    """ "Case #2 was taken back. warn done · kick done" was said of what nobody had given back."""
    assert list(case(kind, *outcomes).taken_back) == back


def test_the_word_beside_a_deed_is_no_warning() -> None:
    manner = Plain(texts_on("telegram", "ko"))

    def done(of: Case) -> str:
        return lines(Lines.of(said("case.is", value=of)), manner)

    assert done(case(CaseKind.MUTE, TOLD, MUTED)) == "회원에게 알림 완료 · 채팅 금지 완료"
    assert done(case(CaseKind.WARN, TOLD)) == "경고 완료"
    assert done(case(CaseKind.INCIDENT, TOLD, MUTED)) == "경고 완료 · 채팅 금지 완료"
