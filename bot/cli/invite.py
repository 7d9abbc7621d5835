"""`jikimi invite`: how a platform's bot is made and brought into a community, with the link that does it."""

from bot.app import chats
from bot.config import Config
from bot.core.text.catalogue import Texts


async def discord(config: Config, say: Texts) -> None:
    """The steps in the developer portal, what the bot needs and why, then the invite link where there is a token."""
    names = say["invite.discord_names_on" if config.discord.member_names else "invite.discord_names_off"]
    print(say("invite.discord", names=names).strip() + "\n")
    for name in chats.discord_needs(config):
        print(f"  {say[f'permission.{name}']}: {say[f'permission_for.{name}']}")
    if config.discord.token.get_secret_value():
        print("\n" + say("invite.discord_link", link=await chats.discord_invitation(config, say)))
    else:
        print("\n" + say["invite.discord_no_token"])


async def telegram(config: Config, say: Texts) -> None:
    """The steps at BotFather, then the add-to-group link; without a token only the steps."""
    print(say["invite.telegram"].strip())
    if config.telegram.token.get_secret_value():
        print("\n" + say("invite.telegram_link", link=await chats.telegram_invitation(config, say)))
    else:
        print("\n" + say["invite.telegram_no_token"])


#: One function a platform.
INVITATIONS = {"discord": discord, "telegram": telegram}
