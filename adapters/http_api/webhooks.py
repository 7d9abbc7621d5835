"""Who wants to be told of a community's incidents, as its key says: added, listed, removed."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from adapters.http_api.admission import Visitor
from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.shapes import Answered, Asked
from bot.core.base.clock import Clock
from bot.core.incidents.ports import Webhooks
from bot.core.incidents.webhooks.webhook import LONGEST_URL, MOST, Webhook, host_of, is_address, new_secret


class WebhookRequest(Asked):
    url: Annotated[str, Field(max_length=LONGEST_URL, examples=["https://bot.example.com/jikimi"])] = Field(
        description="An https address that everybody may reach. One that is there already gets a new secret."
    )


class WebhookShape(Answered):
    id: int
    host: str
    created_at: datetime
    failures: int = Field(description="How many tries in a row have failed.")
    reason: str = Field(description="Why the last one of them did.")
    stopped_at: datetime | None = Field(
        description="Since when it is told nothing: its server was away for a day, or answered 410. "
        "Add it again to go on."
    )


class WebhookMade(Answered):
    id: int
    secret: str = Field(description="What requests are signed with (Standard Webhooks). Shown this once.")


class WebhookList(Answered):
    webhooks: list[WebhookShape]


class WebhookRemoved(Answered):
    id: int


async def added(webhooks: Webhooks, clock: Clock, visitor: Visitor, asked: WebhookRequest) -> WebhookMade:
    if not is_address(asked.url):
        raise Problem("address", param="url")
    secret = new_secret()
    webhook = Webhook(community=visitor.key.community, url=asked.url, secret=secret, created_at=clock.now())
    if (given := await webhooks.add(webhook)) is None:
        raise Problem("too_many_webhooks", facts={"most": MOST})
    return WebhookMade(id=given, secret=secret)


async def listed(webhooks: Webhooks, visitor: Visitor) -> WebhookList:
    theirs = [one for one in await webhooks.all() if one.community == visitor.key.community]
    return WebhookList(
        webhooks=[
            WebhookShape(
                id=one.id,
                host=host_of(one.url),
                created_at=one.created_at,
                failures=one.failures,
                reason=one.reason,
                stopped_at=one.stopped_at,
            )
            for one in theirs
        ]
    )


async def removed(webhooks: Webhooks, visitor: Visitor, given: str) -> WebhookRemoved:
    known = int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0
    if not await webhooks.remove(visitor.key.community, known):
        raise Problem("no_webhook", param="id")
    return WebhookRemoved(id=known)
