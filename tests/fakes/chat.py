"""Chat networks and what is remembered of them, in memory."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace

from bot.core.chat.message import Author, CommunityRef, Message, MessageRef
from bot.core.chat.ports import Connection
from bot.core.chat.post import Post
from bot.core.incidents.incident import PlannedAction
from bot.core.rules.actions import Done, Outcome
from tests.builders import REHEARSAL


class ScriptedPlatform:
    """A chat platform that delivers what it is given and remembers what it was told to do."""

    platform = REHEARSAL
    connection = Connection(is_up=True)

    def __init__(self, *batches: Sequence[Message]) -> None:
        self.batches = batches
        self.confirmed = 0  # batches that we said we have
        self.performed: list[PlannedAction] = []
        self.answers: dict[str, Outcome | BaseException] = {}  # by kind of action
        self.authors: dict[str, Author | Exception] = {}  # as they are met, by id
        self.met: list[MessageRef] = []
        self.owners: dict[str, str] = {}  # by community
        self.announced: list[tuple[str, str]] = []
        self.changed: list[int] = []  # incidents
        self.took_over = False
        self.forgotten: list[Callable[[str], bool]] = []
        self.published: list[tuple[str, Post, str]] = []  # channel, what, mark

    async def messages(self) -> AsyncGenerator[Sequence[Message], None]:
        for batch in self.batches:
            yield batch
            self.confirmed += 1

    async def perform(self, planned: PlannedAction) -> Outcome:
        self.performed.append(planned)
        answer = self.answers.get(planned.action.kind, Done())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def meet(self, message: Message) -> Author:
        self.met.append(message.ref)
        author = self.authors.get(message.author.id, replace(message.author, unmet=False))
        if isinstance(author, Exception):
            raise author
        return author

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        self.forgotten.append(is_theirs)

    async def owner(self, community: CommunityRef) -> str | None:
        return self.owners.get(community.id)

    def incident_changed(self, community: CommunityRef, incident_id: int, *, emptied: bool = False) -> None:
        self.changed.append(incident_id)

    def taken_over(self) -> None:
        self.took_over = True

    async def announce(self, channel_id: str, text: str) -> None:
        self.announced.append((channel_id, text))

    async def publish(self, channel_id: str, post: Post, *, mark: str) -> Outcome:
        answer = self.answers.get("publish", Done())
        if isinstance(answer, BaseException):
            raise answer
        self.published.append((channel_id, post, mark))
        return answer


class MemoryBookmarks:
    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    async def place(self, name: str) -> str | None:
        return self.places.get(name)

    async def within(self, name: str) -> Mapping[str, str]:
        return {key[len(name) + 1 :]: place for key, place in self.places.items() if key.startswith(f"{name}/")}

    async def put_all(self, places: Mapping[str, str | None]) -> None:
        for name, place in places.items():
            if place is None:
                self.places.pop(name, None)
            else:
                self.places[name] = place

    async def put(self, name: str, place: str) -> None:
        self.places[name] = place
