"""A name and a configuration -> the guard that judges."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.guards.dialects import DIALECTS
from adapters.guards.dialects import as_card as asked_as_card
from adapters.system_clock import SystemClock
from bot.config import Config
from bot.config.guards import SHIPPED
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, reason
from bot.core.communities.community import LONGEST_RULES
from bot.core.guarding.canary import Canary, listen
from bot.core.guarding.ports import Guard
from bot.core.guarding.queue import GuardQueue
from bot.core.guarding.verdict import Task
from bot.core.text.catalogue import Texts, texts

if TYPE_CHECKING:
    from adapters.guards.policy import ModelGuard

OpenGuard = AbstractAsyncContextManager[Guard]


READS_RULES = "policy"  # the guard that is never in office
FORMER = "aab6ed54bd61"  # the revision of the one before, for those who pin it


def _embedded(config: Config) -> OpenGuard:
    guard = _shipped(config)
    return nullcontext(_calibrated(guard, config) if config.guard.name in SHIPPED else guard)


def _shipped(config: Config) -> Guard:
    """The guard that ships, or one of other files: of another release, or taught at home; or the one before it, where
    that is pinned."""
    from adapters.guards.embedded import CommentsGuard
    from adapters.guards.embedded.kinds import SHIPPED as FILE
    from adapters.guards.embedded.kinds_guard import KindsGuard

    if config.guard.revision == FORMER:
        return CommentsGuard()
    own = Path(config.guard.model, FILE.name)  # it may be the name of a guard model that was configured before
    is_there = bool(config.guard.model) and own.is_file()
    return KindsGuard(own if is_there else FILE, encoder=config.guard.encoder)


def remarks(config: Config, say: Texts) -> Iterator[str]:
    """What to know about the choice of a guard that ships."""
    chosen = config.guard
    if chosen.name not in SHIPPED:
        return
    if chosen.name != SHIPPED[0]:
        yield say("check.renamed", old=f'guard.name = "{chosen.name}"', new=f'"{SHIPPED[0]}"')
    if chosen.revision == FORMER:
        yield say("check.former_guard", revision=FORMER)
    elif chosen.revision and chosen.revision != (today := _shipped(config).version.model):
        yield say("check.no_revision", given=chosen.revision, today=today, former=FORMER)


def judges(guard: Guard, config: Config) -> tuple[Guard, Guard | None]:
    """Who judges in a running application, and who while that one is away: beside a guard model the embedded one always
    judges, too. Those that ship with the product are never away."""
    if config.guard.name in SHIPPED:
        return guard, None
    from adapters.guards.composed.beside import beside
    from adapters.guards.embedded.kinds_guard import KindsGuard

    return beside(guard, KindsGuard(encoder=config.guard.encoder))


def queue(guard: Guard, config: Config, clock: Clock) -> tuple[GuardQueue, Callable[[], Coroutine[Any, Any, None]]]:
    """Of a running application; and what tells once, beside the messages, whether the guard judges its canaries so."""
    judging, stand_in = judges(guard, config)
    found = GuardQueue(guard=judging, clock=clock, stand_in=stand_in)
    return found, partial(listen, guard, canaries(config), clock, found.figures)


def canaries(config: Config) -> Sequence[Canary]:
    """Of the configured guard, where it runs the weights that are published for it."""
    chosen = config.guard
    dialect = DIALECTS.get(chosen.second if chosen.name == "cascade" else chosen.name)
    return dialect.canaries if dialect and chosen.model in ("", dialect.model) else ()


def server_command(config: Config) -> str | None:
    """What starts a server of the configured guard model; None where it needs none."""
    chosen = config.guard
    dialect = DIALECTS.get(chosen.second if chosen.name == "cascade" else chosen.name)
    is_served = dialect and chosen.engine == "server"
    return dialect.serve(chosen.model, chosen.revision, chosen.engine_options) if dialect and is_served else None


@asynccontextmanager
async def _model(name: str, config: Config, *, as_card: bool = False) -> AsyncIterator[Guard]:
    """A guard model: its dialect, spoken by the configured engine."""
    chosen, dialect = config.guard, asked_as_card(DIALECTS[name]) if as_card else DIALECTS[name]
    if chosen.engine == "vllm":
        from adapters.guards.vllm_engine import VllmGuard

        engine = VllmGuard(
            chosen.model or None,
            clock=SystemClock(),
            revision=chosen.revision or None,
            dialect=dialect,
            mode=chosen.mode if dialect.classifier and len(dialect.classifier) == 2 else "generate",
            gpu_memory_utilization=chosen.gpu_memory_utilization,
            engine_options=chosen.engine_options,
        )
        try:
            yield _calibrated(engine, config)
        finally:
            await engine.close()
        return
    from adapters.guards.vllm_server import Encoding, VllmServers

    servers = VllmServers(
        servers=chosen.servers,
        dialect=dialect,
        clock=SystemClock(),
        model=chosen.model,
        revision=chosen.revision,
        token=chosen.token.get_secret_value(),
        timeout=chosen.timeout.total_seconds(),
        engine_options=chosen.engine_options,
        encoding=Encoding.read(Path(chosen.tokenizer), dialect) if chosen.tokenizer else None,
    )
    async with servers:
        yield _calibrated(servers, config)


@asynccontextmanager
async def _moderations(config: Config) -> AsyncIterator[Guard]:
    from adapters.guards.moderations import ModerationsGuard

    chosen = config.guard
    guard = ModerationsGuard(
        chosen.servers,
        clock=SystemClock(),
        model=chosen.model,
        token=chosen.token.get_secret_value(),
        timeout=chosen.timeout.total_seconds(),
    )
    async with guard:
        yield _calibrated(guard, config)


@asynccontextmanager
async def rules_reader(config: Config) -> AsyncIterator["ModelGuard"]:
    """What reads rules that people have written. Raises `Broken` where it cannot be."""
    from adapters.guards.policy import ChatForm, Form, ModelGuard

    chosen = config.house_rules
    if chosen.form == "harmony":
        from adapters.guards.policy.harmony import HarmonyForm

        form: Form = HarmonyForm(Path(chosen.vocabulary))
    else:
        form = ChatForm()
    guard = ModelGuard(
        chosen.servers,
        clock=SystemClock(),
        form=form,
        model=chosen.model,
        token=chosen.token.get_secret_value(),
        timeout=chosen.timeout.total_seconds(),
        rules=house_rules(config),
    )
    async with guard:
        yield guard


def house_rules(config: Config) -> str:
    """Of a community that has written down none. Raises `Broken`."""
    path, say = config.house_rules.file, texts(config.defaults.language)
    try:
        rules = Path(path).read_text("utf-8-sig").strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        why = say.why(reason(error) if isinstance(error, OSError) else "not UTF-8")
        raise Broken(say("check.no_rules_file", path=path, why=why)) from None
    if len(rules) > LONGEST_RULES:
        raise Broken(say("check.long_file", path=path, most=LONGEST_RULES))
    return rules


@asynccontextmanager
async def _classifier(config: Config) -> AsyncIterator[Guard]:
    """Of a folder on this machine, or behind servers."""
    from adapters.guards.classifier import ClassifierGuard, Network, OnnxNetwork, ServedNetwork

    chosen = config.guard
    network: Network
    if not chosen.asks_servers:
        network = OnnxNetwork.read(Path(chosen.model))
    else:
        network = ServedNetwork(
            chosen.servers,
            clock=SystemClock(),
            model=chosen.model,
            labels=tuple(chosen.labels),
            token=chosen.token.get_secret_value(),
            timeout=chosen.timeout.total_seconds(),
        )
    async with ClassifierGuard(network, chosen.labels) as guard:
        yield _calibrated(guard, config)


def first_look() -> Guard:
    """What a cascade asks first."""
    from adapters.guards.embedded.kinds_guard import KindsGuard

    return KindsGuard(encoder=False)


@asynccontextmanager
async def _cascade(config: Config) -> AsyncIterator[Guard]:
    from adapters.guards.composed.cascade import CascadeGuard

    chosen = config.guard
    async with GUARDS[chosen.second](config) as second:
        yield CascadeGuard(first_look(), second, threshold=chosen.skip_below, sample=chosen.sample)


def _calibrated(guard: Guard, config: Config) -> Guard:
    from adapters.guards.composed.calibrated import CalibratedGuard, read_calibration

    file = config.guard.calibration
    return CalibratedGuard(guard, read_calibration(Path(file))) if file else guard


#: Guards by name. Each brings its libraries with it only when it is wanted.
GUARDS: dict[str, Callable[[Config], OpenGuard]] = {
    **dict.fromkeys(SHIPPED, _embedded),
    "cascade": _cascade,
    "classifier": _classifier,
    "moderations": _moderations,
    READS_RULES: rules_reader,
    **{name: partial(_model, name) for name in DIALECTS},
}
NAMES = ", ".join(name for name in GUARDS if name not in SHIPPED[1:])  # without what one was called once


def guard(
    config: Config, say: Texts, name: str | None = None, *, raw: bool = False, as_card: bool = False
) -> OpenGuard:
    """The guard of that name, or the configured one, to be used with `async with`; `raw`: without calibration,
    `as_card`: asked as its model card does. Raises `Broken` where there is none of that name, or it cannot be."""
    if name is None and config.guard.name == READS_RULES:
        raise Broken(say["check.policy_guard"])
    if name and name not in GUARDS:
        raise Broken(say("guards.unknown", name=name, names=NAMES))
    name = name or config.guard.name
    for unknown in _unknown(name, config, say):
        raise Broken(unknown)
    if raw:
        config = config.model_copy(update={"guard": config.guard.model_copy(update={"calibration": ""})})
    if as_card:
        if name not in DIALECTS:
            raise Broken(say("eval.no_card", guard=name))
        return _model(name, config, as_card=True)
    return GUARDS[name](config)


def _unknown(name: str, config: Config, say: Texts) -> Iterator[str]:
    if name not in GUARDS:
        yield say("run.unknown_guard", name=name, names=NAMES)
    if name == "cascade" and config.guard.second not in DIALECTS:
        yield say("run.unknown_second", name=config.guard.second, names=", ".join(DIALECTS))


async def objections(config: Config, say: Texts) -> list[str]:
    """Why nothing could be judged with what is configured, or tried. No server is asked."""
    found = [told for one in (config, config.on_trial) if one for told in await _objections(one, say)]
    if config.house_rules.servers:
        try:
            async with rules_reader(config):
                pass
        except Broken as error:
            found.append(say.why(error))
    return found


async def _objections(config: Config, say: Texts) -> list[str]:
    from adapters.guards.composed.calibrated import read_calibration

    chosen, found = config.guard, [*_unknown(config.guard.name, config, say)]
    if chosen.name == READS_RULES:
        found.append(say["check.policy_guard"])
    if chosen.calibration:
        try:
            read_calibration(Path(chosen.calibration))
        except Broken as error:
            found.append(say.why(error))
    if found:
        return found
    if chosen.engine == "vllm" and chosen.name not in SHIPPED:  # loading a model takes minutes and a GPU
        return [] if find_spec("vllm") else [say["run.no_vllm"]]
    try:
        async with guard(config, say, raw=True):
            return []
    except Broken as error:
        return [say.why(error)]


def capabilities() -> list[dict[str, Any]]:
    """What each guard can do: one JSON-ready row a guard, those first that ship with the product."""
    from adapters.guards.dialects import capabilities as of_dialects
    from adapters.guards.embedded.kinds_guard import KindsGuard
    from adapters.guards.moderations import CATEGORIES, MODEL
    from adapters.guards.policy import MODEL as READER

    guard, harm = KindsGuard(), [str(Task.PROMPT_HARM), str(Task.RESPONSE_HARM)]
    rows = [
        _capability(
            guard.version.name,
            guard.version.model,
            korean=True,
            tasks=[task.value for task in Task if task in guard.tasks],
            categories={kind: kind for kind in guard.model.kinds},
            licence="CC BY-SA 4.0",
            gated=False,
        ),
        _capability(
            "cascade",
            "embedded, [guard] second",
            tasks=harm,
            unverified=["how well the guard that was chosen as the second knows anything"],
            licence="of the guards that it asks",
        ),
        _capability(
            "classifier",
            "[guard] model",
            tasks=harm,
            classify=True,
            unverified=["how well the model that was chosen knows anything"],
            licence="of the model that was chosen",
        ),
        _capability(
            "moderations",
            MODEL,
            tasks=harm,
            categories={name: name for name in CATEGORIES},
            unverified=["how well it knows Korean chat"],
            licence="of whoever runs the server",
        ),
        _capability(
            "policy",
            READER,
            tasks=harm,
            unverified=["how well it knows Korean chat", "its harmony form on a server of gpt-oss-safeguard"],
            licence="Apache-2.0",
            gated=False,
        ),
    ]
    return [*rows, *of_dialects()]


def _capability(name: str, model: str, **what: Any) -> dict[str, Any]:
    """Of a guard that is no language model."""
    nothing = dict.fromkeys(("context", "window", "parameters", "memory_gb", "gated", "serve"))
    usual = {"korean": False, "categories": {}, "dialect": "", "classify": False, "forms": {}, "unverified": []}
    return {"name": name, "model": model, **nothing, **usual, "weights_gb": 0.0, **what}
