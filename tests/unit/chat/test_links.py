"""Addresses as people post them -> what they lead to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.chat.links import link_to
from bot.core.chat.message import LinkKind


@pytest.mark.parametrize(
    ("address", "kind", "target"),
    [
        ("toto777.com", LinkKind.WEB, "https://toto777.com"),
        ("bit.ly/3abc", LinkKind.WEB, "https://bit.ly/3abc"),
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
