"""What commands need besides a running application: data, training, pictures, pages."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.evaluation import recorded_outputs
from adapters.evaluation.recorded_outputs import PromptHarm, measure_prompt_harm, read_outputs
from adapters.keyring import master_key
from adapters.reports import digest_page as digest_pages
from adapters.system_clock import SystemClock
from bot.app import keeping
from bot.app.application import GUARDING
from bot.app.moderation import REMEMBERED, TRACES
from bot.app.parts import Stores
from bot.config import Config
from bot.core.base.clock import Clock
from bot.core.chat.message import Platform
from bot.core.communities.community import Community
from bot.core.evaluation.calibration import Calibration
from bot.core.evaluation.fresh import FreshLine
from bot.core.evaluation.quality import Labelled
from bot.core.guarding.verdict import YES
from bot.core.moderation.recent import WINDOW, RecentActivity
from bot.core.operations.division import Division
from bot.core.reporting.digest import Digest
from bot.core.reporting.periods import Period, parse
from bot.core.text.catalogue import Texts
from storage.columns import microseconds
from storage.database import Database
from storage.flow.compared import hopping
from storage.flow.compared.crowd import settle_in
from storage.flow.compared.one_by_one import NaiveStore
from storage.flow.leases.shares import SqlShares
from storage.flow.turns import Turns

if TYPE_CHECKING:
    from adapters.guards.embedded.phrases import TrickRate
    from adapters.guards.embedded.training.linear import TrainingReport

FRESH = timedelta(minutes=10)  # as screening asks


def throwaway_key(folder: Path) -> None:
    """For a database that is thrown away: nobody is told to keep a copy."""
    master_key(folder)


def recorded_prompt_harm(path: Path) -> tuple[PromptHarm, PromptHarm]:
    """How recorded guard outputs agree with their labels: without prompts that carry both labels, and with them."""
    rows = read_outputs(path)
    return measure_prompt_harm(rows), measure_prompt_harm(rows, skip_double_labelled=False)


def recorded_exchanges(path: Path) -> Sequence[Labelled]:
    """What was asked and answered in recorded guard outputs, with the labels that it was given and that the guard
    wrote."""
    return recorded_outputs.labelled(read_outputs(path))


def labelled(path: Path, columns: Mapping[str, str] | None = None) -> Sequence[Labelled]:
    """The rows of a file of labelled exchanges, with `columns` under other names. Raises `Broken` where it is none."""
    from adapters.evaluation.labelled_data import read_labelled

    return read_labelled(path, columns)


def fresh_lines(path: Path) -> Sequence[FreshLine]:
    """The lines of a file of the project's corpus. Raises `Broken` where it is none."""
    from adapters.evaluation.pens import read_pens

    return read_pens(path)


def evaluation_picture(path: Path, scored: Mapping[str, tuple[Sequence[bool], Sequence[float]]], say: Texts) -> None:
    """Draws the labels and scores of each named curve into a PNG file."""
    from adapters.evaluation.picture import draw

    draw(path, scored, say)


def write_calibration(calibration: Calibration, path: Path) -> None:
    from adapters.guards.composed.calibrated import write_calibration

    write_calibration(calibration, path)


def digest_page(digest: Digest, say: Texts, timezone: str) -> str:
    """The digest as Markdown."""
    return digest_pages.page(digest, say, timezone)


@asynccontextmanager
async def one_by_one(config: Config) -> AsyncIterator[NaiveStore]:
    """A database that is written to as a naive bot would."""
    async with keeping.opened(config, SystemClock()) as database:
        yield NaiveStore(database)


@dataclass(frozen=True, slots=True)
class Growing:
    """A database that fills, and what is asked of it then."""

    database: Database
    stores: Stores
    clock: Clock
    turns: Turns
    division: Division

    async def prepare(self) -> None:
        """What `choose` needs to do it as it did before."""
        await hopping.prepare(self.database)

    async def choose(self, limit: int, *, hopping_: bool) -> int:
        """Whose turn it is, as a claim finds out; `hopping_`: as it did before. Nothing is leased. Returns how many
        messages were found."""
        async with self.database.write(durable=False) as connection:
            if hopping_:
                return await hopping.chosen(self.database, connection, limit)
            return len(await self.turns.next(connection, limit, microseconds(self.clock.now() - FRESH)))

    async def settle_in(self, crowd: Sequence[Community]) -> None:
        """Each with the settings that it has."""
        await settle_in(self.database, crowd)

    def left_open(self) -> AbstractAsyncContextManager[bool]:
        """A transaction that is forgotten; whether that keeps anything from being swept."""
        return hopping.left_open(self.database)

    async def remembered(self) -> int:
        """What a start reads of what was just done; how much that is."""
        now, each = self.clock.now(), RecentActivity().each
        await self.stores.members.said_since(now - WINDOW)
        return len(await self.stores.incidents.traces(now - REMEMBERED, each=each, most=TRACES))


@asynccontextmanager
async def growing(config: Config, shared: Platform | None = None) -> AsyncIterator[Growing]:
    """`shared`: this process judges and acts only for its share of that network's communities, once `division` has
    taken it."""
    async with keeping.opened(config, clock := SystemClock()) as database:
        shares = SqlShares(database, GUARDING)
        division = Division(shares=shares, clock=clock, begin=_nothing, end=_nothing, under_way=lambda _: 0)
        stores = Stores.over(database, shares, {shared: shares}) if shared else Stores.over(database)
        yield Growing(database, stores, clock, Turns(database), division)


async def _nothing(_: Collection[int]) -> None:
    """Nothing is remembered of communities here."""


async def made_up_year(config: Config, *, weeks: int, messages_a_week: int, incidents_a_week: int) -> None:
    """Fill an empty database with the last `weeks` of a made-up year, `made_up_week` the very last."""
    from storage.reports.made_up_year import write_year

    await write_year(
        config.storage.url,
        SystemClock(),
        weeks=weeks,
        messages_a_week=messages_a_week,
        incidents_a_week=incidents_a_week,
    )


def made_up_week() -> Period:
    from storage.reports.made_up_year import LAST_WEEK, ZONE

    return parse(LAST_WEEK, ZONE.key)


def train_embedded(data: Path, out: Path, progress: Callable[[str], None]) -> "TrainingReport":
    from adapters.guards.embedded.training.linear import train

    return train(data, out, progress)


def phrase_rates() -> "list[TrickRate]":
    """What the embedded guard does with each trick of evasion and each kind of innocent look-alike."""
    from adapters.guards.embedded.kinds import KindModel
    from adapters.guards.embedded.phrases import phrase_rates as of

    model = KindModel.load()
    return of(lambda phrases: model.probabilities(phrases).max(axis=1).tolist(), YES)


def clock() -> Clock:
    return SystemClock()
