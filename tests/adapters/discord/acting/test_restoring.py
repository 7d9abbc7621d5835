"""What is posted in place of a message that was deleted by mistake."""

from adapters.chat.discord.acting.restoring import restored
from bot.core.text.catalogue import texts
from tests.builders import message

say = texts("ko")
END = say["discord.restored"]


def test_what_was_read_for_the_author_is_not_put_into_their_mouth() -> None:
    """Names of files and their contents were judged as text; what was typed comes back, what was lost is named."""
    extra = {"content": "이것 좀 봐", "files": "memo.txt\nphoto_1.png"}
    posted = restored(message(text="이것 좀 봐\nmemo.txt\nphoto_1.png\n비밀 일기", extra=extra), say)
    assert posted == [f"이것 좀 봐\n{END}\n" + say("discord.files_lost", names="memo.txt, photo\\_1.png")]


def test_a_picture_alone_leaves_only_its_name() -> None:
    (posted,) = restored(message(text="a.png", extra={"content": "", "files": "a.png"}), say)
    assert posted == f"{END}\n" + say("discord.files_lost", names="a.png")


def test_a_long_message_comes_back_whole() -> None:
    text = "\n".join(f"{number} " + "가" * 90 for number in range(43))
    posted = restored(message(text=text), say)
    assert "".join(posted) == f"{text}\n{END}" and all(len(part) <= 2000 for part in posted)
    full = restored(message(text="가" * 2000), say)
    assert full == ["가" * 2000, END]


def test_a_reply_still_says_what_it_answers() -> None:
    (posted,) = restored(message(text="그래", community="1", channel="2", reply_to="3"), say)
    link = say("discord.answering", link="https://discord.com/channels/1/2/3")
    assert posted == f"{link}\n그래\n{END}"
