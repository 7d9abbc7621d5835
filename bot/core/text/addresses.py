"""A text -> the addresses that its readers see in it, however they are spelled, each as one would type it."""

import re
from collections.abc import Iterator

from publicsuffixlist import PublicSuffixList

from bot.core.text.lately import remembered
from bot.core.text.views import unstyled

_SUFFIXES = PublicSuffixList()

#: Endings under which a bare name is taken for an address without anything else that speaks for it.
_COMMON = frozenset(
    {"com", "net", "org", "kr", "jp", "cn", "tw", "hk", "vn", "ru", "uk", "eu", "io", "gg", "tv", "ly", "xyz",
     "top", "shop", "site", "online", "club", "vip", "info", "biz", "store", "app", "dev", "icu", "asia", "mobi",
     "bet", "casino", "cloud", "tech", "website", "blog", "vegas", "poker", "bid", "loan", "sbs", "cfd", "cyou"}
)  # fmt: skip
#: Those that are words as well: not within an English sentence, and not behind a very short name.
_SOFT = frozenset(
    {"live", "fun", "win", "pro", "link", "page", "world", "today", "life", "best", "money", "cash", "one", "art",
     "ai", "co", "lol"}
)  # fmt: skip
#: What looks like an address, and is the name of a technique.
_NAMES = frozenset({"asp.net", "vb.net", "ado.net", "ml.net", "paint.net"})
#: Endings of files, too; behind them no browser goes without being told to.
_FILES = frozenset({"py", "rs", "md", "pl", "ps", "so"})

#: Letters of other alphabets that pass for Latin ones.
_LATIN = str.maketrans("аеорсхуіјѕԁһкмтвοαιν", "aeopcxyijsdhkmtboaiv")
_SIGNS = str.maketrans("。・∙•⋅·⁄∕\\", "......///")
_END = r"(?=$|[^0-9a-z가-힣]|(?:에서|에|으로|로|을|를|이|가|은|는|도|와|과|검색|들어|오|입|임|이에요|예요)(?![a-z0-9]))"
_TOLD = r"net|kr|co\.kr|org|me|gg|io|xyz|top|vip|com"
_REWRITINGS = (  # in this order: what is spread is closed up first
    (re.compile(r"(?<!\S)[a-z0-9](?: [a-z0-9.:/+_-]){3,}(?!\S)"), lambda match: match[0].replace(" ", "")),
    (re.compile(r" ?[\[({<] ?(?:[.,]|dot|점|쩜|닷) ?[\])}>] ?"), "."),
    (re.compile(rf"([^\W\d]\d{{0,6}}) ?(?:점|쩜) ?(?:컴|콤|com){_END}"), r"\1.com"),
    (re.compile(rf"(?<=\w)(?: \. ?|\.)(?:컴|콤){_END}"), ".com"),
    (re.compile(rf"(?<=[a-z0-9]) ?닷 ?(?:컴|콤|com){_END}"), ".com"),
    (re.compile(rf"([a-z]\d{{0,6}}) ?(?:점|쩜|닷| dot ) ?(?=(?:{_TOLD})(?![a-z0-9]))"), r"\1."),
    (re.compile(r"(?<=[a-z0-9]) ?(?:점|쩜) ?넷(?![가-힣])"), ".net"),
    (re.compile(r"(?<=[a-z0-9]) \. ?(?=[a-z0-9])"), "."),
    (re.compile(r"(?<=[a-z0-9])\. (?=(?:me|gg|ly|com|kr) ?/ ?[\w+])"), "."),
    (re.compile(r"(?<=[a-z0-9])\. (?=(?:com|net|co\.kr)(?:$|/|[^a-z0-9.,' ]| [가-힣]))"), "."),
    (re.compile(r"\b(t|discord|open|bit),(?=(?:me|gg|kakao|ly)\b)"), r"\1."),
    (re.compile(r"\b(t\.me|discord\.gg|bit\.ly|open\.kakao\.com) ?/ ?(?=[\w+])"), r"\1/"),
    (re.compile(r"\bh(?:tt|xx|\*\*)p(s?) ?: ?/ ?/ ?"), r"http\1://"),
)  # fmt: skip
#: No text without one of these holds an address.
_HINT = re.compile(
    r"\w[.,]\w|\w \. ?\w|\. (?:com|net|co|me|gg|ly|kr)|//|/ /|[\[({<] ?(?:[.,]|dot|점|쩜|닷) ?[\])}>]| dot "
    r"|[점쩜닷] ?(?:[컴콤넷]|com|net|kr|co|org|me|gg|io|xyz|top|vip)|텔|tele|톡|챗|채팅|라인"
    r"|(?<!\S)[a-z0-9](?: [a-z0-9.:/+_-]){3}",
    re.IGNORECASE,
)

_SCHEMED = r"https?://[^\s<>/]*[.:\[][^\s<>]+|\btg://[^\s<>]+"
_BARE = (
    r"(?<![\w.@/#$%&=+-])(?P<host>(?:[\w-]{1,63}\.){1,8}+[^\W\d_][\w-]{1,62})(?P<port>:\d{1,5})?(?P<path>/[^\s<>]*)?"
)
_ADDRESS = re.compile(f"{_SCHEMED}|{_BARE}", re.IGNORECASE)
_CLOSING = ".,:;!?\"'*_~|`]}>…”’」』)"
_ASCII_THEN_NOT = re.compile(r"([a-z]+)[^a-z0-9-]+")
_KOREAN_THEN_ASCII = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]+(?=[a-z])")
_KOREAN_ENDINGS = ("한국", "닷컴", "닷넷")

#: Names that are told beside the messenger where they are to be looked for.
_TELEGRAM = re.compile(
    r"(?:텔레(?:그램|그렘|)|텔그|텔|telegram|tele)(?:방|채널|)\s?(?:아이디|id|문의|상담|주소|)\s?[:=>-]{0,2}\s?@([a-z]\w{3,31})",
    re.ASCII,
)
_KAKAO = re.compile(r"(?:카톡|카카오톡|톡)\s?(?:아이디|id)\s?(?:는|은|[:=>-]){0,2}\s?([a-z0-9][\w.-]{3,19})", re.ASCII)
_LINE = re.compile(r"라인\s?(?:아이디|id)\s?(?:는|은|[:=>-]){0,2}\s?@?([a-z0-9][\w.-]{3,19})", re.ASCII)
_OPEN_CHAT = re.compile(r"(?:오픈|옾)\s?(?:채팅|챗|톡|카톡)방?[^.!?]{0,20}(?:검색|(?:참여|입장)\s?코드)")


def addresses(text: str) -> tuple[str, ...]:
    """In the order in which they stand, each once. Time and size grow linearly with the text; never raises."""
    if not _HINT.search(text) and text.isascii():
        return ()
    return _remembered(text) if len(text) <= 500 else _addresses(text)


def registrable(host: str) -> str:
    """What of a host somebody has registered, "naver.co.kr" of "blog.naver.co.kr"; empty where there is no such."""
    return _SUFFIXES.privatesuffix(host, accept_unknown=False) or ""


def without_look_alikes(host: str) -> str:
    """A host as it reads: with Latin letters for those of other alphabets that pass for them."""
    return host if host.isascii() else host.translate(_LATIN)


def is_file(shown: str) -> bool:
    """Whether what a platform takes for an address is as likely the name of a file."""
    name, _, ending = shown.lower().rpartition(".")
    return ending in _FILES and re.fullmatch(r"\w[\w.-]*", name) is not None


def _addresses(text: str) -> tuple[str, ...]:
    plain = unstyled(text).translate(_SIGNS)
    if not _HINT.search(plain):
        return ()
    return tuple(dict.fromkeys((*_written(_closed_up(plain)), *_told(plain.lower()))))


_remembered = remembered(_addresses, most=1024)


def _closed_up(text: str) -> str:
    """Small letters are enough to see where something has to be closed up; what stands as it should keeps its own."""
    lower = text.lower()
    closed = lower
    for pattern, meant in _REWRITINGS:
        closed = pattern.sub(meant, closed)
    return text if closed == lower else closed


def _written(text: str) -> Iterator[str]:
    for match in _ADDRESS.finditer(text):
        if match["host"] is None:
            yield _without_end(match[0])
        elif (host := _host(match, text)) and text[match.end() : match.end() + 1] != "@":
            path = _without_end(match["path"] or "")
            yield f"{host}{match['port'] or ''}{path}"


def _told(lower: str) -> Iterator[str]:
    """`lower` is in small letters."""
    yield from (f"https://t.me/{match[1]}" for match in _TELEGRAM.finditer(lower))
    yield from (f"https://line.me/ti/p/~{match[1]}" for match in _LINE.finditer(lower))
    yield from (f"kakaotalk:{match[1]}" for match in _KAKAO.finditer(lower))
    if _OPEN_CHAT.search(lower):
        yield "kakaotalk:open"


def _host(match: re.Match[str], text: str) -> str:
    """The name without what is written right before and behind it; empty where it is likely no address."""
    host, path = match["host"], match["path"] or ""
    *labels, last = host.split(".")
    if particle := _ASCII_THEN_NOT.fullmatch(last.lower()):
        if path:
            return ""  # what is a particle there is none before a slash
        last = last[: len(particle[1])]
    else:
        last = next((ending for ending in _KOREAN_ENDINGS if last.startswith(ending)), last)
    labels[0] = labels[0][len(glued[0]) :] if (glued := _KOREAN_THEN_ASCII.match(labels[0].lower())) else labels[0]
    found = ".".join((*labels, last))
    return found if _is_likely(found.lower(), len(path) > 1 or bool(match["port"]), match, text) else ""


def _is_likely(host: str, goes_on: bool, match: re.Match[str], text: str) -> bool:
    name = registrable(without_look_alikes(host))
    if not name or name in _NAMES:
        return False
    label, ending = name.split(".")[0], name.rpartition(".")[2]
    if goes_on or host.startswith("www."):
        return True
    if ending in _FILES:
        return False
    if label.isdecimal():
        return ending in ("com", "net", "kr")
    if ending in _COMMON:
        return True
    if ending in _SOFT:
        return len(label) > 3 and not _is_in_latin(match, text)
    return len(label) > 2 and not label.isalpha()


def _is_in_latin(match: re.Match[str], text: str) -> bool:
    """Whether an English sentence goes on around it."""
    before, behind = text[max(0, match.start() - 3) : match.start()], text[match.end() : match.end() + 3]
    return bool(re.search(r"[a-z],? $", before, re.IGNORECASE) or re.match(r",? [a-z]", behind, re.IGNORECASE))


def _without_end(address: str) -> str:
    """Signs that end a sentence end the address, too, and so does a bracket that was opened before it."""
    kept = address.rstrip(_CLOSING)
    return address[: len(kept) + 1] if address[len(kept) : len(kept) + 1] == ")" and "(" in kept else kept
