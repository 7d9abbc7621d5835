"""What somebody has posted, or a moderator typed -> links: what kind each is of, and by which names lists know it."""

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from bot.core.text.addresses import addresses, is_file, registrable, without_look_alikes

LONGEST = 2_048  # characters of an address; no browser follows much longer ones
MOST_LABELS = 8  # of a host, from its end
DEEPEST = 4  # parts of a path that somebody may allow or forbid

_TELEGRAM = frozenset({"t.me", "telegram.me", "telegram.dog"})
_INVITES = re.compile(
    r"(discord\.gg|dsc\.gg|invite\.gg|chat\.whatsapp\.com)/\w|open\.kakao\.com/(o|me)/\w|disboard\.org/([a-z]{2}/)?server/\w"
    r"|line\.me/(r/)?ti/g2?/\w|invite\.kakao\.com/\w"
)
_NAMES = re.compile(r"(pf\.kakao\.com|line\.me/(r/)?ti/p|wa\.me)/\w")
#: Hosts that say nothing of where they lead.
_SHORTENERS = frozenset(
    {"abit.ly", "asq.kr", "bit.do", "bit.ly", "bitly.kr", "bitly.ws", "buly.kr", "c11.kr", "cutt.ly", "dub.sh",
     "fb.me", "gg.gg", "goo.gl", "goo.su", "han.gl", "iii.im", "is.gd", "j.mp", "kko.to", "ko.gl", "lnkd.in",
     "lrl.kr", "me2.do", "me2.kr", "muz.so", "naver.me", "ow.ly", "qr.ae", "rb.gy", "rebrand.ly", "reurl.kr",
     "s.id", "shorturl.at", "shorturl.kr", "soo.gd", "t.co", "t.ly", "t2m.kr", "tiny.cc", "tinyurl.com", "tuney.kr",
     "url.kr", "urlz.kr", "v.gd", "vo.la", "vvd.bz", "zrr.kr", "zxcv.kr"}
)  # fmt: skip
_USERNAME = re.compile(r"[a-z]\w{3,31}", re.ASCII | re.IGNORECASE)
#: First words of a path on t.me that are no names (core.telegram.org/api/links).
_RESERVED = frozenset(
    {"addemoji", "addlist", "addstickers", "addtheme", "bg", "boost", "call", "confirmphone", "contact", "giftcode",
     "invoice", "joinchat", "login", "msg", "proxy", "setlanguage", "share", "socks"}
)  # fmt: skip
_HOST = re.compile(r"[\w.-]*")
_ASCII_THEN_NOT = re.compile(r"([a-z]+)[^a-z0-9-]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)


class LinkKind(StrEnum):
    WEB = "web"  # to a page
    SHORTENER = "shortener"  # to what only those know who follow it
    INVITE = "invite"  # into another group or server, for whoever follows it
    NAME = "name"  # to what a messenger knows by a public name: a channel, a group, a bot, a person
    MENTION = "mention"  # somebody is called: @name or a member


@dataclass(frozen=True, slots=True)
class Link:
    """Something in a message that leads away from it. `target` is an absolute address, of a mention the name (without
    @) or id; `shown` is what readers see of it."""

    kind: LinkKind
    target: str
    shown: str = ""

    @property
    def host(self) -> str:
        """In small letters, without "www."; empty where nobody can tell."""
        return "" if self.kind is LinkKind.MENTION else _place(self.target)[0]

    @property
    def domain(self) -> str:
        """What of the host somebody has registered."""
        return registrable(self.host) or self.host

    @property
    def places(self) -> Iterator[str]:
        """All that a list may call it by, the nearest first: host and path, less and less of the path, then the host
        and every name above it. The same place has one spelling, whichever way the link is written."""
        host, path = (
            ("t.me", [self.target.lower()]) if self.kind is LinkKind.MENTION else _named_once(*_place(self.target))
        )
        for parts in range(len(path), 0, -1):
            yield "/".join((host, *path[:parts]))
        labels = host.split(".")
        for nth in range(max(0, len(labels) - MOST_LABELS), len(labels)):
            yield ".".join(labels[nth:])


def link_to(address: str, shown: str = "") -> Link:
    """The link that an address makes, with or without its scheme, in any spelling. Never raises; what nobody can read
    leads to a page."""
    address = unicodedata.normalize("NFKC", address[:LONGEST]).strip()
    if not _SCHEME.match(address):
        address = f"https://{address}"
    parts = _split(address)
    if parts is None:
        return Link(LinkKind.WEB, address, shown)
    if parts.scheme == "tg":
        return _in_the_app(parts, address, shown)
    if parts.scheme == "kakaotalk":
        return Link(LinkKind.INVITE if parts.path == "open" else LinkKind.NAME, address, shown)
    host, path = _named_once(*_place(address))
    return Link(_kind(without_look_alikes(host), path), address, shown)


def links_in(text: str, marked: Iterable[Link] = ()) -> tuple[Link, ...]:
    """Every link that readers of a text see, in any disguise: those that the platform marks first, then what else reads
    like one. What the platform marks and is as likely the name of a file is none."""
    found = {link.target.lower(): link for link in marked if not (link.kind is LinkKind.WEB and is_file(link.shown))}
    known = {next(link.places, "") for link in found.values()}
    for address in addresses(text):
        link = link_to(address, address)
        if (place := next(link.places, "")) not in known:
            known.add(place)
            found[link.target.lower()] = link
    return tuple(found.values())


def place_of(typed: str) -> str | None:
    """What a moderator typed as one place -> as lists know it: a host, or a host and a path, "youtube.com",
    "discord.gg/abc", "t.me/channel" also for "@channel". None where it is no link."""
    if len(typed) > LONGEST:
        return None
    typed = unicodedata.normalize("NFKC", typed).strip().removeprefix("*.")
    if typed.startswith("@") and _USERNAME.fullmatch(typed[1:]):
        return f"t.me/{typed[1:].lower()}"
    if re.search(r"\s|^[^/]*@", typed):
        return None
    link = link_to(typed)
    return next(link.places) if registrable(link.host) else None


def _split(address: str) -> SplitResult | None:
    """As browsers read it: a backslash is a slash."""
    try:
        parts = urlsplit(address.replace("\\", "/").replace("。", "."))
        return parts if parts.hostname is not None or parts.scheme in ("tg", "kakaotalk", "mailto") else None
    except ValueError:
        return None


def _place(address: str) -> tuple[str, list[str]]:
    """Host and path of an absolute address. What people write right behind a host is no part of it: a bracket, a full
    stop, a Korean particle."""
    parts = _split(address)
    if parts is None or not parts.hostname:
        return "", []
    found = _HOST.match(unquote(parts.hostname).lower())
    *labels, last = (found.group() if found else "").rstrip(".").split(".")
    particle = _ASCII_THEN_NOT.fullmatch(last)
    host = ".".join(map(_as_shown, (*labels, particle[1] if particle else last))).removeprefix("www.")
    path = posixpath.normpath(unquote(parts.path) or "/").lower()
    return host, [part for part in path.split("/") if part][:DEEPEST]


def _as_shown(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        shown = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    return shown if re.fullmatch(r"[\w-]+", shown) else label


def _named_once(host: str, path: list[str]) -> tuple[str, list[str]]:
    """One spelling for places that have several."""
    if host in _TELEGRAM:
        path = path[1:] if path[:1] == ["s"] else path
        return "t.me", [f"+{path[1]}"] if path[:1] == ["joinchat"] and path[1:] else path
    if host.endswith(".t.me"):
        return "t.me", [host.removesuffix(".t.me"), *path][:DEEPEST]
    if host in ("discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com") and path[:1] == ["invite"]:
        return "discord.gg", path[1:]
    return host, path


def _kind(host: str, path: list[str]) -> LinkKind:
    if host == "t.me":
        return _on_telegram(path)
    place = "/".join((host, *path))
    if _INVITES.match(place):
        return LinkKind.INVITE
    if _NAMES.match(place):
        return LinkKind.NAME
    return LinkKind.SHORTENER if host in _SHORTENERS else LinkKind.WEB


def _on_telegram(path: list[str]) -> LinkKind:
    first, *rest = path or [""]
    if first.startswith("+") or (first == "addlist" and rest):
        return LinkKind.INVITE
    return LinkKind.NAME if _USERNAME.fullmatch(first) and first not in _RESERVED else LinkKind.WEB


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
