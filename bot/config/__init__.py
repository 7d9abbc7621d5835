"""What a user can set: a TOML file and the environment -> one frozen `Config`, and from it policies and schedules.

sections   every section and key, with its meaning, unit and default
guards     those about guards
networks   the sections that chat networks declare
rules      a [[rules]] table, own or shipped (presets/) -> the core's rule
conditions what stands below `when`, from the conditions that the core declares
values     what one key may hold
loading    reads, checks, refuses in one sentence
problems   the sentences
renamed    what keys were called in versions before
"""

from bot.config.guards import GuardSettings
from bot.config.loading import examine, load
from bot.config.networks import chosen
from bot.config.problems import warnings
from bot.config.rules import RuleSettings, preset
from bot.config.secrets import token_variable
from bot.config.sections import (
    BotSettings,
    CommunityDefaults,
    Config,
    HttpSettings,
    LadderSettings,
    ReportSettings,
    StorageSettings,
)

__all__ = [
    "BotSettings",
    "CommunityDefaults",
    "Config",
    "GuardSettings",
    "HttpSettings",
    "LadderSettings",
    "ReportSettings",
    "RuleSettings",
    "StorageSettings",
    "chosen",
    "examine",
    "load",
    "preset",
    "token_variable",
    "warnings",
]
