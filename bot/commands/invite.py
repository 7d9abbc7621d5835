"""`jikimi invite`: how a platform's bot is made and brought into a community, with the link that does it."""

from bot import wiring
from bot.config import Config
from bot.texts import Texts


async def telegram(config: Config, say: Texts) -> None:
    """The steps at BotFather, then the add-to-group link; without a token only the steps."""
    print(say["invite.telegram"].strip())
    if config.telegram.token.get_secret_value():
        print("\n" + say("invite.telegram_link", link=await wiring.telegram_invitation(config, say)))
    else:
        print("\n" + say["invite.telegram_no_token"])


#: One function a platform.
INVITATIONS = {"telegram": telegram}
