"""OpenAI's moderations endpoint: its requests and answers as types, and a check in its categories."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticKnownError

from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.shapes import (
    LONGEST_TEXT,
    MOST_INPUTS,
    Answered,
    Asked,
    ByPolicy,
    CheckAnswer,
    CheckRequest,
    Name,
    Text,
)
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import YES, Part, Task


class TextPart(Asked):
    type: Literal["text"]
    text: Text


class ImagePart(Asked):
    """Taken to be refused in words that say why."""

    type: Literal["image_url"]
    image_url: dict[str, Annotated[str, Field(max_length=LONGEST_TEXT)]]


def _given(value: object) -> object:
    """What is none of the three is said of `input`, and not of each in turn."""
    if not isinstance(value, str | list):
        raise PydanticKnownError("string_type")
    if value == []:
        raise PydanticKnownError("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0})
    return value


class ModerationRequest(Asked):
    """As OpenAI's moderations endpoint takes it, texts only. Parts of one input are judged as one text."""

    input: Annotated[
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]
        | Annotated[list[TextPart | ImagePart], Field(min_length=1, max_length=MOST_INPUTS)],
        BeforeValidator(_given),
    ]
    model: Name | None = Field(
        default=None, description="Taken for compatibility and ignored: the configured guard judges."
    )

    @property
    def checks(self) -> dict[str, CheckRequest]:
        """By where each stands in the request. Raises Problem where a part is a picture."""
        if isinstance(self.input, str):
            return {"input": CheckRequest(prompt=self.input)}
        checks, parts = {}, []
        for number, one in enumerate(self.input):
            if isinstance(one, ImagePart):
                raise Problem("no_pictures", param=f"input.{number}")
            if isinstance(one, TextPart):
                parts.append(one.text)
            else:
                checks[f"input.{number}"] = CheckRequest(prompt=one)
        return checks or {"input": CheckRequest(prompt="\n".join(parts)[:LONGEST_TEXT])}


#: OpenAI's own categories and the kinds of harm that each stands for. Where the guard that judges knows none of them,
#: and in those without any, it is null: not judged, which is not false.
OPENAI_CATEGORIES: Mapping[str, frozenset[HarmKind]] = {
    "harassment": frozenset({HarmKind.ABUSE, HarmKind.BULLYING, HarmKind.DOXXING}),
    "harassment/threatening": frozenset({HarmKind.THREAT}),
    "hate": frozenset({HarmKind.HATE}),
    "hate/threatening": frozenset(),
    "illicit": frozenset({HarmKind.DANGEROUS, HarmKind.FRAUD, HarmKind.ADVERTISING}),
    "illicit/violent": frozenset(),
    "self-harm": frozenset({HarmKind.SELF_HARM}),
    "self-harm/instructions": frozenset(),
    "self-harm/intent": frozenset({HarmKind.SELF_HARM}),
    "sexual": frozenset({HarmKind.SEXUAL, HarmKind.SEXUAL_HARASSMENT}),
    "sexual/minors": frozenset({HarmKind.GROOMING}),
    "violence": frozenset({HarmKind.VIOLENCE}),
    "violence/graphic": frozenset(),
}


class ModerationResult(Answered):
    flagged: bool = Field(description="Whether a live rule of the community matched.")
    categories: dict[str, bool | None] = Field(
        description="prompt_harm, and those of OpenAI's own categories whose kinds the guard knows: whether the score "
        "is 0.5 or more. The others are null: not judged."
    )
    category_scores: dict[str, float | None]
    category_applied_input_types: dict[str, list[Literal["text"]]]
    jikimi: ByPolicy = Field(description="Which rules matched, and what would be done about it in the community.")


class ModerationAnswer(Answered):
    id: str
    model: str = Field(description="The guard that judged.")
    results: list[ModerationResult]


def moderated(answer: CheckAnswer) -> ModerationResult:
    found = answer.kinds.get(Part.PROMPT, {})
    scores: dict[str, float | None] = {
        name: max((found[kind] for kind in kinds if kind in found), default=None)
        for name, kinds in OPENAI_CATEGORIES.items()
    }
    if (score := answer.scores.get(Task.PROMPT_HARM)) is not None:
        scores[Task.PROMPT_HARM] = score
    return ModerationResult(
        flagged=bool(answer.flagged),
        categories={name: None if score is None else score >= YES for name, score in scores.items()},
        category_scores=scores,
        category_applied_input_types={name: [] if score is None else ["text"] for name, score in scores.items()},
        jikimi=ByPolicy(**answer.model_dump(include=set(ByPolicy.model_fields))),
    )
