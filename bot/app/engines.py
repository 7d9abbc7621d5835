"""Engines for the guard's benchmark, with nothing else of the application: it runs where little is installed."""

from adapters.guards.vllm_raw import CardSnippet, RawEngine, device
from adapters.system_clock import SystemClock

__all__ = ["CardSnippet", "RawEngine", "SystemClock", "device"]
