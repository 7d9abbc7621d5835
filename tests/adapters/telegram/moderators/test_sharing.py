"""One owner's groups agree to share, typed on Telegram: each of them, and who is no owner not at all."""

from adapters.chat.telegram.refs import group_ref
from bot.core.communities.sharing import Shared
from bot.core.text.catalogue import texts
from tests.adapters.telegram.stage import GROUP, MODERATORS, Stage, played
from tests.builders import TELEGRAM
from tests.servers.telegram import Chat

say, OTHER = texts("ko"), -1009
OWNER, ADMIN = 1, 2


async def told(here: Stage, chat: Chat, who: int, typed: str) -> str:
    asked = here.server.post(chat, who, typed)
    await here.server.until(lambda: max(chat.messages) > asked["message_id"])
    return str(chat.messages[max(chat.messages)]["text"])


@played
async def test_each_owner_agrees_and_any_manager_may_leave(here: Stage) -> None:
    here.listen()
    here.desk.sharing.owners = {TELEGRAM: here.chat}
    room, other = await here.with_moderators(), here.server.group(OTHER, title="다른 방")
    for group in (here.group, other):
        here.server.set_member(group, OWNER, "creator")
        here.server.admin(group, ADMIN, "지수")
    assert room.id == MODERATORS
    here.server.set_member(room, OWNER, "administrator")
    here.server.admin(room, ADMIN, "지수")
    assert f"telegram:{GROUP}" in await told(here, room, ADMIN, "/share_list")
    refused = await told(here, room, ADMIN, f"/share_with telegram:{OTHER}")
    assert refused == say["telegram.lacking"]
    waits = await told(here, room, OWNER, f"/공유 시작 telegram:{OTHER} 차단")
    assert f"telegram:{GROUP}" in waits and here.desk.sharing.partners(group_ref(GROUP), Shared.BANS) == {}
    private = here.server.private(OWNER, "방장")
    here.server.post(other, OWNER, f"/share_with telegram:{GROUP}")
    await here.server.until(lambda: here.desk.sharing.partners(group_ref(GROUP), Shared.BANS))
    assert here.desk.sharing.partners(group_ref(GROUP), Shared.RECORDS) == {}, "only one has agreed to that"
    await here.server.until(lambda: private.messages)
    assert "차단" in await told(here, room, ADMIN, "/share_list")
    assert "더는" in await told(here, room, ADMIN, "/share_leave")
    assert here.desk.community(group_ref(GROUP)).shares == {}
    assert here.desk.sharing.partners(group_ref(OTHER), Shared.BANS) == {}


@played
async def test_an_account_is_linked_where_records_are_shared_alone_and_shown_with_history(here: Stage) -> None:
    here.listen()
    room = await here.with_moderators()
    here.server.admin(here.group, ADMIN, "지수")
    here.server.admin(room, ADMIN, "지수")
    refused = await told(here, room, ADMIN, f"/share_member 70000 telegram:{OTHER}/80000")
    assert refused.startswith("이력을 공유하는")
    own = await told(here, room, ADMIN, "/share_member 70000")
    assert f"telegram:{GROUP}/70000" in own
