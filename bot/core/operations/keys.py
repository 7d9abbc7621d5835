"""A key to the HTTP API: what its holder is given, once, and what is kept of it."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from bot.core.chat.message import CommunityRef, Platform

#: Where a community is that is on no chat network: it is asked about over HTTP alone.
API = Platform("api")
_BEGINNING = "jikimi"  # so that people and secret scanners know what they have found


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Speaks for one community. `id` is public and names the key in lists and logs."""

    id: str
    digest: str  # of the secret
    community: CommunityRef
    name: str
    created_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def opens_with(self, secret: str) -> bool:
        """Takes as long for every wrong secret."""
        return hmac.compare_digest(self.digest, digest(secret)) and self.revoked_at is None


def digest(secret: str) -> str:
    """Plain SHA-256: a secret of 256 random bits needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def written(key_id: str, secret: str) -> str:
    """The key as its holder keeps it. The id has no underscore."""
    return f"{_BEGINNING}_{key_id}_{secret}"


def read(key: str) -> tuple[str, str] | None:
    """Id and secret; None where this is no key at all."""
    beginning, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if beginning == _BEGINNING and key_id and secret else None
