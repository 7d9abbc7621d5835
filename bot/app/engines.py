"""Engines for the guard's benchmark, with nothing else of the application: it runs where little is installed."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from adapters.guards.dialects.dialect import UNPARSEABLE
from adapters.guards.vllm_raw import CardSnippet, RawEngine, device, versions
from adapters.system_clock import SystemClock
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.ports import Guard


def servers(address: str, dialect: str, tokenizer: Path | None) -> AbstractAsyncContextManager[Guard]:
    """A guard behind a `vllm serve` that runs there."""
    from adapters.guards.dialects import DIALECTS
    from adapters.guards.vllm_server import Encoding, VllmServers

    chosen = DIALECTS[dialect]
    encoding = Encoding.read(tokenizer, chosen) if tokenizer else None
    return VllmServers(servers=[address], dialect=chosen, clock=SystemClock(), timeout=60, encoding=encoding)


def embedded() -> Guard:
    """The one that ships."""
    from adapters.guards.embedded.kinds_guard import KindsGuard

    return KindsGuard()


def judges(model: Guard) -> tuple[Guard, Guard]:
    """Who judges in an application, and who stands in."""
    from adapters.guards.composed.beside import beside

    return beside(model, embedded())


def classifier(folder: Path) -> Guard:
    """An encoder on this processor; what its labels mean does not matter to how fast it is."""
    from adapters.guards.classifier import ClassifierGuard, OnnxNetwork

    network = OnnxNetwork.read(folder)
    harmless, *harmful = network.labels
    return ClassifierGuard(network, {harmless: "", **dict.fromkeys(harmful, HarmKind.ABUSE)})


__all__ = [
    "UNPARSEABLE", "CardSnippet", "RawEngine", "SystemClock", "classifier", "device", "embedded", "judges", "servers",
    "versions",
]  # fmt: skip
