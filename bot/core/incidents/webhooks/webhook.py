"""What a community's own server is told of incidents: where to, what, and what it answered."""

import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from bot.core.chat.message import CommunityRef

#: Webhooks of one community.
MOST = 3
LONGEST_URL = 500  # characters

#: Where IPv6 hosts are; of those, what stands for an IPv4 address, is handed out to nobody, or is for tests.
_HOSTS = IPv6Network("2000::/3")
_NO_HOSTS = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))

_BEGINNING = "whsec_"  # as the Standard Webhooks specification writes a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`failures` in a row, and `reason` of the last one. One that is stopped is told nothing more: its server was away
    for too long, or wanted none."""

    community: CommunityRef
    url: str = field(repr=False)  # may hold a token
    secret: str = field(repr=False)
    created_at: datetime
    id: int = 0  # 0: not stored yet
    failures: int = 0
    reason: str = ""
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """That an incident was opened: the number and the code of its case, and no words of anybody. `code` is random and
    unique: it names the notice at every try."""

    id: int
    planned_at: datetime
    case: int
    code: str
    community: CommunityRef
    channel: str
    message: str
    rule: str
    actions: tuple[str, ...]
    decided_at: datetime

    @property
    def name(self) -> str:
        return f"incident-opened-{self.code}"

    @property
    def body(self) -> dict[str, object]:
        return {
            "type": "incident.opened",
            "timestamp": self.decided_at.isoformat(),
            "data": {
                "case": self.case,
                "code": self.code,
                "platform": self.community.platform,
                "community": self.community.id,
                "channel": self.channel,
                "message": self.message,
                "rule": self.rule,
                "actions": list(self.actions),
            },
        }


@dataclass(frozen=True, slots=True)
class Heard:
    """The server has it."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The server wants to be told nothing any more."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """`reason` in a word or two, of our own: nothing that the server said."""

    reason: str


Reception = Heard | Declined | Unheard


def new_secret() -> str:
    return _BEGINNING + b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> str:
    """Base64 of what is signed with."""
    return secret.removeprefix(_BEGINNING)


def is_address(url: str) -> bool:
    """Whether it may be stored: https, neither a name nor a password before the host, and no host that is plainly not a
    public one. Where a name leads is seen when it is connected to, every time."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    is_https = plain and place.scheme == "https" and "@" not in place.netloc and port != 0
    return is_https and _may_be_public(place.hostname or "")


def _may_be_public(host: str) -> bool:
    last = host.rstrip(".").rpartition(".")[2]  # empty where there is no host
    try:
        return is_public(host)
    except ValueError:  # a name, or a number as only some write it
        return last not in ("", "localhost") and not last.isdecimal()


def is_public(address: str) -> bool:
    """Whether everybody may go there: no machine of ours, of the neighbours or of the house. Raises ValueError."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if isinstance(found, IPv6Address):
        return found in _HOSTS and not any(found in network for network in _NO_HOSTS)
    return found.is_global and not found.is_multicast


def host_of(url: str) -> str:
    """As much of an address as may be shown: the rest may be a secret."""
    return urlsplit(url).hostname or ""
