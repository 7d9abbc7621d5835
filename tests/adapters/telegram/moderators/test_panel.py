"""My groups, in private on Telegram: a deep link, a list, and the settings of the group that is pressed."""

from typing import Any

from adapters.chat.telegram.refs import group_ref
from bot.core.text.catalogue import texts
from tests.adapters.telegram.stage import GROUP, Stage, played
from tests.servers.telegram import Chat

say = texts("ko")


def keys(message: dict[str, Any]) -> dict[str, str]:
    """Its buttons by their labels."""
    return {
        one["text"]: one.get("callback_data", "") for row in message["reply_markup"]["inline_keyboard"] for one in row
    }


async def shown(here: Stage, private: Chat, who: int, link: str) -> dict[str, Any]:
    """What the bot answers to it."""
    asked = here.server.post(private, who, link)
    await here.server.until(lambda: max(private.messages) > asked["message_id"])
    return private.messages[max(private.messages)]


async def pressed(here: Stage, message: dict[str, Any], who: int, data: str) -> str:
    id_ = here.server.press(message, who, data)
    await here.server.until(lambda: id_ in here.server.answers)
    return str(here.server.answers[id_].get("text", ""))


@played
async def test_who_looks_after_groups_finds_them_and_sets_them_there(here: Stage) -> None:
    here.server.admin(here.group, 2, "지수")
    private, theirs = here.server.private(2, "지수"), here.server.private(9)
    here.listen()
    here.server.post(here.group, 2, "/status")  # so that the group and its admins are known
    await here.server.until(lambda: private.messages)
    panel = await shown(here, private, 2, "/start groups")
    assert list(keys(panel).values()) == [f"panel:{GROUP}"]
    assert say["telegram.hello"] == (await shown(here, theirs, 9, "/start groups"))["text"]

    def buttons() -> dict[str, str]:
        return keys(private.messages[panel["message_id"]])

    assert await pressed(here, panel, 2, f"panel:{GROUP}") == ""
    await here.server.until(lambda: f"setup:{GROUP}:policy:menu" in buttons().values())
    await pressed(here, panel, 2, f"setup:{GROUP}:policy:menu")
    await here.server.until(lambda: "사기: 전체대로" in buttons())
    await pressed(here, panel, 2, buttons()["사기: 전체대로"])
    await here.server.until(lambda: "사기: 부드럽게" in buttons())
    await pressed(here, panel, 2, buttons()["야간: 낮과 같게"])
    await here.server.until(lambda: "야간 23-7시: 다르게" in buttons())
    now = here.desk.community(group_ref(GROUP))
    assert now.kinds == {"fraud": "gentle"} and now.night and now.night.preset == "strict"
    await pressed(here, panel, 2, "panel:all")
    await here.server.until(lambda: list(buttons().values()) == [f"panel:{GROUP}"])
    here.server.admin(here.group, 2, "지수", [])
    assert await pressed(here, panel, 2, f"panel:{GROUP}") != "", "rights are asked anew at every press"
    assert list(buttons().values()) == [f"panel:{GROUP}"]


@played
async def test_who_looks_after_one_group_and_its_room_is_not_asked_which(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.admin(room, 2, "지수")
    private = here.server.private(2, "지수")
    here.listen()
    for place in (here.group, room):
        here.server.post(place, 2, "/waiting")  # so that both and their admins are known
    await here.server.until(lambda: private.messages and len(room.messages) > 1)
    assert say["case.nothing_waits"] == (await shown(here, private, 2, "/waiting"))["text"]
    assert list(keys(await shown(here, private, 2, "/start groups")).values()) == [f"panel:{GROUP}"]


@played
async def test_a_policy_is_taken_in_from_the_file_that_is_answered_and_handed_out_in_the_room(here: Stage) -> None:
    room = await here.with_moderators()
    here.server.admin(here.group, 2, "지수")
    here.listen()
    here.server.files = {"good": b'format = 1\n[kinds]\nfraud = "off"\n', "bad": b"format = 2"}

    async def told(file: str, *, size: int = 40) -> str:
        document = {"file_id": file, "file_unique_id": file, "file_name": "policy.toml", "file_size": size}
        sent = here.server.message(room, 2, document=document)
        asked = here.server.post(room, 2, "/정책 가져오기", reply_to_message=sent)
        await here.server.until(lambda: max(room.messages) > asked["message_id"])
        return str(room.messages[max(room.messages)]["text"])

    for file, size in (("bad", 40), ("gone", 40), ("good", 10_000_000)):
        assert ("업데이트" if file == "bad" else "너무 큽니다") in await told(file, size=size)
        assert here.desk.community(group_ref(GROUP)).kinds == {}
    assert "‘사기’ 강도" in await told("good")
    assert here.desk.community(group_ref(GROUP)).kinds == {"fraud": "off"}
    here.server.post(room, 2, "/policy export")
    await here.server.until(lambda: here.server.of("sendDocument"))
    (call,) = here.server.of("sendDocument")
    assert b'fraud = "off"' in call.arguments["document"].content
    before = len(here.group.messages)
    here.server.post(here.group, 2, "/policy export")
    private = here.server.private(2)
    await here.server.until(lambda: len(private.messages) + len(here.group.messages) > before + 1)
    assert len(here.server.of("sendDocument")) == 1, "not in front of members"
