"""A key to the HTTP API: what its holder is given, once, and what is kept of it."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.core.chat.message import CommunityRef, Platform

#: Where a community is that is on no chat network: it is asked about over HTTP alone.
API = Platform("api")
_BEGINNING = "jikimi"  # so that people and secret scanners know what they have found


class Scope(StrEnum):
    """What a key may do for its community."""

    CHECK = "check"  # have texts judged
    FEEDBACK = "feedback"  # say whether a judgement was right
    WEBHOOKS = "webhooks"  # be told of incidents


#: What a key could do before there were scopes.
FORMERLY = frozenset({Scope.CHECK})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Speaks for one community. `id` is public and names the key in lists and logs. Valid before `expires_at`."""

    id: str
    digest: str  # of the secret
    community: CommunityRef
    name: str
    created_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    scope: frozenset[Scope] = FORMERLY
    expires_at: datetime | None = None

    def opens_with(self, secret: str) -> bool:
        """Takes as long for every wrong secret."""
        return hmac.compare_digest(self.digest, digest(secret)) and self.revoked_at is None

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def successor(self, key_id: str, secret: str, now: datetime) -> "ApiKey":
        """Another secret for the same, valid for as long as this one was meant to be."""
        lasting = self.expires_at - self.created_at if self.expires_at else None
        return replace(
            self,
            id=key_id,
            digest=digest(secret),
            created_at=now,
            used_at=None,
            revoked_at=None,
            expires_at=now + lasting if lasting else None,
        )


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
