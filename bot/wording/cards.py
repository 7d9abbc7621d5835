"""Incident + a member's history -> the card that moderators see, in their language."""

from collections.abc import Sequence
from datetime import datetime

from bot.core.chat.message import Message, Pairing
from bot.core.communities.community import Community
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import YES, Opinion, Unscreened, as_shown
from bot.core.incidents.card import Button, Card, Line, Tone, buttons, masked, tone
from bot.core.incidents.case import Case
from bot.core.incidents.incident import Incident, PlannedAction
from bot.core.incidents.review import Call, History, Review
from bot.core.rules.actions import Action, Answer, DeletePost, Flag, Inform, Outcome, Refused
from bot.core.text.catalogue import Texts
from bot.wording.reasons import because, deeds, measure, reasons, refusal, rule_name
from bot.wording.times import moment


def card_of(incident: Incident, history: History, say: Texts, timezone: str, *, more: Sequence[int] = ()) -> Card:
    """`more`: the later incidents of the same burst that are folded into this card."""
    decision = incident.decision
    author = decision.message.author
    facts = [
        ("card.author", author.name or author.id),
        ("card.prompt", _prompt(incident, say)),
        ("card.flagged", say("card.flagged_by", count=incident.flags) if incident.flags else ""),
        ("card.score", _score(incident, say)),
        ("card.rule", rule_name(decision.rule or "", say)),
        ("card.reason", _reason(incident, say)),
        ("card.done", _done(incident, say)),
        ("card.opinion", _opinion(incident.opinion, say) if incident.opinion else ""),
        ("card.withheld", deeds(decision.withheld, say) if decision.withheld else ""),
        ("card.restraints", "; ".join(because(why, say) for why in decision.restraints)),
        ("card.proposed", _proposed(incident, history, say)),
        ("card.history", history_line(history, say, timezone, incident.decided_at)),
        ("card.more", say("card.more_count", count=len(more)) if more else ""),
        (
            "card.withdrawn",
            moment(incident.withdrawn_at, timezone, incident.decided_at) if incident.withdrawn_at else "",
        ),
        (
            "card.appeal",
            say(
                "card.appealed",
                at=moment(incident.appeal.at, timezone, incident.decided_at),
                words=incident.appeal.words or "-",
            )
            if incident.appeal
            else "",
        ),
        ("card.taken_by", _review_line(incident, incident.taken, say, timezone) if incident.taken else ""),
        ("card.review", _review_line(incident, incident.review, say, timezone) if incident.review else ""),
    ]
    shade = tone(incident)
    return Card(
        incident_id=incident.id,
        tone=shade,
        title=say("card.urgent_title" if shade is Tone.URGENT else "card.title", case=incident.case),
        text=masked(decision.message.text),
        lines=tuple(Line(say[key], value) for key, value in facts if value),
        buttons=buttons(incident),
        other=decision.other,
        lost=incident.lost,
    )


def label(button: Button, card: Card, say: Texts) -> str:
    """Of one that takes back what nobody can give back whole, that is said on it."""
    is_partly = card.lost and button in (Button.WRONG, Button.ACCEPT)
    return say[f"button.{button}_partly" if is_partly else f"button.{button}"]


def _proposed(incident: Incident, history: History, say: Texts) -> str:
    """What the ladder asks for, as long as nobody has said anything to it and the strikes are still there."""
    decision = incident.decision
    if decision.proposed is None or incident.review or history.strikes < decision.step:
        return ""
    return measure(decision.proposed, say)


def history_line(history: History, say: Texts, timezone: str, now: datetime) -> str:
    strikes = say("card.strikes", count=history.strikes) if history.strikes else ""
    if not history.incidents or history.last_at is None:
        return say["card.first_time"] + strikes
    record = say(
        "card.record",
        incidents=history.incidents,
        upheld=history.upheld,
        overturned=history.overturned,
        last=moment(history.last_at, timezone, now),
    )
    return record + strikes


def forestalled(incident: Incident, earlier: Review, say: Texts, timezone: str) -> str:
    """What a moderator reads whose press comes too late: who was before them."""
    key = "card.is_taken" if earlier.call is Call.TAKE else "card.already"
    at = moment(earlier.at, timezone, incident.decided_at)
    return say(key, by=earlier.moderator_name, at=at, call=_called(incident, earlier, say))


def _review_line(incident: Incident, review: Review, say: Texts, timezone: str) -> str:
    """Who called it, and how."""
    at = moment(review.at, timezone, incident.decided_at)
    return say("card.called", call=_called(incident, review, say), by=review.moderator_name, at=at)


def _called(incident: Incident, review: Review, say: Texts) -> str:
    if incident.is_only_flagged and review.call is Call.WRONG:  # nothing was done that could have been wrong
        return say["call.dismiss"]
    return say[f"call.{review.call}"]


def revealed(incident: Incident, say: Texts) -> str:
    """The whole text and why each rule matched, for the one moderator who asked."""
    return say("card.revealed", text=said_in_full(incident, say), why=reasons(incident.decision, say) or "-")


def said_in_full(incident: Incident, say: Texts) -> str:
    """The whole text, of a bot's answer with what was asked."""
    message = incident.decision.message
    if message.pairing is None:
        return message.text
    asked = say["card.prompt_hidden"] if message.prompt is None else message.prompt
    return f"{say['card.prompt']}{_sure(message, say)}: {asked}\n\n{say['card.answer']}: {message.text}"


def told(planned: PlannedAction, say: Texts) -> str:
    """What a bot's owner reads about one of its answers: masked, like a card."""
    message = planned.message
    return say(
        "bots.told",
        bot=message.author.name or message.author.id,
        code=planned.code,
        reason=planned.reason.in_(say.language),
        prompt=say["pairing.hidden"] if message.prompt is None else masked(message.prompt) + _sure(message, say),
        answer=masked(message.text),
    )


def cared(place: str, say: Texts) -> str:
    """To somebody in despair, in private: where what they have written stands, and who listens to them."""
    return say("care.word", group=place or say["care.a_group"])


def told_by_hand(case: Case, place: str, reason: str, until: str, say: Texts) -> str:
    """What a member reads of what a moderator did. `until`: when that is over; "": not by itself."""
    done = say(f"case.told_{case.kind}{'_until' if until else ''}", place=place, until=until)
    why = say("case.told_why", reason=reason) if reason else ""
    return "\n".join(filter(None, (done, why)))


def answer(planned: PlannedAction, given: Answer, say: Texts) -> str:
    """What a member reads when their appeal has been looked at; never by whom."""
    result = "accepted" if given.accepted else "softened" if given.softened else "upheld"
    return say(f"answer.{'case_' if planned.case else ''}{result}", code=planned.code)


def informed(community: Community, given: Inform, say: Texts) -> str:
    """What a member reads who has pointed to a message."""
    return say(f"flag.{'acted' if given.acted else 'dismissed'}", group=community.name or say["flag.here"])


def outcome_line(action: Action, outcome: Outcome | None, say: Texts, called: str = "") -> str:
    """`called`: the key of what the action is called here, where that is something else."""
    match outcome:
        case Refused(reason):
            state = refusal(reason, say) if outcome.given_up else f"{say['outcome.refused']} ({refusal(reason, say)})"
        case _:
            state = say[f"outcome.{outcome.kind if outcome else 'planned'}"]
    return f"{say[called or f'action.{action.kind}']} {state}"


def _prompt(incident: Incident, say: Texts) -> str:
    """What a bot was asked, masked, and how sure that is; nothing where nobody was answered."""
    message = incident.decision.message
    if message.pairing is None:
        return ""
    return say["card.prompt_hidden"] if message.prompt is None else masked(message.prompt) + _sure(message, say)


def _sure(message: Message, say: Texts) -> str:
    return f" ({say['pairing.guessed']})" if message.pairing is Pairing.GUESSED else ""


def _done(incident: Incident, say: Texts) -> str:
    shown = [
        (action, outcome) for action, outcome in incident.outcomes if not isinstance(action, Flag | DeletePost | Inform)
    ]
    return " · ".join(outcome_line(action, outcome, say) for action, outcome in shown)


def _score(incident: Incident, say: Texts) -> str:
    screening = incident.decision.screening
    if isinstance(screening, Unscreened):
        return say("rehearsal.unscreened", reason=say.why(screening.reason))
    likely = {kind: score for kinds in screening.kinds.values() for kind, score in kinds.items() if score >= YES}
    named = [
        f"{say[f'kind.{kind}']} {as_shown(score):.2f}"
        for kind, score in likely.items()
        if kind is not HarmKind.UNSPECIFIED
    ]
    if len(screening.scores) > 1:  # of a bot's answer each task says something else
        tasks = (f"{say[f'task.{task}']} {as_shown(score):.2f}" for task, score in sorted(screening.scores.items()))
        return " · ".join((*tasks, *named))
    return " · ".join(named) or ("" if screening.harm is None else f"{as_shown(screening.harm):.2f}")


def _opinion(opinion: Opinion, say: Texts) -> str:
    """What it quotes of the message is masked, as that is."""
    guard = opinion.guard.model or opinion.guard.name
    if not opinion.against:
        return say("card.opinion_nothing", guard=guard)
    return say("card.opinion_against", rule=opinion.rule, words=masked(opinion.words), guard=guard)


def _reason(incident: Incident, say: Texts) -> str:
    reason = incident.decision.reason
    return reason.in_(say.language) if reason else ""
