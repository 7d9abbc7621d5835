"""The sections of a report's page, in their order. Those of one row stand side by side where there is room."""

from adapters.reports.pages.section import Section
from adapters.reports.pages.sections.bots.bots import Bots
from adapters.reports.pages.sections.bots.pairs import Pairs
from adapters.reports.pages.sections.incidents.channels import Channels
from adapters.reports.pages.sections.incidents.heat import Heat
from adapters.reports.pages.sections.incidents.incidents import Incidents
from adapters.reports.pages.sections.incidents.kinds import Kinds
from adapters.reports.pages.sections.incidents.rules import Rules
from adapters.reports.pages.sections.moderation.advice import Advice
from adapters.reports.pages.sections.moderation.funnel import Funnel
from adapters.reports.pages.sections.moderation.looks import Looks
from adapters.reports.pages.sections.moderation.moderators import Moderators
from adapters.reports.pages.sections.moderation.quality import Quality
from adapters.reports.pages.sections.moderation.repeaters import Repeaters
from adapters.reports.pages.sections.operation.changes import Changes
from adapters.reports.pages.sections.operation.health import Health
from adapters.reports.pages.sections.operation.shadow import Shadow
from adapters.reports.pages.sections.overview.days import Days
from adapters.reports.pages.sections.overview.headline import Headline
from adapters.reports.pages.sections.overview.today import Today
from adapters.reports.pages.sections.overview.trend import Trend

ROWS: tuple[tuple[type[Section], ...], ...] = (
    (Today,),
    (Headline,),
    (Days, Trend),
    (Rules,),
    (Kinds,),
    (Heat,),
    (Channels, Funnel),
    (Quality, Advice),
    (Repeaters, Moderators),
    (Looks,),
    (Bots,),
    (Pairs,),
    (Shadow,),
    (Changes,),
    (Health,),
    (Incidents,),
)
