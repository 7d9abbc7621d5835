"""A message that was taken away -> what is posted in its place, in as many messages as Discord needs for it."""

from adapters.chat.discord.moderators.asking import pieces, plain
from adapters.chat.discord.receiving.reading import CONTENT, FILES
from bot.core.chat.message import Message
from bot.core.text.catalogue import Texts

LONGEST = 2000  # characters in a message of a webhook
MOST_NAMED = 300  # characters of the names of files


def restored(message: Message, say: Texts) -> list[str]:
    """What its author typed, and nothing else that was read for them: files are gone with the message, and named."""
    typed = message.extra.get(CONTENT, message.text)
    answering = ""
    if message.reply_to:
        link = f"https://discord.com/channels/{message.community_id}/{message.ref.channel_id}/{message.reply_to}"
        answering = say("discord.answering", link=link) + "\n"
    end = say["discord.restored"]
    if files := message.extra.get(FILES):
        names = plain(", ".join(files.split("\n")))
        end += "\n" + say("discord.files_lost", names=names if len(names) <= MOST_NAMED else names[:MOST_NAMED] + "…")
    *first, last = pieces(answering + typed, LONGEST) if answering + typed else ("",)
    if len(last) + len(end) + 1 > LONGEST:
        return [*first, last, end]
    return [*first, f"{last}\n{end}".strip()]
