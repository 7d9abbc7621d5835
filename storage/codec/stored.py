"""A format in which values are stored: what does not fit it exactly is refused, never guessed."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.core.base.errors import Broken


class Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


@contextmanager
def fitting(what: str) -> Iterator[None]:
    """A value or a record that does not fit gives one sentence with the names of the fields, never their content."""
    try:
        yield
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) or "JSON" for problem in error.errors(include_input=False)})
        raise Broken(
            "A stored {what} does not fit this version's format: {fields}.", what=what, fields=", ".join(fields)
        ) from None
