"""Every section and key of a configuration: what it means, in which unit, and what holds where it is left out; and the
policies and schedules that follow from them."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from bot.config.conditions import no_despair
from bot.config.guards import GuardSettings, HouseRulesSettings, TrialSettings
from bot.config.renamed import Renamed, Split, renew
from bot.config.rules import RuleSettings, Step, by_kind, own, preset
from bot.config.values import (
    CONFIDENTIAL,
    ChannelId,
    Confidential,
    Duration,
    Listen,
    Probability,
    Table,
    Zone,
)
from bot.core.chat.message import Platform
from bot.core.communities.community import PRESETS, Community, Preset
from bot.core.communities.former import FORMER, renewed, renewed_bars
from bot.core.reporting.delivery.schedule import DAYS, Burst, Schedule
from bot.core.rules.ladder import USUAL, Ladder
from bot.core.rules.lists import NO_LISTS
from bot.core.rules.policy import Policy, Watch

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class StorageSettings(Table):
    """[storage]: where everything is kept."""

    url: Annotated[str, AfterValidator(Confidential), CONFIDENTIAL] = "sqlite:///jikimi.db"
    """`sqlite:///PATH`, relative to the current folder, or `postgresql://USER:PASSWORD@HOST/NAME`."""

    keys: str = ""
    """The folder of the keys that what people say is sealed with; empty: `jikimi-keys` beside the configuration. It
    belongs into no back-up of the database."""

    _beside: Path | None = PrivateAttr(None)

    @property
    def keys_folder(self) -> Path | None:
        """None: nothing is sealed. So it is where no file and no user says the settings: in rehearsals and tests."""
        if self._beside is None and not self.keys:
            return None
        return ((self._beside or Path()) / (self.keys or "jikimi-keys")).absolute()

    def beside(self, folder: Path) -> Self:
        """The same in a configuration that lies in this folder."""
        found = self.model_copy()
        found._beside = folder
        return found

    @property
    def shown(self) -> str:
        """The URL without its password, wherever in it that stands."""
        without = re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", self.url)
        return re.sub(r"([?&][^=&]*(?:pass|secret|token)[^=&]*=)[^&]*", r"\1***", without, flags=re.IGNORECASE)


class CommunityDefaults(Table):
    """[defaults]: what holds for a community that has set nothing."""

    preset: Preset = "balanced"
    """The shipped rules."""

    mode: Literal["watch", "live"] = "watch"
    """Whether moderators are only shown what would be done, or it is done."""

    language: Literal["ko", "en"] = "ko"
    """What moderators and members are spoken to in."""

    timezone: Zone = "Asia/Seoul"
    """IANA name, for reports and times of day."""

    late_after: Duration = timedelta(minutes=10)
    """The age from which a message is still judged, and nobody punished for it."""

    alarm_after: Duration = timedelta(seconds=10)
    """How long the guard or the database must be away before moderators are told."""

    exempt_roles: list[str] = []
    """Roles that no rule applies to, by name or id."""

    exempt_channels: list[str] = []
    """Channels that no rule applies to, by name or id."""

    care: bool = False
    """Whether who is in despair is told in private where somebody listens (109)."""

    disabled_rules: list[str] = []
    """Names of the preset's rules that are switched off."""


class LadderSettings(Table):
    """[ladder]: what follows when a member offends again, step by step."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=20)] = list(USUAL.steps)
    """What the first strike leads to, then the second, and so on: "warn", "timeout 1h", "kick", "ban"."""

    reach: Literal["off", "warn", "timeout", "kick", "ban"] = "off"
    """How far the rules go by themselves, up to the last step of that kind; all others are proposed on the card."""

    lasting: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=365))] = timedelta(days=30)
    """After which a strike counts no more."""

    def ladder(self, reach: str | None) -> Ladder:
        return Ladder(steps=tuple(self.steps), reach=reach or self.reach, lasting=self.lasting)


class BotSettings(Table):
    """[bots]: what other bots say, LLM bots above all."""

    quiet: Duration = timedelta(seconds=4)
    """An answer that is written by editing is complete after so much quiet."""

    longest: Duration = timedelta(seconds=30)
    """After how long it is judged at the latest, complete or not."""

    judge_every: Annotated[int, Field(ge=1)] = 500
    """The characters by which it grows between two looks at it while it is written."""

    judge_others: bool = False
    """Whether what bots say that answer nobody is scored like a person's message."""

    owners: dict[str, ChannelId] = {}
    """A bot's id -> the id of the channel in which its owner is told."""


#: What stands in a configuration for every address of a machine -> where it is asked.
_HERE = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}


class HttpSettings(Table):
    """[http]: the HTTP API."""

    listen: Listen = ""
    """HOST:PORT of the API; empty: off."""

    metrics_listen: Listen = ""
    """HOST:PORT of /metrics alone, which asks for no key; empty: at `listen`, too."""

    per_second: Annotated[int, Field(ge=1)] = 20
    """Requests a second of one key, of all processes together; every 1,000 characters of a text count as one more."""

    deadline: Duration = timedelta(seconds=5)
    """How long a verdict may take; after that the answer is 503, never "safe"."""

    @property
    def asked_at(self) -> tuple[str, int] | None:
        """Where a process of this configuration is asked how it is, on its own machine; None: nowhere."""
        host, _, port = (self.metrics_listen or self.listen).rpartition(":")
        return (_HERE.get(host, host.strip("[]")), int(port)) if port else None


class ReportSettings(Table):
    """[report]: when moderators read how it went; communities may set their own."""

    day: Literal[Day, "off"] = "monday"
    """The day of the weekly report."""

    hour: Annotated[int, Field(ge=0, le=23)] = 9
    """The hour of the day, 0 to 23, at which reports are posted, in the community's time zone."""

    daily: bool = False
    """Whether there is a digest of yesterday at that hour, too."""

    alert_at: Annotated[int, Field(ge=0)] = 30
    """So many incidents within `alert_within` are told at once; 0: never."""

    alert_within: Duration = timedelta(minutes=10)
    """The time in which `alert_at` incidents make an alert."""

    alert_pause: Duration = timedelta(hours=6)
    """The least time between two alerts of a community."""

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes that draw reports, 1 to 64."""


class RetentionSettings(Table):
    """[retention]: how long what is kept."""

    authors: Duration = timedelta(days=2)
    """Who wrote a message that no rule matched; its text goes as soon as it is judged."""

    messages: Duration = timedelta(days=7)
    """That such a message was there at all. What is counted stays."""

    texts: Duration = timedelta(days=90)
    """What was said in a message that a rule matched, and by which name."""

    mistakes: Duration = timedelta(days=7)
    """The same, once a moderator has called it wrong or its author has deleted it."""

    cases: Duration = timedelta(days=365)
    """That there was an incident, what came of it, and appeals."""

    left: Duration = timedelta(days=30)
    """Everything of a community that has taken the bot out."""


class TracingSettings(Table):
    """[tracing]: what becomes of each message, told to an OpenTelemetry collector; takes `jikimi[tracing]`."""

    endpoint: Annotated[str, AfterValidator(Confidential), CONFIDENTIAL] = ""
    """The collector's address for OTLP over HTTP, `http://127.0.0.1:4318/v1/traces`; empty: off."""

    share: Probability = 0.01
    """The share of messages, 0 to 1, whose way is told."""


class Config(Table):
    """Everything a user can set, beside the sections of chat networks (`networks`). `policy` is what the defaults make
    of a community that has set nothing."""

    storage: StorageSettings = StorageSettings()
    guard: GuardSettings = GuardSettings()
    trial: TrialSettings = TrialSettings()
    house_rules: HouseRulesSettings = HouseRulesSettings()
    defaults: CommunityDefaults = CommunityDefaults()
    ladder: LadderSettings = LadderSettings()
    bots: BotSettings = BotSettings()
    http: HttpSettings = HttpSettings()
    report: ReportSettings = ReportSettings()
    retention: RetentionSettings = RetentionSettings()
    tracing: TracingSettings = TracingSettings()
    rules: list[RuleSettings] = []
    _renamed: tuple[Renamed, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _renew(cls, content: object, check: ModelWrapValidatorHandler[Self]) -> Self:
        content, renamed = renew(content)
        config = check(content)
        config._renamed = renamed
        return config

    @property
    def renamed(self) -> tuple[Renamed | Split, ...]:
        """The keys that stood in it under the names of a version before, and the rules of a preset that it names so."""
        names = {*(one.name for one in self.rules), *self.defaults.disabled_rules}
        return (*self._renamed, *(Split(old, new) for old, new in FORMER.items() if old in names))

    @property
    def guards(self) -> tuple[GuardSettings, ...]:
        """Whoever hears what is said."""
        return (self.guard, *((self.trial,) if self.trial.name else ()))

    def judging_hosts(self, scheme: str = "") -> tuple[str, ...]:
        """Of all guards, those that are not this machine; `scheme`: those that are asked by it alone."""
        asked = (host for one in self.guards if one.asks_servers for host in one.beyond(scheme))
        return tuple(dict.fromkeys(asked))

    def sent_to(self, scheme: str = "") -> tuple[str, ...]:
        """The same, and those of the model that reads what waits for moderators."""
        return tuple(dict.fromkeys((*self.judging_hosts(scheme), *self.house_rules.beyond(scheme))))

    @property
    def on_trial(self) -> "Config | None":
        """The same with the guard on trial in office; None where none is."""
        return self.model_copy(update={"guard": self.trial}) if self.trial.name else None

    @property
    def policy(self) -> Policy:
        return self.policy_of(None)

    def policy_of(self, community: Community | None, mode: Watch | None = None) -> Policy:
        """The rules of a community by what it has set (None: nothing). `mode` overrides both."""
        defaults, asked = self.defaults, community or Community(platform=Platform(""), id="")
        theirs = [one for table in asked.rules.values() if (one := own(table))]
        replaced = {one.name for one in theirs}
        written = (*theirs, *(one for one in self.rules if one.name not in replaced))
        taken = renewed((*(one.name for one in written), *defaults.disabled_rules))
        base = asked.preset if asked.preset in PRESETS else defaults.preset
        shipped = by_kind(preset(base), asked.kinds)
        chosen = (*written, *(one for one in shipped if one.name not in taken))
        bars = renewed_bars(asked.thresholds, {one.name for one in chosen})
        barred = (one.with_bar(bars.get(one.name)) for one in chosen)
        rules = [one.in_shadow() if one.name in asked.shadow else one for one in barred]
        own_names = {one.name for one in written}
        ladder = self.ladder.ladder(asked.ladder)
        besides = (*((asked.lists,) if asked.lists != NO_LISTS else ()), *((ladder,) if ladder != USUAL else ()))
        besides += tuple(filter(None, (asked.lists.tried_words, sorted(asked.shadow))))
        return Policy(
            rules=(*asked.lists.rules(asked.shadow), *(one.rule(shipped=one.name not in own_names) for one in rules)),
            version=_fingerprint(defaults, self.bots, no_despair(), *rules, *besides),
            mode=mode or asked.mode or Watch(defaults.mode),
            preset=base,
            exempt_roles=frozenset(defaults.exempt_roles) | asked.exempt_roles,
            exempt_channels=frozenset(defaults.exempt_channels) | asked.exempt_channels,
            late_after=defaults.late_after,
            language=asked.language or defaults.language,
            timezone=asked.timezone or defaults.timezone,
            bots=asked.bots,
            bot_owners=self.bots.owners | dict(asked.bot_owners),
            allowed_words=asked.lists.allowed_words,
            allowed_links=frozenset(asked.lists.allowed_links),
            no_despair=no_despair(),
            care=defaults.care if asked.care is None else asked.care,
            judge_other_bots=self.bots.judge_others,
            ladder=ladder,
        )

    def schedule_of(self, community: Community) -> Schedule:
        """When a community gets which report; one that has taken the bot out gets none."""
        report = self.report
        on = "off" if community.left_at else community.report_day or report.day
        daily = report.daily if community.daily_digest is None else community.daily_digest
        return Schedule(
            timezone=community.timezone or self.defaults.timezone,
            weekday=DAYS.index(on) if on in DAYS else None,
            hour=report.hour if community.report_hour is None else community.report_hour,
            daily=daily and community.left_at is None,
            burst=Burst(
                incidents=report.alert_at if community.alert_at is None else community.alert_at,
                within=report.alert_within,
                apart=report.alert_pause,
            ),
        )


def _fingerprint(*parts: object) -> str:
    """Names this exact content, the same in every process."""
    # Not as JSON: there, two actions without parameters are alike.
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()[:12]
