"""Addresses as people post them -> what they lead to; messages as people write them -> which addresses they hold."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.chat.links import Link, LinkKind, link_to, links_in, place_of


@pytest.mark.parametrize(
    ("address", "kind", "target"),
    [
        ("toto777.com", LinkKind.WEB, "https://toto777.com"),
        ("bit.ly/3abc", LinkKind.SHORTENER, "https://bit.ly/3abc"),
        ("토토777.한국", LinkKind.WEB, "https://토토777.한국"),
        ("toto777.com:8080/x", LinkKind.WEB, "https://toto777.com:8080/x"),
        ("http://[bad", LinkKind.WEB, "http://[bad"),
        ("mailto:a@b.kr", LinkKind.WEB, "mailto:a@b.kr"),
        ("ｈttps://t.me/+AbCdEf12", LinkKind.INVITE, "https://t.me/+AbCdEf12"),
        ("t.me/joinchat/AbCdEf12", LinkKind.INVITE, "https://t.me/joinchat/AbCdEf12"),
        ("https://t.me/addlist/AbCdEf12", LinkKind.INVITE, "https://t.me/addlist/AbCdEf12"),
        ("tg://join?invite=AbCdEf12", LinkKind.INVITE, "https://t.me/+AbCdEf12"),
        ("https://discord.gg/abcd", LinkKind.INVITE, "https://discord.gg/abcd"),
        ("discord.com/invite/abcd", LinkKind.INVITE, "https://discord.com/invite/abcd"),
        ("https://open.kakao.com/o/sAbCd", LinkKind.INVITE, "https://open.kakao.com/o/sAbCd"),
        ("https://t.me/toto_vip", LinkKind.NAME, "https://t.me/toto_vip"),
        ("https://t.me/s/toto_vip/12", LinkKind.NAME, "https://t.me/s/toto_vip/12"),
        ("https://toto_vip.t.me", LinkKind.NAME, "https://toto_vip.t.me"),
        ("tg://resolve?domain=toto_vip", LinkKind.NAME, "https://t.me/toto_vip"),
        ("http://pf.kakao.com/_xAbCd", LinkKind.NAME, "http://pf.kakao.com/_xAbCd"),
        ("https://t.me/share/url?url=x", LinkKind.WEB, "https://t.me/share/url?url=x"),
        ("https://t.me/addstickers/cats", LinkKind.WEB, "https://t.me/addstickers/cats"),
        ("https://t.me/c/12/34", LinkKind.WEB, "https://t.me/c/12/34"),
        ("tg://user?id=7", LinkKind.MENTION, "7"),
        ("https://not.me/+AbCdEf12", LinkKind.WEB, "https://not.me/+AbCdEf12"),
    ],
)
def test_what_a_link_leads_to(address: str, kind: LinkKind, target: str) -> None:
    assert (link_to(address).kind, link_to(address).target) == (kind, target)


@given(st.text())
def test_nothing_that_is_posted_raises(address: str) -> None:
    assert link_to(address, "shown").shown == "shown"


MANNERS = Path(__file__).parent / "manners"
LINKING = [line.split("\t") for line in (MANNERS / "linking.tsv").read_text("utf-8").splitlines()]
INNOCENT = (MANNERS / "innocent.txt").read_text("utf-8").splitlines()


def test_enough_manners_are_tried() -> None:
    assert len(LINKING) >= 100 and len(INNOCENT) >= 200


@pytest.mark.parametrize(("text", "place"), LINKING)
def test_a_link_is_seen_however_it_is_spelled(text: str, place: str) -> None:
    first = links_in(text)[0]
    assert place in (next(first.places), first.target)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_a_link_is_none(text: str) -> None:
    assert links_in(text) == ()


@given(st.text(alphabet="naver.com/t점컴 텔레@:h[]\u200b\uff0e-x"))
def test_no_text_raises(text: str) -> None:
    for link in links_in(text):
        assert list(link.places) and link.domain is not None


def test_what_the_platform_marks_and_what_is_read_is_one_link() -> None:
    marked = (link_to("naver.com", "naver.com"), Link(LinkKind.MENTION, "7", "민지"))
    assert links_in("naver.com 봐 민지", marked) == marked
    assert [link.host for link in links_in("naver.com bit . ly / abc", marked)] == ["naver.com", "", "bit.ly"]


def test_a_file_name_that_the_platform_marks_is_no_link() -> None:
    assert links_in("main.py", (link_to("main.py", "main.py"),)) == ()
    assert links_in("main.py/x", (link_to("main.py/x", "main.py/x"),)) != ()


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("https://www.YouTube.com/", "youtube.com"), ("discord.gg/AbC", "discord.gg/abc"), ("discord.gg", "discord.gg"),
        ("https://discord.com/invite/abc", "discord.gg/abc"), ("@channel", "t.me/channel"),
        ("t.me/s/Channel/12", "t.me/channel/12"),
        ("t.me", "t.me"), ("*.example.com", "example.com"), ("xn--9d0b13fj8l.com", "네이버로.com"),
        ("한국.kr", "한국.kr"),
        ("안녕.하세요", None), ("3.5", None), ("a@naver.com", None), ("두 낱말.com", None), ("*.ru", None), ("", None),
        ("http://[", None), ("localhost", None), ("바보", None), ("//", None), ("@", None),
    ],
)  # fmt: skip
def test_a_place_has_one_spelling(typed: str, place: str | None) -> None:
    if typed.startswith("xn--"):
        typed, place = "xn--" + "네이버로".encode("punycode").decode() + ".com", "네이버로.com"
    assert place_of(typed) == place


@given(st.text())
def test_no_place_raises_and_its_spelling_stays(typed: str) -> None:
    if place := place_of(typed):
        assert place_of(place) == place


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://m.youtube.com/watch?v=1", True), ("https://youtube.com.evil.ru/", False),
        ("https://youtube.com@evil.ru/", False), ("https://evil.ru\\@youtube.com/", False),
        ("https://notyoutube.com/", False), ("https://ev%69l.ru/?youtube.com", False),
        ("https://evil.ru/#youtube.com", False),
        ("https://yоutube.com/", False), ("https://evil.ru/youtube.com", False),
        ("https://discord.com/invite/ours", True), ("https://discord.gg/ours2", False),
        ("https://discord.gg/theirs", False),
        ("https://discord.gg/ours/../theirs", False), ("https://discord.gg/ours%2f..%2ftheirs", False),
        ("tg://resolve?domain=ours", True), ("https://t.me/ours/5", True), ("https://t.me/ours_too", False),
        ("https://ours.t.me", True), ("https://t.me/+ours", False),
    ],
)  # fmt: skip
def test_who_is_allowed_one_place_is_not_allowed_another(address: str, allowed: bool) -> None:
    places = {"youtube.com", "discord.gg/ours", "t.me/ours"}
    assert bool(places & set(link_to(address).places)) is allowed
