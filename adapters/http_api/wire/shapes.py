"""What is asked and answered over HTTP, as types: they check requests, write answers and make the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_TEXT = 100_000  # characters
MOST_INPUTS = 32  # of one request
LONGEST_RECENT = 500  # characters
MOST_RECENT = 12


def _without_half_characters(value: object) -> object:
    """Half of a surrogate pair, as careless cutting leaves it, becomes the replacement character."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


WHOLE = BeforeValidator(_without_half_characters)
Text = Annotated[str, Field(max_length=LONGEST_TEXT, examples=["안녕하세요"]), WHOLE]


def _moment(value: object) -> object:
    """Written as RFC 3339 asks; a number would be taken for seconds, or for milliseconds."""
    return datetime.fromisoformat(value) if isinstance(value, str) else ""


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
Name = Annotated[str, Field(max_length=200), WHOLE]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AuthorShape(Asked):
    """Who says the prompt, as far as rules ask for it."""

    id: Name = ""
    name: Name = ""
    roles: Annotated[list[Name], Field(max_length=100)] = Field(
        default=[],
        description="Names or ids of roles. owner, admin and moderator are staff, which most rules leave alone.",
    )
    joined_at: Moment | None = Field(default=None, description="With a time zone: for rules about new members.")


class _Said(Asked):
    prompt: Text
    community: Name | None = Field(
        default=None, description="The id of the community that the key speaks for; another one is refused."
    )
    channel: Name = Field(default="", description="Where it is said, for rules and exemptions of channels.")
    author: AuthorShape = Field(default_factory=AuthorShape)


class RecentShape(Asked):
    """What the same author said in the same channel before."""

    text: Annotated[str, Field(max_length=LONGEST_RECENT, examples=["안녕하세요"]), WHOLE]
    sent_at: Moment | None = Field(default=None, description="With a time zone; left out: just now.")


class CheckRequest(_Said):
    """What a person has written to an LLM bot, and what the bot is about to answer."""

    response: Text | None = Field(
        default=None,
        description="Judged as the answer to the prompt, which is judged by itself all the same. Left out, null or "
        "blank: the prompt alone.",
    )
    recent: Annotated[list[RecentShape], Field(max_length=MOST_RECENT)] = Field(
        default=[],
        description="What the author of the prompt said in this channel just before, for rules that look back some "
        "minutes (repeats, words said in pieces). Nothing of it is judged by itself.",
    )
    explain: bool = Field(default=False, description="Whether the rules that did not match are told, too.")


class FeedbackRequest(Asked):
    """Whether a judgement was right. It holds for what is asked over HTTP about the same text, for half a year: what
    was called wrong is not flagged by the same rules any more, what was called right is."""

    code: Annotated[str, Field(max_length=4000)] = Field(description="Of the judgement, not older than a week.")
    verdict: Literal["right", "wrong"]


class BatchRequest(Asked):
    """Several checks at once; each costs what it costs alone. Where one has no text, none is judged."""

    checks: Annotated[list[CheckRequest], Field(min_length=1, max_length=MOST_INPUTS)]


class StreamStart(_Said):
    """The first line of a stream."""


class StreamPiece(Asked):
    """Every further line: what has been added to the response."""

    piece: Text


class Answered(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class GuardShape(Answered):
    """Exactly what judged."""

    name: str
    model: str
    dialect: str = Field(description="Hash of the prompt templates, empty where there are none.")
    calibration: str = Field(description="Fingerprint of the calibration, empty for raw scores.")


class WhyShape(Answered):
    code: str
    sentence: str = Field(description="In the language of Accept-Language, else in the community's.")


class RuleShape(Answered):
    """A rule of the community's policy, and why it matched or did not."""

    rule: str
    part: Literal["prompt", "response"] = Field(description="In which of the two it looked.")
    mode: Literal["live", "shadow"] = Field(description="A rule in shadow mode is on trial and never flags.")
    why: WhyShape


Flagged = Annotated[
    bool | None,
    Field(description="Whether a live rule of the community matched. null: nobody can say; it does not mean safe."),
]


class ByPolicy(Answered):
    """What the community's policy makes of it."""

    policy: str = Field(description="Version of the policy.")
    rules: list[RuleShape] = Field(description="Those that matched.")
    harm: list[str] = Field(description="Kinds of harm that the live rules which matched, and the guard, see in it.")
    actions: list[str] = Field(
        description="What would be done about it in the community, such as delete, warn or escalate."
    )
    withheld: list[str] = Field(
        description="What would be done besides, were it not for a restraint, such as watch-only mode or a quotation."
    )
    code: str | None = Field(
        description="Stands for this judgement in /v1/feedback; null where no rule has found anything in the text."
    )


class CheckAnswer(ByPolicy):
    request_id: str
    flagged: Flagged
    unscreened: str | None = Field(description="Why the guard gave no verdict; null where it gave one.")
    scores: dict[str, float] = Field(
        description="Probabilities by task (prompt_harm, response_refusal, response_harm); what the guard cannot judge "
        "is absent."
    )
    kinds: dict[str, dict[str, float]] = Field(
        description="By part of the exchange (prompt, response) the probability of each kind of harm that the guard "
        "looks for; of one that only says how harmful something is, that of unspecified."
    )
    quotes: float | None = Field(
        description="How probably the text quotes or reports somebody rather than says it; null where the guard does "
        "not tell."
    )
    categories: list[str] = Field(description="Categories of the guard's own that it named, if it names any.")
    unmatched: list[RuleShape] | None = Field(description="The rules that did not match; null unless asked to explain.")
    guard: GuardShape
    windows: int = Field(description="How many overlapping windows a long text was judged in; the worst counts.")


class BatchAnswer(Answered):
    """In the order of the checks. One that could not be judged has `flagged: null` and says why."""

    request_id: str
    results: list[CheckAnswer]


class StreamLine(CheckAnswer):
    """The verdict on the prompt, and on the response as far as it had come."""

    characters: int = Field(description="How much of the response this is about.")
    final: bool = Field(description="The last line: the response has ended, or a verdict has flagged it.")


class FeedbackAnswer(Answered):
    request_id: str
    verdict: Literal["right", "wrong"]
    changed: bool = Field(description="false: the same was said before.")


class ErrorShape(Answered):
    code: str
    message: str
    type: Literal["invalid_request_error", "authentication_error", "rate_limit_error", "unavailable_error"]
    param: str | None = Field(description="The field that is wrong.")


class ErrorAnswer(Answered):
    """Every error of this API, in the shape that OpenAI's clients know."""

    error: ErrorShape
    request_id: str


class UnscreenedAnswer(ErrorAnswer):
    """There is no text, or the guard could not judge it and no rule flags it otherwise: neither safe nor harmful."""

    flagged: None = None
    unscreened: str


class Alive(Answered):
    status: Literal["alive"] = "alive"


class Ready(Answered):
    status: Literal["ready"] = "ready"
