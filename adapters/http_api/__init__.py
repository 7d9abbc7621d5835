"""HTTP requests from the owners of LLM bots in, verdicts before anything is sent out; health checks and metrics."""

from adapters.http_api.server import HttpApi

__all__ = ["HttpApi"]
