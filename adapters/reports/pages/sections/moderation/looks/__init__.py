"""Who has looked at what is on record about members."""

from adapters.reports.pages.section import Section
from bot.core.incidents.case import Look
from bot.core.reporting.figures import Looking


class Looks(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.figures.looks)

    @property
    def kinds(self) -> tuple[Look, ...]:
        """Those that anybody has looked at."""
        return tuple(one for one in Look if any(one in who.looks for who in self.report.figures.looks))

    def called(self, who: Looking) -> str:
        erased, _, hash_ = who.moderator.partition("-")
        return self.say("erased", which=hash_) if erased == "erased" and hash_ else who.moderator
