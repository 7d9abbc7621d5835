"""How far messages got: seen, judged, matched, acted on, reviewed."""

from functools import cached_property

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.moderation.funnel.figures import Step, steps
from bot.core.reporting.shares import Share

#: What a step came from, in the sentence that says how much of it went on.
OF = {"seen": "of_seen", "judged": "of_judged", "flagged": "of_flagged"}


class Funnel(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return steps(self.report.totals)

    @property
    def unjudged(self) -> str:
        """What became of those that were seen and not judged; "": there are none."""
        figures = self.report.figures
        rest = figures.seen - figures.judged - figures.unscreened - figures.waiting
        why = {"unscreened": figures.unscreened, "waiting": figures.waiting, "wordless": rest}
        said = [self.say(name, count=f"{count:,}") for name, count in why.items() if count > 0]
        return self.say("unjudged", count=f"{figures.seen - figures.judged:,}", which=", ".join(said)) if said else ""

    def called(self, name: str) -> str:
        return self.say["judged"] if name == "judged" else self.say[f"report.{name}"]

    def part(self, step: Step) -> str:
        """How much it is of the step that it came from; nothing where that is too small for it."""
        percent = Share(part=step.number, whole=step.whole).percent
        if percent is None:
            return ""
        shown = f"{percent:.0f}%" if percent >= 10 or not percent else f"{percent:.1f}%"
        return self.say(OF[step.of], percent=shown)
