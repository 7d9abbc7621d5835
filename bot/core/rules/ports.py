"""Who searches with patterns that may take for ever.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from typing import Protocol

from bot.core.rules.conditions import Sought, Words


class Searcher(Protocol):
    """Looks for what only an engine that may take for ever understands (`Policy.to_search`)."""

    async def find(self, text: Sought, content: str) -> Words:
        """As `Sought.find`. Raises TimeoutError where it took too long and was given up."""
        ...
