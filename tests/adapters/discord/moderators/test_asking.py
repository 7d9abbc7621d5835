"""What people wrote, as the bot repeats it."""

import pytest

from adapters.chat.discord.moderators.asking import pieces, plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[pro\nof](https://evil.example/x_y)", "\\[pro\nof](https://evil.example/x_y)"),
        ("\\[a](https://evil.example)", "\\\\\\[a](https://evil.example)"),
        ("**굵게** ||가림|| `글`", "\\*\\*굵게\\*\\* \\|\\|가림\\|\\| \\`글\\`"),
        ("# 제목\n> 인용\n-# 작게", "\\# 제목\n\\> 인용\n\\-# 작게"),
        ("그냥 글 - 1 > 0", "그냥 글 - 1 > 0"),
    ],
)
def test_nothing_becomes_a_link_or_a_heading(written: str, shown: str) -> None:
    assert plain(written) == shown


def test_a_long_text_comes_in_pieces_and_whole() -> None:
    text = "\n".join("가" * 300 for _ in range(20))
    parts = list(pieces(text))
    assert "".join(parts) == text and all(0 < len(part) <= 2000 and part.endswith(("\n", "가")) for part in parts)
    assert list(pieces("가" * 4500)) == ["가" * 2000, "가" * 2000, "가" * 500]
    assert list(pieces("")) == ["-"]
