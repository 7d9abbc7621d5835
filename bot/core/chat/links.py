"""An address that somebody posted -> what kind of link it is: to a page, into another community, to a public name."""

import re
import unicodedata
from urllib.parse import SplitResult, parse_qs, urlsplit

from bot.core.chat.message import Link, LinkKind

LONGEST = 2_048  # characters of an address; no browser follows much longer ones

_TELEGRAM = frozenset({"t.me", "telegram.me", "telegram.dog"})
_INVITES = re.compile(
    r"(discord\.gg|chat\.whatsapp\.com)/\w|(discord|discordapp)\.com/invite/\w|open\.kakao\.com/(o|me)/\w"
    r"|line\.me/(r/)?ti/g2?/\w|invite\.kakao\.com/\w"
)
_NAMES = re.compile(r"(pf\.kakao\.com|line\.me/(r/)?ti/p|wa\.me)/\w")
_USERNAME = re.compile(r"[a-z]\w{3,31}", re.ASCII | re.IGNORECASE)
#: First words of a path on t.me that are no names (core.telegram.org/api/links).
_RESERVED = frozenset(
    {"addemoji", "addlist", "addstickers", "addtheme", "bg", "boost", "call", "confirmphone", "contact", "giftcode",
     "invoice", "joinchat", "login", "msg", "proxy", "setlanguage", "share", "socks"}
)  # fmt: skip


_HOST = re.compile(r"[\w.-]*")
_ASCII_THEN_NOT = re.compile(r"([a-z]+)[^a-z0-9-]+")


def host_of(address: str) -> str:
    """Where an address leads, in small letters; empty where nobody can tell. What people write right behind it is no
    part of it: a bracket, a full stop, a Korean particle."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""
    found = _HOST.match(host)
    *labels, last = (found.group() if found else "").rstrip(".").split(".")
    particle = _ASCII_THEN_NOT.fullmatch(last)
    return ".".join((*labels, particle[1] if particle else last))


def link_to(address: str, shown: str = "") -> Link:
    """The link that an address makes, with or without its scheme, in any spelling. Never raises; what nobody can read
    leads to a page."""
    address = unicodedata.normalize("NFKC", address[:LONGEST]).strip()
    if not re.match(r"[a-z][a-z0-9+.-]*:", address, re.IGNORECASE) or re.match(r"[^:/]+:\d", address):
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return Link(LinkKind.WEB, address, shown)
    if parts.scheme == "tg":
        return _in_the_app(parts, address, shown)
    if host in _TELEGRAM:
        return Link(_on_telegram(parts.path.strip("/")), address, shown)
    if host.endswith(".t.me"):
        return Link(LinkKind.NAME, address, shown)
    place = f"{host}{parts.path}".lower()
    if _INVITES.match(place):
        return Link(LinkKind.INVITE, address, shown)
    return Link(LinkKind.NAME if _NAMES.match(place) else LinkKind.WEB, address, shown)


def _on_telegram(path: str) -> LinkKind:
    first, *rest = path.removeprefix("s/").split("/")
    if first.startswith("+") or (first.lower() in ("joinchat", "addlist") and rest):
        return LinkKind.INVITE
    is_name = _USERNAME.fullmatch(first) and first.lower() not in _RESERVED
    return LinkKind.NAME if is_name else LinkKind.WEB


def _in_the_app(parts: SplitResult, address: str, shown: str) -> Link:
    """tg://…, said as what the same link is on the web, so that rules need to know one spelling."""
    asked = parse_qs(parts.query)
    match (parts.netloc or parts.path).strip("/").lower():
        case "resolve" if domain := asked.get("domain"):
            return Link(LinkKind.NAME, f"https://t.me/{domain[0]}", shown)
        case "join" if invite := asked.get("invite"):
            return Link(LinkKind.INVITE, f"https://t.me/+{invite[0]}", shown)
        case "addlist" if slug := asked.get("slug"):
            return Link(LinkKind.INVITE, f"https://t.me/addlist/{slug[0]}", shown)
        case "user" if id_ := asked.get("id"):
            return Link(LinkKind.MENTION, id_[0], shown)
    return Link(LinkKind.WEB, address, shown)
