"""Answers -> bytes, as they were checked and described."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


def json_of(answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(answer.model_dump_json(), status, headers, media_type="application/json")
