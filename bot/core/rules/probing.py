"""A rule -> which of some ordinary messages it would act on: what does so for many of them is a slip, or a trap."""

from dataclasses import replace
from datetime import UTC, datetime

from bot.core.chat.message import Author, Message, MessageRef, Platform
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Judgement, Part, Verdict
from bot.core.rules.actions import Weight
from bot.core.rules.decision import decide
from bot.core.rules.policy import Mode, Policy, Rule

#: What people say all day.
ORDINARY = (
    "안녕하세요, 처음 왔어요!",
    "오늘 점심 뭐 먹지 ㅋㅋ",
    "ㅇㅇ 알겠어",
    "내일 7시에 게임 하실 분?",
    "고마워요 덕분에 해결했어요",
    "사진 잘 봤어, 고양이 너무 귀엽다",
    "회의는 3시로 옮겼습니다. 자료는 공지에 있어요.",
    "와 진짜 축하해!!",
    "이거 어떻게 하는지 아시는 분 계신가요?",
    "비 온다 우산 챙겨",
    "good morning everyone",
    "thanks, that worked",
)
MOST = len(ORDINARY) // 3  # of them that a rule may touch

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_GUARD = GuardVersion(name="none", calibration="none")
_HARMLESS = Verdict(guard=_GUARD, found=tuple(Judgement(Part.PROMPT, kind, 0.01, "none") for kind in HarmKind))


def touched(rule: Rule) -> tuple[str, ...]:
    """The ordinary messages that it deletes, or for which it does something to their authors."""
    policy = Policy(rules=(_acting(rule),))
    return tuple(text for text in ORDINARY if _acts(text, policy))


def _acting(rule: Rule) -> Rule:
    return replace(rule, mode=Mode.LIVE, exempt_roles=frozenset(), exempt_channels=frozenset())


def _acts(text: str, policy: Policy) -> bool:
    message = Message(
        ref=MessageRef(Platform("probe"), "0", "0"), community_id="0", author=Author(id="0"), sent_at=_AT, text=text
    )
    decision = decide(message, _HARMLESS, policy, at=_AT)
    return any(action.weight > Weight.MODERATORS for action in (*decision.actions, *decision.withheld))
