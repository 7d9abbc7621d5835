"""What moderators did by hand, and took back, as the record words it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.incidents.case import Case, CaseKind, CaseState, Person, Sanction
from bot.core.moderators.answer import Lines, Member, said
from bot.core.moderators.commands.record import _line as in_a_line
from bot.core.moderators.commands.record import _runs as what_runs
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
from bot.wording.answered import lines, mentioned, objected
from bot.wording.cards import told_by_hand
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


def test_an_objection_names_the_commands_and_the_deed_as_the_network_does() -> None:
    told = objected(case(CaseKind.MUTE, MUTED), Plain(texts_on("telegram", "ko")))
    assert all(one in told for one in ("(채팅 금지)", "/case 2", "/undo 2", "/uphold 2"))


@pytest.mark.parametrize(
    ("kind", "whom", "words", "shown"),
    [
        (CaseKind.BAN, Person("7", "민지"), "사기", "차단 · 되돌림 · <7> · <2> · 사기"),
        (CaseKind.BAN, Person("7", "민지"), "", "차단 · 되돌림 · <7> · <2>"),
        (CaseKind.PURGE, Person(""), "광고", "메시지 청소 · 되돌림 · <2> · 광고"),
        (CaseKind.LOCK, Person(""), "", "문 닫기 · 되돌림 · <2>"),
    ],
)
def test_a_line_of_the_record_has_no_room_for_nothing(kind: CaseKind, whom: Person, words: str, shown: str) -> None:
    line = in_a_line(replace(case(kind, words=words), member=whom))
    assert lines(Lines.of(line), Plain(texts_on("telegram", "ko"))) == f"#2 · 05-15 21:00 · {shown}"
    assert all(one.id for one in mentioned(line)), "nobody is looked up on the network"


def test_a_line_of_the_record_says_which_rule() -> None:
    manner = Plain(texts_on("telegram", "ko"))
    found = replace(case(CaseKind.INCIDENT, words=""), moderator=Person(""), incident=4)
    assert lines(Lines.of(in_a_line(replace(found, rule="sure-abuse"))), manner).endswith("(sure-abuse)")
    assert lines(Lines.of(in_a_line(replace(found, rule="ours"))), manner).endswith("<7> · ours")
    assert lines(Lines.of(in_a_line(found)), manner).endswith("<7> · 규칙"), "what a member pointed to"


def test_what_runs_says_who_imposed_it_by_name() -> None:
    """Telegram tells no name of who never wrote to the bot: a number stood there."""
    running = Sanction(case=2, kind="ban", member=Person("7", "민지"), begins_at=NOW, moderator=Person("2", "지수"))
    assert Member("2", "지수") in mentioned(what_runs(running))


@pytest.mark.parametrize(
    ("of", "until", "told"),
    [
        (case(CaseKind.MUTE, TOLD, MUTED), NOW + HOUR, "‘카페’ 운영진이 곧까지 글을 쓰지 못하게 했습니다.\n사유: 도배"),
        (case(CaseKind.BAN, TOLD, (Ban(HOUR), None)), NOW + HOUR, "‘카페’ 운영진이 곧까지 차단했습니다.\n사유: 도배"),
        (case(CaseKind.BAN, TOLD, (Ban(), Done()), words=""), None, "‘카페’ 운영진이 차단했습니다."),
        (case(CaseKind.WARN, TOLD, words=""), None, "‘카페’ 운영진이 경고했습니다."),
    ],
)
def test_a_member_reads_until_when_and_no_reason_where_none_was_given(
    of: Case, until: datetime | None, told: str
) -> None:
    assert of.ends_at == until
    assert told_by_hand(of, "카페", of.words, "곧" if until else "", texts_on("telegram", "ko")) == told
