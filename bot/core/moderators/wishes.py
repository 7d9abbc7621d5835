"""What somebody asks about themselves, by a button or a link -> what they are told or handed, and nobody else is."""

from typing import assert_never

from bot.core.chat.message import Platform
from bot.core.chat.post import Attachment
from bot.core.moderators.answer import Handed, Lines, Offer, Wish, said
from bot.core.moderators.command import Answer
from bot.core.operations.privacy import Privacy

FILE = "jikimi-my-data.json"


def notice(privacy: Privacy) -> Offer:
    """What is kept, why, how long, and where it goes."""
    kept = privacy.limits
    lines = Lines.of(
        said("privacy.why"),
        said("privacy.messages", authors=kept.authors, messages=kept.messages),
        said("privacy.incidents", texts=kept.texts, mistakes=kept.mistakes, cases=kept.cases),
        said("privacy.sent", hosts=privacy.judges) if privacy.judges else said("privacy.here"),
        said("privacy.read", hosts=privacy.readers) if privacy.readers else None,
        said("privacy.in_the_clear", hosts=privacy.in_the_clear) if privacy.in_the_clear else None,
        said("privacy.looked_up", hosts=privacy.blocklists) if privacy.blocklists else None,
        said("privacy.training"),
        said("privacy.yours"),
    )
    return Offer(lines, (Wish.DATA, Wish.ERASE))


async def granted(wish: Wish, platform: Platform, member: str, privacy: Privacy) -> Answer:
    """`member`: who asks, as the network says. Where they are banned or have left, too."""
    match wish:
        case Wish.DATA:
            if (written := await privacy.export(platform, member)) is None:
                return Lines.of(said("privacy.today"))
            return Handed(Lines.of(said("privacy.data")), Attachment(name=FILE, content=written, description=FILE))
        case Wish.ERASE:
            return Offer(Lines.of(said("privacy.sure")), (Wish.SURELY,))
        case Wish.SURELY:
            if (done := await privacy.erase(platform, member)) is None:
                return Lines.of(said("privacy.today"))
            left = said("privacy.left", left=done.left) if done.left else None
            return Lines.of(said("privacy.erased", rows=done.rows, code=done.code), left)
        case _:
            assert_never(wish)
