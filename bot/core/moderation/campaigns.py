"""Messages -> who else of the same community has said nearly the same shortly before, from hashes alone."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.core.base.bounded import Bounded
from bot.core.chat.message import CommunityRef, Kind, Message
from bot.core.moderation.recent import Echoes
from bot.core.text.likeness import Sketch, alike, sketch

Name = tuple[str, str]  # channel and message


@dataclass(frozen=True, slots=True)
class _Saying:
    at: datetime
    author: str
    sketch: Sketch


@dataclass(slots=True)
class _Sayings:
    """Of one community, the oldest first; `by_word`: which of them have a hash in their sketch."""

    all: dict[Name, _Saying] = field(default_factory=dict)
    by_word: dict[int, set[Name]] = field(default_factory=dict)

    def drop(self, name: Name) -> None:
        if said := self.all.pop(name, None):
            for word in said.sketch:
                self.by_word[word].discard(name)
                if not self.by_word[word]:
                    del self.by_word[word]

    def add(self, name: Name, said: _Saying) -> None:
        self.all[name] = said
        for word in said.sketch:
            self.by_word.setdefault(word, set()).add(name)


class Campaigns:
    """What one community says is never compared with what another says: whoever has two accounts in a group of their
    own could otherwise make anybody's words a campaign. Bounded by time, communities, texts of each, and texts of one
    author; lost with the process but for who said the very same, which the record knows."""

    def __init__(
        self, window: timedelta = timedelta(minutes=30), communities: int = 200, each: int = 128, of_one: int = 4
    ) -> None:
        self.window, self._each, self._of_one = window, each, of_one
        self._heard = Bounded[CommunityRef, _Sayings](communities)

    def hear(self, message: Message, on_record: Echoes = lambda *_: {}) -> Mapping[str, datetime]:
        """By author, when others have last said nearly the same, `on_record` among them; and remember this message.
        Bots and staff say the same for good reasons."""
        author = message.author
        if message.kind is Kind.DELETE or message.is_name or author.bot or author.no_account or author.is_staff:
            return {}
        known = self._heard.get(message.community)
        name = (message.ref.channel_id, message.ref.message_id)
        if known:
            known.drop(name)  # of an edited message only what it says now
        words = sketch(message.text if message.typed is None else message.typed)
        if not words:
            return {}
        known = self._heard.refresh(message.community, known or _Sayings())
        found = self._others(known, message, words)
        found |= on_record(message, found)
        self._make_room(known, message)
        known.add(name, _Saying(message.sent_at, author.id, words))
        return found

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        """What these members of a community have said."""
        if known := self._heard.get(community):
            theirs = {author for author in {said.author for said in known.all.values()} if is_theirs(author)}
            for name in [name for name, said in known.all.items() if said.author in theirs]:
                known.drop(name)

    def leave(self, communities: Collection[CommunityRef]) -> None:
        for community in self._heard.keys() & communities:
            del self._heard[community]

    def _others(self, known: _Sayings, message: Message, words: Sketch) -> dict[str, datetime]:
        shared = Counter(name for word in words for name in known.by_word.get(word, ()))
        found: dict[str, datetime] = {}
        for name in shared:
            said = known.all[name]
            if said.author != message.author.id and alike(words, said.sketch):
                found[said.author] = max(said.at, found.get(said.author, said.at))
        return found

    def _make_room(self, known: _Sayings, message: Message) -> None:
        own = [name for name, said in known.all.items() if said.author == message.author.id]
        old = [name for name, said in known.all.items() if message.sent_at - said.at > self.window]
        for name in {*old, *own[: max(0, len(own) + 1 - self._of_one)]}:
            known.drop(name)
        while len(known.all) >= self._each:
            known.drop(next(iter(known.all)))
