"""Ids and kinds on record -> what they are called in a report, and where they open; members by numbers, where their
names are masked."""

from collections.abc import Callable
from functools import cached_property

from bot.core.chat.message import CommunityRef
from bot.core.reporting.figures import ActionRecord, Entry
from bot.core.reporting.report import Report
from bot.core.rules.actions import Delete
from bot.core.text.catalogue import Texts
from bot.wording.reasons import refusal

#: A community, a channel and a message -> where it opens; "": nowhere.
Address = Callable[[CommunityRef, str, str], str]


class Names:
    def __init__(self, report: Report, say: Texts, address: Address, *, unmasked: bool) -> None:
        self._figures = report.figures
        self._place, self._address = report.place, address
        self._say = say
        self.are_masked = not unmasked
        self._said: dict[tuple[ActionRecord, ...], str] = {}  # thousands of incidents have the same few deeds

    def member(self, author: str) -> str:
        if self.are_masked:
            return self._say("report.member", number=self._numbers.get(author, 0))
        return self._names.get(author, author)

    def bot(self, author: str) -> str:
        """Bots have nothing to hide."""
        return self._names.get(author, author)

    def author(self, entry: Entry) -> str:
        return self.bot(entry.author) if entry.bot else self.member(entry.author)

    def card(self, number: int) -> str:
        """Where moderators find the incident; "": nowhere."""
        channel, _, message = self._cards.get(number, "").partition("/")
        return self._address(self._place, channel, message) if self._place and message else ""

    def message(self, entry: Entry) -> str:
        """Where it stands; "": nowhere, or it was taken away."""
        gone = any(action.kind == Delete.kind and action.is_done for action in entry.actions)
        return "" if gone or not self._place else self._address(self._place, entry.channel, entry.message)

    def channel(self, channel: str) -> str:
        return self._channels.get(channel, channel)

    def rule(self, name: str) -> str:
        """The shipped rules have names in both languages, those that somebody wrote have their own."""
        return self._say.get(f"rule_name.{name}", name)

    def kind(self, kind: str) -> str:
        return self._say[f"kind.{kind}"]

    def refusal(self, reason: str) -> str:
        return refusal(reason, self._say)

    def action(self, kind: str) -> str:
        return self._say[f"action.{kind}"]

    def actions(self, entry: Entry) -> str:
        if entry.actions not in self._said:
            done = (
                self.action(action.kind) + ("" if action.is_done else f" ({self._state(action.state)})")
                for action in entry.actions
            )
            self._said[entry.actions] = " · ".join(done) or self._say["action.nothing"]
        return self._said[entry.actions]

    def review(self, entry: Entry) -> str:
        if entry.is_overturned and not entry.is_acted:  # and nothing was there to be undone
            return self._say["report.wrong"]
        return self._say[f"call.{entry.review.call}"] if entry.review else ""

    def _state(self, state: str) -> str:
        return self._say["outcome.planned" if state == "started" else f"outcome.{state}"]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        authors = dict.fromkeys(entry.author for entry in self._figures.entries)
        return {author: number for number, author in enumerate(authors, 1)}

    @cached_property
    def _names(self) -> dict[str, str]:
        seen = {entry.author: entry.author_name or entry.author for entry in self._figures.entries}
        return dict(self._figures.bot_names) | seen

    @cached_property
    def _cards(self) -> dict[int, str]:
        oldest = self._figures.backlog
        known = {entry.id: entry.card for entry in self._figures.entries}
        return known | ({oldest.oldest: oldest.card} if oldest.oldest is not None else {})

    @cached_property
    def _channels(self) -> dict[str, str]:
        """What channels are called now; of one without an incident only the id is on record."""
        return {entry.channel: entry.channel_name for entry in self._figures.entries if entry.channel_name}
