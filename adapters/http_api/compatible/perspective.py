"""Google's Perspective API, which ends on 31 December 2026: its requests, answers and errors around a check."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.reading import plain
from adapters.http_api.wire.shapes import WHOLE, Answered, Asked, CheckAnswer, Name
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Part
from bot.core.text.catalogue import Texts

PREFIX = "/v1alpha1/"
LANGUAGE = "ko"
LONGEST_COMMENT = 20_480  # bytes, as there

#: Attributes of production, and the kinds of harm that each stands for.
ATTRIBUTES: Mapping[str, frozenset[HarmKind]] = {
    "TOXICITY": frozenset(
        {
            HarmKind.ABUSE, HarmKind.BULLYING, HarmKind.HATE, HarmKind.THREAT, HarmKind.VIOLENCE,
            HarmKind.SEXUAL_HARASSMENT, HarmKind.UNSPECIFIED,
        }
    ),
    "SEVERE_TOXICITY": frozenset({HarmKind.HATE, HarmKind.THREAT, HarmKind.SEXUAL_HARASSMENT}),
    "INSULT": frozenset({HarmKind.ABUSE, HarmKind.BULLYING}),
    "PROFANITY": frozenset({HarmKind.ABUSE}),
    "THREAT": frozenset({HarmKind.THREAT, HarmKind.VIOLENCE}),
    "IDENTITY_ATTACK": frozenset({HarmKind.HATE}),
    "SEXUALLY_EXPLICIT": frozenset({HarmKind.SEXUAL, HarmKind.SEXUAL_HARASSMENT, HarmKind.GROOMING}),
}  # fmt: skip


class _Wanted(Asked):
    """Names are written as in Google's JSON, or as in its protocol buffers; both are taken there."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class TextEntry(_Wanted):
    text: Annotated[str, WHOLE] = Field(default="", description="20,480 bytes at most.", examples=["안녕하세요"])
    type: Literal["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"] = "PLAIN_TEXT"


class AttributeParameters(_Wanted):
    score_type: Literal["SCORE_TYPE_UNSPECIFIED", "PROBABILITY"] = "PROBABILITY"
    score_threshold: Annotated[float, Field(ge=0, le=1, strict=False)] | None = Field(
        default=None, description="Attributes with a lower score are left out."
    )


class ArticleAndParentComment(_Wanted):
    article: TextEntry | None = None
    parent_comment: TextEntry | None = None


class Context(_Wanted):
    entries: Annotated[list[TextEntry], Field(max_length=32)] = Field(default_factory=list)
    article_and_parent_comment: ArticleAndParentComment | None = None


class AnalyzeCommentRequest(_Wanted):
    """As `comments:analyze` takes it."""

    comment: TextEntry
    requested_attributes: Annotated[dict[Name, AttributeParameters], Field(min_length=1, max_length=32)]
    languages: Annotated[list[Name], Field(max_length=8)] = Field(default=[], description="ko alone, or left out.")
    drop_unsupported_attributes: bool = False
    span_annotations: bool = Field(default=False, description="Taken: the one span is the whole comment.")
    client_token: Name | None = Field(default=None, description="Given back.")
    context: Context | None = Field(default=None, description="Taken and not used, as by Perspective.")
    do_not_store: bool = Field(default=False, description="Taken: nothing is ever stored.")
    session_id: Name | None = None
    community_id: Name | None = Field(default=None, description="Taken and not used: the key speaks for its community.")


class _Told(Answered):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class Score(_Told):
    value: float
    type: Literal["PROBABILITY"] = "PROBABILITY"


class SpanScore(_Told):
    begin: int
    end: int
    score: Score


class AttributeScores(_Told):
    summary_score: Score
    span_scores: list[SpanScore]


class AnalyzeCommentResponse(_Told):
    attribute_scores: dict[str, AttributeScores]
    languages: list[str]
    client_token: str | None


class GoogleError(_Told):
    code: int
    message: str
    status: str
    details: list[dict[str, Any]]


class GoogleErrorAnswer(_Told):
    """Every error of this endpoint, in the shape that Google's clients know."""

    error: GoogleError


_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip
_ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_TYPES = {
    "empty": "COMMENT_EMPTY",
    "too_large": "COMMENT_TOO_LONG",
    "unread": "COMMENT_TOO_LONG",
    "language": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
}


def authorization(query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    """A key that is given where Google's clients put it, as it would stand in the header of that name."""
    key = query.get("key") or headers.get("x-goog-api-key")
    return f"Bearer {key}" if key else None


def refusal(problem: Problem, say: Texts) -> GoogleErrorAnswer:
    """`error.code` is the status: what they do not know is a request that is not right."""
    code = problem.status if problem.status in _STATUS else 400
    message = say["api.unauthorized_there"] if problem.code == "unauthorized" else problem.sentence(say)
    details: list[dict[str, Any]] = []
    if kind := _TYPES.get(problem.code):
        details.append({"@type": _ERROR, "errorType": kind})
        if problem.code == "language":
            details[0]["languageNotSupportedByAttributeError"] = {"attribute": problem.param}
    elif problem.param:
        violation = {"field": problem.param, "description": message}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    return GoogleErrorAnswer(error=GoogleError(code=code, message=message, status=_STATUS[code], details=details))


def expect_offered(asked: AnalyzeCommentRequest) -> None:
    """Raises Problem where the comment is none, or something is asked for that nobody here can tell."""
    if not asked.comment.text.strip():
        raise Problem("empty", param="comment.text", facts={"param": "comment.text"})
    if len(asked.comment.text.encode()) > LONGEST_COMMENT:
        raise Problem("too_large", param="comment.text", facts={"most": LONGEST_COMMENT, "unit": "bytes"})
    strange = asked.requested_attributes.keys() - ATTRIBUTES.keys()
    if strange and not asked.drop_unsupported_attributes:
        facts = {"given": plain(min(strange)), "known": ", ".join(ATTRIBUTES)}
        raise Problem("attribute", param="requestedAttributes", facts=facts)
    if not all(one.lower().partition("-")[0] == LANGUAGE for one in asked.languages):
        raise _not_offered(next((name for name in asked.requested_attributes if name in ATTRIBUTES), "TOXICITY"))


def analyzed(asked: AnalyzeCommentRequest, answer: CheckAnswer) -> AnalyzeCommentResponse:
    """Raises Problem where the guard looks for nothing that an attribute stands for."""
    found = answer.kinds.get(Part.PROMPT, {})
    scores: dict[str, AttributeScores] = {}
    for name, chosen in asked.requested_attributes.items():
        value = max((found[kind] for kind in ATTRIBUTES.get(name, ()) if kind in found), default=None)
        if value is None:
            if not asked.drop_unsupported_attributes:
                raise _not_offered(name)
        elif value >= (chosen.score_threshold or 0.0):
            score = Score(value=value)
            span = SpanScore(begin=0, end=len(asked.comment.text), score=score)
            scores[name] = AttributeScores(summary_score=score, span_scores=[span])
    return AnalyzeCommentResponse(
        attribute_scores=scores, languages=asked.languages or [LANGUAGE], client_token=asked.client_token
    )


def _not_offered(attribute: str) -> Problem:
    return Problem("language", param=attribute, facts={"attribute": attribute})


def discovery(address: str) -> dict[str, Any]:
    """What Google's own clients read first, at `/$discovery/rest`: where the method is. `address` ends in a slash."""
    messages = ("AnalyzeCommentRequest", "AnalyzeCommentResponse")
    parameters = {"key": {"type": "string", "location": "query", "description": "API key."}}
    method = {
        "id": "commentanalyzer.comments.analyze",
        "path": "v1alpha1/comments:analyze",
        "flatPath": "v1alpha1/comments:analyze",
        "httpMethod": "POST",
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": messages[0]},
        "response": {"$ref": messages[1]},
        "description": "Scores of a comment, by attribute.",
    }
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "title": "Jikimi in the shape of the Perspective Comment Analyzer API",
        "protocol": "rest",
        "rootUrl": address,
        "servicePath": "",
        "baseUrl": address,
        "batchPath": "batch",
        "parameters": parameters,
        "schemas": {name: {"id": name, "type": "object", "properties": {}} for name in messages},
        "resources": {"comments": {"methods": {"analyze": method}}},
    }
