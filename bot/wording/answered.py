"""What a command is answered -> lines of text, in the language and the manner of the network on which it was asked."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.communities.journal import AuditEntry
from bot.core.incidents.case import Case, CaseKind, CaseState
from bot.core.incidents.review import History
from bot.core.moderators.answer import Channel, Lines, Member, Role, RuleName, Said
from bot.core.moderators.argument import AChannel, Argument, Target, arguments
from bot.core.moderators.command import Command, Usage
from bot.core.moderators.commands.deeds import Undo, Uphold
from bot.core.moderators.commands.record import Case as ShowCase
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.reporting.figures import TrialFigures
from bot.core.rules.actions import Action, Flag, Refused, Warn
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Rule
from bot.core.text.catalogue import Texts
from bot.wording.cards import history_line, outcome_line
from bot.wording.changes import change_line
from bot.wording.reasons import deeds, measure, reasons, refusal, rule_name
from bot.wording.schedules import schedule_line
from bot.wording.times import moment, span
from bot.wording.trials import trial_lines


class Manner(Protocol):
    """How a network shows what stands in a sentence. `timezone` is the community's; `say` knows the network's own
    words for things (`catalogue.texts_on`)."""

    @property
    def say(self) -> Texts: ...

    @property
    def timezone(self) -> str: ...

    @property
    def now(self) -> datetime: ...

    def labelled(self, label: str, text: str) -> str: ...

    def plain(self, text: str) -> str:
        """Somebody's words, whatever the network would make of them."""
        ...

    def mention(self, whom: Member | Role | Channel) -> str: ...

    def typed(self, command: type[Command]) -> str:
        """How a command is called where it is typed."""
        ...


def lines(answer: Lines | Usage, manner: Manner) -> str:
    if isinstance(answer, Usage):
        return usage(answer.command, manner)
    shown = (line if isinstance(line, str) else str(_worded(line, manner)) for line in answer.lines)
    return "\n".join(filter(None, map(str.rstrip, shown)))  # a fact at the end may be nothing


def objected(case: Case, manner: Manner) -> str:
    """What moderators read of an objection to a deed by hand: where its words are, which stay on record alone."""
    facts = {"case": case.number, "kind": case.kind, "read": ShowCase, "undo": Undo, "uphold": Uphold}
    return lines(Lines.of(Said("case.objected", facts)), manner)


def choices(offered: Mapping[str, Said | str], manner: Manner) -> Mapping[str, str]:
    """What may be chosen, by value and name."""
    return {value: str(_worded(name, manner)) for value, name in offered.items()}


def mentioned(value: object) -> Iterator[Member | Role | Channel]:
    """Whom and what an answer mentions, for networks that must look up what that is called."""
    match value:
        case Member() | Role() | Channel():
            yield value
        case Lines(lines):
            yield from mentioned(lines)
        case Said(facts=facts):
            yield from mentioned(tuple(facts.values()))
        case tuple():
            for one in value:
                yield from mentioned(one)


def usage(command: type[Command], manner: Manner) -> str:
    """How a command is written: as the texts say, or by its arguments."""
    say = manner.say
    if (told := f"usage.{command.name}") in say:
        return say(told, command=manner.typed(command))
    words = (_asked_for(one, say) for one in arguments(command) if not _comes_by_itself(one))
    return say("usage.plain", how=" ".join((manner.typed(command), *words)))


def _comes_by_itself(argument: Argument) -> bool:
    return isinstance(argument.kind, Target) or (isinstance(argument.kind, AChannel) and not argument.kind.to_write)


def _asked_for(argument: Argument, say: Texts) -> str:
    name = say[f"option.{argument.name}"]
    return name if argument.is_needed else f"[{name}]"


def _worded(value: object, manner: Manner) -> object:
    say = manner.say
    match value:
        case Said(key, facts, label):
            text = say(key, **{name: _worded(fact, manner) for name, fact in facts.items()})
            return manner.labelled(say[label], text) if label else text
        case CaseKind() | CaseState():
            return say[f"{'case_kind' if isinstance(value, CaseKind) else 'case_state'}.{value}"]
        case Case():
            return manner.plain(_done(value, say))
        case str():
            return manner.plain(value)
        case Member() | Role() | Channel():
            return manner.mention(value)
        case Refused(reason):
            return manner.plain(refusal(reason, say))
        case datetime():
            return moment(value, manner.timezone, manner.now)
        case timedelta():
            return span(value, say)
        case Decision():
            return manner.plain(reasons(value, say))
        case Rule(name=name) | RuleName(name):
            return rule_name(name, say)
        case History():
            return history_line(value, say, manner.timezone, manner.now)
        case AuditEntry():
            return manner.plain(change_line(value, say, manner.timezone, manner.now))
        case Schedule():
            return schedule_line(value, say)
        case TrialFigures():
            return manner.plain("\n".join(trial_lines(value, say)))
        case type() if issubclass(value, Command):
            return manner.typed(value)
        case _ if isinstance(value, Action):
            return measure(value, say)
        case tuple() if value and all(isinstance(one, Action) for one in value):
            return deeds(value, say)
        case tuple():
            return ", ".join(str(_worded(one, manner)) for one in value) or "-"
    return value  # a number, for the sentence to write


def _done(case: Case, say: Texts) -> str:
    """The word beside a deed by hand tells its member of it, and is no warning of its own."""
    told = "case.told" if case.kind not in (CaseKind.WARN, CaseKind.INCIDENT) else ""
    done = [one for one in case.outcomes if not isinstance(one[0], Flag)]
    return " · ".join(
        outcome_line(action, outcome, say, told if isinstance(action, Warn) else "") for action, outcome in done
    )
