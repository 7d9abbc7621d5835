"""Whatever keeps a request from being answered -> one shape of error, with status, code and a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from adapters.http_api.wire.shapes import ErrorAnswer, ErrorShape, UnscreenedAnswer
from bot.core.base.errors import BotError
from bot.core.text.catalogue import Texts

Kind = Literal["invalid_request_error", "authentication_error", "rate_limit_error", "unavailable_error"]

#: Code -> status and kind. The sentences stand in the texts, under `api.`.
PROBLEMS: Mapping[str, tuple[int, Kind]] = {
    "not_json": (400, "invalid_request_error"),
    "invalid": (400, "invalid_request_error"),
    "no_pictures": (400, "invalid_request_error"),
    "attribute": (400, "invalid_request_error"),
    "language": (400, "invalid_request_error"),
    "address": (400, "invalid_request_error"),
    "too_many_webhooks": (400, "invalid_request_error"),
    "unauthorized": (401, "authentication_error"),
    "expired": (401, "authentication_error"),
    "wrong_community": (403, "authentication_error"),
    "wrong_scope": (403, "authentication_error"),
    "not_found": (404, "invalid_request_error"),
    "method_not_allowed": (405, "invalid_request_error"),
    "no_judgement": (404, "invalid_request_error"),
    "no_webhook": (404, "invalid_request_error"),
    "too_slow": (408, "invalid_request_error"),
    "too_large": (413, "invalid_request_error"),
    "wrong_type": (415, "invalid_request_error"),
    "empty": (422, "invalid_request_error"),
    "unscreened": (422, "unavailable_error"),
    "unread": (422, "unavailable_error"),
    "too_many": (429, "rate_limit_error"),
    "too_many_at_once": (429, "rate_limit_error"),
    "failed": (500, "unavailable_error"),
    "guard_away": (503, "unavailable_error"),
    "too_long": (503, "unavailable_error"),
    "too_busy": (503, "unavailable_error"),
    "stopping": (503, "unavailable_error"),
    "database_away": (503, "unavailable_error"),
    "not_connected": (503, "unavailable_error"),
}


@dataclass(eq=False)
class Problem(Exception):
    """`retry_after` in seconds."""

    code: str
    param: str | None = None
    retry_after: float | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return PROBLEMS[self.code][0]

    def sentence(self, say: Texts) -> str:
        facts = {name: say.why(fact) if isinstance(fact, BotError | str) else fact for name, fact in self.facts.items()}
        return say(f"api.{self.code}", **facts)

    def answer(self, say: Texts, request_id: str) -> ErrorAnswer:
        error = ErrorShape(
            code=self.code,
            message=self.sentence(say),
            type=PROBLEMS[self.code][1],
            param=self.param,
        )
        if self.status == 422:
            reason = str(self.facts.get("reason", self.code))
            return UnscreenedAnswer(error=error, request_id=request_id, unscreened=reason)
        return ErrorAnswer(error=error, request_id=request_id)

    def all_headers(self) -> dict[str, str]:
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, -int(-self.retry_after // 1)))
        return headers


class Left(Exception):
    """The client has gone: there is nobody to answer."""
