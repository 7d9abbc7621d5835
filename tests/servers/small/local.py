"""What every small HTTP server of tests is: some routes in, an address on this machine out, until the test is over."""

from collections.abc import Sequence
from typing import Self

from aiohttp import web


class LocalServer:
    """`url` once it is entered."""

    def routes(self) -> Sequence[web.RouteDef]:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
