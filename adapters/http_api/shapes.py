"""What is asked and answered over HTTP, as types: they check requests, write answers and make the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_TEXT = 100_000  # characters
MOST_INPUTS = 32  # of one request


def _without_half_characters(value: object) -> object:
    """Half of a surrogate pair, as careless cutting leaves it, becomes the replacement character."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


Text = Annotated[
    str, BeforeValidator(_without_half_characters), Field(max_length=LONGEST_TEXT, examples=["안녕하세요"])
]
Name = Annotated[str, BeforeValidator(_without_half_characters), Field(max_length=200)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CheckRequest(Asked):
    """What a person has written to an LLM bot, and what the bot is about to answer."""

    prompt: Text
    response: Text | None = Field(None, description="Left out, null or blank: the prompt is judged alone.")
    community: Name | None = Field(
        None, description="The id of the community that the key speaks for; another one is refused."
    )


class StreamStart(Asked):
    """The first line of a stream."""

    prompt: Text
    community: Name | None = Field(None, description="See CheckRequest.")


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
    sentence: str = Field(description="In the community's language.")


class RuleShape(Answered):
    """A rule of the community's policy that matched."""

    rule: str
    mode: Literal["live", "shadow"] = Field(description="A rule in shadow mode is on trial and never flags.")
    why: WhyShape


Flagged = Annotated[
    bool | None,
    Field(description="Whether a live rule of the community matched. null: nobody can say; it does not mean safe."),
]


class CheckAnswer(Answered):
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
    categories: list[str] = Field(description="Categories of the guard's own that it named, if it names any.")
    rules: list[RuleShape]
    guard: GuardShape
    windows: int = Field(description="How many overlapping windows a long text was judged in; the worst counts.")
    policy: str = Field(description="Version of the community's policy.")


class StreamLine(CheckAnswer):
    """The verdict on the response as far as it had come."""

    characters: int = Field(description="How much of the response this is about.")
    final: bool = Field(description="The last line: the response has ended, or a verdict has flagged it.")


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
    """The guard could not judge this text and no rule flags it otherwise: neither safe nor harmful."""

    flagged: None = None
    unscreened: str


class Alive(Answered):
    status: Literal["alive"] = "alive"


class Ready(Answered):
    status: Literal["ready"] = "ready"
