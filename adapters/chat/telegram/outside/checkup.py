"""A bot token and groups -> whether Telegram takes it, how updates come, and which rights are missing where."""

from collections.abc import AsyncIterator, Sequence

from telegram import Bot, ChatMemberAdministrator, ChatMemberOwner, User
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.members import NEEDED
from adapters.chat.telegram.refs import TELEGRAM
from adapters.chat.telegram.requests import AiohttpRequest
from bot.core.base.errors import BotError, Broken
from bot.core.communities.community import Community
from bot.core.operations.outside.checkup import Found, State
from bot.core.text.catalogue import Texts

GROUPS = 200  # that are looked at: each takes a request
PILED_UP = 1_000  # updates that wait at Telegram


async def checkup(
    token: str, communities: Sequence[Community], say: Texts, *, api_url: str, webhook_url: str
) -> AsyncIterator[Found]:
    request = AiohttpRequest()
    bot = Bot(token, base_url=f"{api_url.rstrip('/')}/bot", request=request, get_updates_request=request)
    try:
        with mapped(say):
            me, updates = await bot.get_me(), await bot.get_webhook_info()
        yield Found(TELEGRAM, State.WELL, say("doctor.token", name=me.username or ""))
        if updates.url != webhook_url:
            yield Found(TELEGRAM, State.ODD, say["doctor.webhook_other"], say["doctor.webhook_remedy"])
        elif webhook_url and updates.last_error_message:
            yield Found(TELEGRAM, State.ODD, say("doctor.webhook_failed", why=updates.last_error_message))
        if updates.pending_update_count > PILED_UP:
            told = say("doctor.piled_up", number=updates.pending_update_count)
            yield Found(TELEGRAM, State.ODD, told, say["doctor.piled_up_remedy"])
        well, looked_at = 0, [one for one in communities if one.left_at is None][:GROUPS]
        for one in looked_at:
            if lacking := await _lacking(bot, me, one, say):
                yield Found(TELEGRAM, State.ODD, lacking, say("doctor.lacks_remedy", platform=TELEGRAM))
            else:
                well += 1
        yield Found(TELEGRAM, State.WELL, say("doctor.rights", number=well))
    except Broken as error:
        yield Found(TELEGRAM, State.ILL, say.why(error))
    except BotError as error:
        told = say("doctor.out_of_reach", why=say.why(error))
        yield Found(TELEGRAM, State.ILL, told, say["doctor.out_of_reach_remedy"])
    finally:
        await request.shutdown()


async def _lacking(bot: Bot, me: User, community: Community, say: Texts) -> str:
    """What the bot cannot do in a group; "": nothing that it should. One that is no admin hears what everybody writes
    only where its privacy mode is off."""
    name = community.name or community.id
    try:
        with mapped(say):
            member = await bot.get_chat_member(int(community.id), me.id)
    except (BadRequest, Forbidden):
        return say("doctor.not_in", community=name)
    if isinstance(member, ChatMemberOwner):
        return ""
    if not isinstance(member, ChatMemberAdministrator):
        return say("doctor.no_admin" if me.can_read_all_group_messages else "doctor.hears_nothing", community=name)
    lacking = [say[f"telegram.missing.{right}"] for right in NEEDED if not getattr(member, right)]
    return say("doctor.lacks", community=name, missing=" ".join(lacking)) if lacking else ""
