"""API keys in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.base.errors import BotError
from bot.core.operations.keys import ApiKey


class MemoryApiKeys:
    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.trouble: BotError | None = None

    async def all(self) -> Sequence[ApiKey]:
        if self.trouble:
            raise self.trouble
        return sorted(self.keys.values(), key=lambda key: (key.created_at, key.id))

    async def add(self, key: ApiKey) -> None:
        self.keys[key.id] = key

    async def revoke(self, key_id: str, at: datetime) -> bool:
        key = self.keys.get(key_id)
        if key is None or key.revoked_at:
            return False
        self.keys[key_id] = replace(key, revoked_at=at)
        return True

    async def note_use(self, uses: Mapping[str, datetime]) -> None:
        for key_id, at in uses.items():
            if (key := self.keys.get(key_id)) and (key.used_at is None or key.used_at < at):
                self.keys[key_id] = replace(key, used_at=at)
