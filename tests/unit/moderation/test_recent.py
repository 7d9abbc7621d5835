"""What an author did just before: of that author alone."""

from bot.core.incidents.incident import Trace
from bot.core.moderation.recent import RecentActivity
from bot.core.rules.actions import Delete
from bot.core.rules.policy import Policy
from tests.builders import DISCORD, NOW, TELEGRAM, decision, home, later, message

RULES = Policy(rules=())


def test_a_member_of_another_platform_is_somebody_else_even_where_all_ids_are_the_same() -> None:
    memory = RecentActivity()
    here, there = (message("1", community="7", platform=platform, author="9") for platform in (DISCORD, TELEGRAM))
    assert memory.hear(here) == memory.hear(there) == ()
    assert memory.hear(message("2", community="7", platform=DISCORD, author="9")) == (NOW,)
    memory.note(decision(here, Delete()), NOW, RULES)
    memory.recall(Trace(home("7", TELEGRAM), "9", "side", NOW, later(1), "flood", acted=True), RULES)
    assert memory.fired(here) == {"insult": NOW} and memory.fired(there) == {"flood": later(1)}
    assert (memory.offences(here), memory.offences(there)) == ((NOW,), ())
