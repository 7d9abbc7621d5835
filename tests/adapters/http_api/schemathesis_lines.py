"""Teaches schemathesis JSON Lines: a list of values is written, and read, as one line for each."""

import json
from typing import Any

import schemathesis
from schemathesis import DeserializationContext, Response, SerializationContext


@schemathesis.serializer("application/x-ndjson")
def write(context: SerializationContext, value: Any) -> bytes:
    """What is no list at all is sent as it is, so that it can be refused."""
    lines = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@schemathesis.deserializer("application/x-ndjson")
def read(context: DeserializationContext, response: Response) -> Any:
    return [json.loads(line) for line in response.content.splitlines()]
