"""A community -> its locks that are on, or just being put on, as the cases that they are."""

from collections.abc import Sequence

from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import Case, CaseKind, CaseState, Search
from bot.core.incidents.ports import Cases
from bot.core.rules.actions import CalledOff, Done, Lock, Refused, Unlock

LATEST = 50  # cases among which those that are on are


async def standing(cases: Cases, community: CommunityRef) -> Sequence[Case]:
    """The newest first."""
    found = await cases.find(community, Search(kind=CaseKind.LOCK), most=LATEST)
    return [case for case in found if _is_on(case)]


def _is_on(case: Case) -> bool:
    if case.state is CaseState.UNDONE:
        return False
    for action, outcome in case.outcomes:
        if isinstance(action, Unlock) and outcome is not None:
            return False
        if isinstance(action, Lock) and isinstance(outcome, Refused | CalledOff):
            return False
    return any(isinstance(action, Lock) and isinstance(outcome, Done | None) for action, outcome in case.outcomes)
