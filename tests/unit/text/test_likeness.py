"""Texts -> which of them are one, and which say too little to tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.text.likeness import SIZE, alike, sketch

ADVERTISEMENT = "🔥신규가입 3만원 즉시지급🔥 안전한 놀이터에서 첫충 30% 받아가세요 문의는 프로필 확인"

RAIDS_OF_INNOCENTS = [
    "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
    "안녕하세요 반갑습니다 잘 부탁드립니다!!",
    "안녕하세요~ 잘부탁드려요~ 반가워요~~",
    "축하합니다!!!",
    "축하드립니다 축하드려요 축하해요",
    "결혼 축하드려요 항상 행복하세요!!",
    "생일 축하해!!!! 오늘도 행복하세요 ㅎㅎ",
    "합격 진심으로 축하드립니다 고생하셨습니다",
    "수고하셨습니다 고생 많으셨습니다 감사합니다",
    "새해 복 많이 받으세요 건강하세요",
    "여러분 새해 복 많이 받으세요! 올해도 건강하시고 행복하세요",
    "삼가 고인의 명복을 빕니다",
    "메리 크리스마스 여러분 행복한 연휴 보내세요",
    "출석합니다",
    "출석체크 완료",
    "이벤트 참여합니다 감사합니다",
    "신청합니다!! 저요 저요",
    "확인했습니다 감사합니다",
    "ㄱㅅㄱㅅ",
    "네네네네네네",
    "와 대박 축하합니다 언니",
    "파이팅 화이팅 응원합니다 힘내세요",
    "나이스 나이스 굿굿",
    "111111111111111111111111",
    "!출석 오늘도 힘차게 출석 도장 찍고 갑니다 모두",
    "/출석 오늘도 힘차게 출석 도장 찍고 갑니다 모두",
    "👏👏👏👏👏👏👏👏👏👏",
    "ㅠㅠㅠㅠㅠㅠㅠㅠㅠㅠ",
    "추석 잘 보내세요 풍성한 한가위 되세요",
    "gg wp",
    "ㅎㅇㅎㅇ",
    "즐거운 주말 보내세요~",
    "좋은 아침입니다 오늘도 화이팅!",
    "모두 감사합니다 사랑합니다",
    "하하하하하하하하하하하하하하하하하하하하하하",
]


@pytest.mark.parametrize("text", RAIDS_OF_INNOCENTS)
def test_what_everybody_says_is_no_campaign(text: str) -> None:
    assert sketch(text) == frozenset()


@pytest.mark.parametrize(
    "other",
    [
        "🔥신규가입 5만원 즉시지급🔥 안전한 놀이터에서 첫충 50% 받아가세요 문의는 프로필 확인",
        "신규.가입 3만원 즉.시.지.급 안전한 놀이터에서 첫충 30% 받아가세요 문의는 프로필 확인!!",
        "★신규가입 3만원 즉시지급★ 안전한놀이터에서 첫충 받아가세요 ㅎㅎ 문의는 프로필 확인 qx7",
        "안녕하세요 신규가입 3만원 즉시지급 안전한 놀이터에서 첫충 30% 받아가세요 문의는 프로필 확인 감사합니다",
        "신규\u200b가입 3만원 즉시지\u200b급 안전한 놀이터에서 첫충 받아가세요 문의는 프로필 확인",
    ],
)
def test_what_is_changed_a_little_is_still_the_same(other: str) -> None:
    assert alike(sketch(ADVERTISEMENT), sketch(other))


@pytest.mark.parametrize(
    "other",
    [
        "오늘 저녁에 다 같이 영화 보러 갈 사람 있나요? 표는 제가 예매할게요",
        "신규 가입하신 분들은 공지 먼저 읽어 주시고 자기소개 게시판에 글 남겨 주세요",
        "첫충이 뭔지 몰라서 물어보는데 아시는 분 계신가요 프로필에 써 있던데",
    ],
)
def test_what_is_about_the_same_is_not_the_same(other: str) -> None:
    assert sketch(other) and not alike(sketch(ADVERTISEMENT), sketch(other))


def test_little_is_enough_with_an_address() -> None:
    assert sketch("무료 체험방 오세요") == frozenset()
    assert alike(sketch("무료 체험방 오세요 toto77.com"), sketch("무료 체험방 오세요 toto88.com"))


@given(st.text())
def test_no_text_raises_and_no_sketch_is_large(text: str) -> None:
    assert len(sketch(text)) <= SIZE
