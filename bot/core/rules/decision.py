"""`decide` is the only code that acts on rules: message + screening + policy -> Decision."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from bot.core.chat.message import Message, Pairing
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import SUPERSEDED, TOO_LONG, TOO_SLOW, YES, Part, Screening, Unscreened, Verdict
from bot.core.rules.actions import ACTIONS, Action, Care, Flag, NotifyOwner, OnCard, Timeout, Warn, Weight
from bot.core.rules.conditions import (
    NOT_SEARCHED,
    Explanation,
    Past,
    Situation,
    Sought,
    Text,
    Words,
)
from bot.core.rules.ladder import Ladder
from bot.core.rules.policy import Mode, Policy, Reason, Rule, Watch
from bot.core.rules.precedent import Ruling


class Finding(NamedTuple):
    """What one rule said about one message, and why."""

    rule: str
    matched: bool
    why: Explanation
    mode: Mode = Mode.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What will be done. `withheld` would have been done, were it not for `restraints` (watch-only mode, no
    verdict, late message, a bot's account, an author whom nobody could ask about). `strike`: how much it counts against
    the author; `step`: which of the community's ladder that led to, and `proposed` what it asks for where the rules may
    not take it themselves."""

    message: Message
    screening: Screening
    policy_version: str
    findings: tuple[Finding, ...] = ()
    actions: tuple[Action, ...] = ()
    withheld: tuple[Action, ...] = ()
    restraints: tuple[Explanation, ...] = ()
    kinds: frozenset[HarmKind] = frozenset()  # of harm: what the rules that matched, and the guard, say it is
    rule: str | None = None  # the first live rule that matched
    reason: Reason | None = None  # that rule's reason
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of the rules that matched
    language: str = "ko"  # the community's: what the member and the moderators read
    strike: int = 0
    step: int = 0
    proposed: Action | None = None

    @property
    def is_incident(self) -> bool:
        return self.message.flagged or any(finding.matched for finding in self.findings)

    @property
    def other(self) -> str:
        """The member with whom its author has quarrelled, as long as that may be known; empty: nobody."""
        matched = (one.why.facts for one in self.findings if one.matched and one.why.code == "quarrel")
        others = (str(facts.get("other", "")) for facts in matched)
        return next((one for one in others if one.lstrip("-").isalnum()), "")

    @property
    def tells_of_a_bot(self) -> bool:
        """Whether the message counts among what a bot has said."""
        author = self.message.author
        return author.bot and not author.myself and not self.is_superseded and bool(self.message.text)

    @property
    def is_superseded(self) -> bool:
        """Nobody judged this revision, because a later one had come."""
        return self.screening == SUPERSEDED


#: From here on a text may quote or report, and nothing that is only rude in it is deleted or counts against its writer;
#: people are called all the same, until it is likely (YES). Of 2,883 lines of pens that the guard had not learned from,
#: 97 % of the quotations are this likely, and 1 % of the harmful lines that quote nobody.
PERHAPS_QUOTED = 0.1

_NOTHING: Mapping[Sought, Words] = MappingProxyType({})

_ORDER = {action.kind: place for place, action in enumerate(ACTIONS)}


def decide(
    message: Message,
    screening: Screening,
    policy: Policy,
    *,
    at: datetime,
    past: Past | None = None,
    searched: Mapping[Sought, Words] = _NOTHING,
) -> Decision:
    """Pure. `at` is when the decision falls (aware); `past` is what the author did just before; `searched` see
    `Situation`. Where something was left unread and what was read asks for nothing, the message is Unscreened."""
    past = past or Past()
    situation = Situation(
        message=message,
        screening=screening,
        late=at - message.sent_at > policy.late_after,
        answer=policy.takes_for_answer(message, past.bot),
        past=past,
        searched=searched,
        allowed=policy.allowed,
        allowed_links=policy.allowed_links,
    )
    decision = _decided(situation, policy, at)
    why = _unread(decision) if isinstance(screening, Verdict) else None
    return _decided(replace(situation, screening=Unscreened(why, screening.guard)), policy, at) if why else decision


def _unread(decision: Decision) -> str | None:
    """Why nobody can say that nothing is wrong with a message of which no rule says that something is."""
    if decision.rule is not None or decision.is_superseded:
        return None
    if not decision.message.is_read_whole:
        return TOO_LONG
    given_up = any(finding.why is NOT_SEARCHED and finding.mode is Mode.LIVE for finding in decision.findings)
    return TOO_SLOW if given_up else None


def _decided(situation: Situation, policy: Policy, at: datetime) -> Decision:
    message, screening, answer = situation.message, situation.screening, situation.answer
    immunity, of_staff = (_immunity(message, policy, answer=answer, staff=staff) for staff in (False, True))
    findings = tuple(
        Finding(rule.name, False, why, rule.mode)
        if (why := of_staff if rule.is_about_staff else immunity)
        else _by_precedent(rule, _examine(rule, situation), situation)
        for rule in policy.rules
    )
    live = [
        rule for rule, finding in zip(policy.rules, findings, strict=True) if finding.matched and rule.mode is Mode.LIVE
    ]
    owner = policy.bot_owners.get(message.author.id)
    asked = [
        (rule, action)
        for rule in live
        for action in _addressed(_then(rule, situation, at), owner)
        if policy.care or not isinstance(action, Care)
    ]
    doubts = tuple(_doubts(situation, policy)) if asked else ()
    sure = _strongest(action for rule, action in asked if not any(doubt.forbids(rule, action) for doubt in doubts))
    wanted = _strongest(action for _, action in asked)
    restraints = tuple(_restraints(message, screening, policy, situation.late))
    allowed = min((weight for _, weight in restraints), default=Weight.MEMBER)
    actions = tuple(action for action in sure if action.weight <= allowed)
    withheld = tuple(action for action in wanted if action not in actions)
    restraints += tuple(
        (doubt.why, Weight.MODERATORS)
        for doubt in doubts
        if any(doubt.forbids(rule, action) and action not in sure for rule, action in asked)
    )
    if withheld or message.flagged:
        actions = _strongest((*actions, Flag()))  # what may not be done by itself is shown to the moderators
    return Decision(
        message=message,
        screening=screening,
        policy_version=policy.version,
        findings=findings,
        actions=actions,
        withheld=withheld,
        restraints=tuple(why for why, _ in restraints) if withheld else (),
        kinds=_kinds(live, situation) if live else frozenset(),
        rule=live[0].name if live else None,
        reason=live[0].reason if live else None,
        thresholds={rule.name: bar for rule in live for condition in rule.when if (bar := condition.bar) is not None},
        language=policy.language,
        strike=_strike(live, situation, doubts, at) if allowed >= Weight.MEMBER else 0,
    )


def _strike(live: Iterable[Rule], situation: Situation, doubts: "Sequence[_Doubt]", at: datetime) -> int:
    """The heaviest one; what does not sanction again so soon does not count again either."""
    sure = (
        rule for rule in live if not any(doubt.is_about(rule) for doubt in doubts) and not _is_spared(rule, situation)
    )
    return max((rule.strike for rule in sure if not _is_cooling(rule, situation, at)), default=0)


def climbed(decision: Decision, strikes: int, ladder: Ladder) -> Decision:
    """With the step that so many strikes, this one's among them, lead to. What is done already is not proposed."""
    step, action = ladder.step(strikes), ladder.action(strikes)
    if action is None:
        return decision
    if ladder.takes(step):
        taken = _strongest((*decision.actions, Warn(), action))  # a word while they can be reached
        return replace(decision, actions=taken, step=step)
    if _strongest((*decision.actions, action)) == decision.actions or isinstance(action, Warn):
        return replace(decision, step=step)
    shown = any(isinstance(one, OnCard) for one in decision.actions)
    actions = decision.actions if shown else _strongest((*decision.actions, Flag()))
    return replace(decision, actions=actions, step=step, proposed=action)


def _kinds(live: Iterable[Rule], situation: Situation) -> frozenset[HarmKind]:
    """What the guard is rather sure of, and what rules are about that look for one kind alone."""
    kinds = {kind for rule in live if len(rule.kinds) == 1 for kind in rule.kinds}
    if isinstance(situation.screening, Verdict):
        part = Part.RESPONSE if situation.answer else Part.PROMPT
        kinds |= {kind for kind, score in situation.screening.kinds.get(part, {}).items() if score >= YES}
    return frozenset(kinds - {HarmKind.UNSPECIFIED} or kinds)


def surrender(message: Message, why: Unscreened, policy: Policy) -> Decision:
    """What is decided about a message that cannot be worked on: it is not read, and shown to the moderators."""
    name = next((rule.name for rule in policy.rules if rule.is_about_no_verdict), "unscreened")
    return Decision(
        message=message,
        screening=why,
        policy_version=policy.version,
        findings=(Finding(name, True, Explanation("unscreened", {"reason": why.reason})),),
        actions=(Flag(),),
        rule=name,
        language=policy.language,
    )


def only_flagged(decision: Decision) -> Decision:
    """The same for a message that was looked at long before: nothing more follows than that moderators look at it."""
    withheld = tuple(action for action in decision.actions if not isinstance(action, Flag))
    if not withheld:
        return decision
    return replace(
        decision,
        actions=(Flag(),),
        strike=0,
        withheld=(*withheld, *decision.withheld),
        restraints=(*decision.restraints, Explanation("second_look")),
    )


def _immunity(message: Message, policy: Policy, *, answer: bool, staff: bool) -> Explanation | None:
    """Why no rule applies to this message at all, or None. A bot's answer to somebody is looked at whatever roles the
    bot was given; its account is safe all the same. `staff`: asked for a rule that is about staff."""
    if message.author.myself:
        return Explanation("myself")
    if message.author.is_staff and not staff and not (answer and message.pairing):
        return Explanation("staff")
    if not staff and (role := _first(policy.exempt_roles & {*message.author.roles, message.author.id})):
        return Explanation("exempt_role", {"role": role})
    if channel := _first(policy.exempt_channels & message.places):
        return Explanation("exempt_channel", {"channel": channel})
    return None


def _examine(rule: Rule, situation: Situation) -> Finding:
    message = situation.message
    if rule.exempt_roles and (role := _first(rule.exempt_roles & {*message.author.roles, message.author.id})):
        return Finding(rule.name, False, Explanation("exempt_role", {"role": role}), rule.mode)
    if rule.exempt_channels and (channel := _first(rule.exempt_channels & message.places)):
        return Finding(rule.name, False, Explanation("exempt_channel", {"channel": channel}), rule.mode)
    first: Explanation | None = None
    for condition in rule.when:
        holds, why = condition.check(situation)
        if not holds:
            return Finding(rule.name, False, why, rule.mode)
        first = first or why
    return Finding(rule.name, True, first or Explanation("always"), rule.mode)


def _by_precedent(rule: Rule, found: Finding, situation: Situation) -> Finding:
    """What moderators have called wrong is not found again, and what they have called right is, however low the score.
    A rule that calls people goes on to find it, for the same words may be meant this time (`_then`)."""
    precedent = situation.past.precedent
    if precedent is None or rule.name not in precedent.rules or not rule.is_about_words:
        return found
    why = Explanation(f"feedback_{precedent.ruling}")
    if precedent.incident_id is not None:
        why = Explanation(f"precedent_{precedent.ruling}", {"incident": precedent.case})
    if precedent.ruling is Ruling.WRONG:
        return found._replace(matched=rule.calls_people, why=why) if found.matched else found
    others = (one for one in rule.when if not (one.relies_on_verdict or isinstance(one, Text)))
    is_exempt = found.why.code in ("exempt_role", "exempt_channel")
    if found.matched or is_exempt or not all(one.check(situation)[0] for one in others):
        return found
    return found._replace(matched=True, why=why)


def _then(rule: Rule, situation: Situation, at: datetime) -> tuple[Action, ...]:
    if _is_spared(rule, situation):
        return (Flag(),)
    if not _is_cooling(rule, situation, at):
        return rule.then
    return tuple(action for action in rule.then if action.weight < Weight.MEMBER)


def _is_spared(rule: Rule, situation: Situation) -> bool:
    """Moderators have called it wrong of the same words."""
    precedent = situation.past.precedent
    if precedent is None or precedent.ruling is not Ruling.WRONG:
        return False
    return rule.name in precedent.rules and rule.is_about_words


def _is_cooling(rule: Rule, situation: Situation, at: datetime) -> bool:
    last = situation.past.fired.get(rule.name)
    return last is not None and at - last < rule.cooldown


def _restraints(
    message: Message, screening: Screening, policy: Policy, late: bool
) -> Iterable[tuple[Explanation, Weight]]:
    """What holds the bot back, with the heaviest action that is still allowed."""
    if policy.mode is Watch.WATCH:
        yield Explanation("watch_only"), Weight.MODERATORS
    if isinstance(screening, Unscreened):
        yield Explanation("no_verdict", {"reason": screening.reason}), Weight.MODERATORS
    if late:
        yield Explanation("late"), Weight.MESSAGE
    if message.author.is_staff and not message.pairing:
        yield Explanation("staff"), Weight.MODERATORS
    if message.author.bot:
        yield Explanation("a_bot"), Weight.MESSAGE
    elif message.author.no_account:
        yield Explanation("no_account"), Weight.MESSAGE
    if message.author.unmet:
        yield Explanation("unmet"), Weight.MODERATORS  # it may be staff, or whoever a rule exempts


class _Doubt(NamedTuple):
    """Why some rules may do no more with a message than show it; or, where it `calls`, call for help all the same."""

    why: Explanation
    is_about: Callable[[Rule], bool]
    calls: bool

    def forbids(self, rule: Rule, action: Action) -> bool:
        is_help = action.weight is Weight.MODERATORS or isinstance(action, Care)
        is_spared = isinstance(action, Flag) or (self.calls and is_help)
        return self.is_about(rule) and not is_spared


def _doubts(situation: Situation, policy: Policy) -> Iterator[_Doubt]:
    if isinstance(situation.screening, Verdict) and situation.screening.is_raw:
        others = replace(situation, screening=situation.screening.without_raw())
        yield _Doubt(Explanation("raw_scores"), lambda rule: rule.shipped and _relies_on_raw(rule, others), calls=True)
    if situation.answer:
        if situation.message.pairing is Pairing.GUESSED:
            yield _Doubt(Explanation("guessed_pair"), lambda rule: rule.relies_on_a_verdict, calls=True)
        return
    quotes = (situation.screening.quotes or 0.0) if isinstance(situation.screening, Verdict) else 0.0
    if quotes >= PERHAPS_QUOTED:
        yield _Doubt(Explanation("quotes"), lambda rule: rule.is_met_by_quotation, calls=quotes < YES)
    if policy.no_despair and not policy.no_despair.check(situation)[0]:
        yield _Doubt(Explanation("despair"), lambda rule: rule.spares_despair, calls=True)


def _relies_on_raw(rule: Rule, others: Situation) -> bool:
    """Whether it would not match by what the others have found."""
    return any(condition.relies_on_verdict and not condition.check(others)[0] for condition in rule.when)


def _addressed(actions: Iterable[Action], owner: str | None) -> Iterable[Action]:
    """With the bot's owner found; where nobody knows who that is, nobody is told."""
    for action in actions:
        if not isinstance(action, NotifyOwner):
            yield action
        elif owner:
            yield NotifyOwner(owner)


def _strongest(actions: Iterable[Action]) -> tuple[Action, ...]:
    """One action of each kind, the longest of the time-outs."""
    kept: dict[str, Action] = {}
    for action in actions:
        other = kept.setdefault(action.kind, action)
        if isinstance(action, Timeout) and isinstance(other, Timeout):
            kept[action.kind] = replace(other, lasting=max(action.lasting, other.lasting))
    return tuple(sorted(kept.values(), key=lambda action: _ORDER[action.kind]))


def _first(names: frozenset[str]) -> str | None:
    return min(names, default=None)
