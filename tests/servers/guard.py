"""A small HTTP server that answers like `vllm serve` with WildGuard-ko: it finds a text harmful that says "나쁜",
and an answer that says "죄송" a refusal. What it is to do wrong stands in `trouble`."""

import asyncio
import gzip
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Self

from aiohttp import web

MODEL = "iknow-lab/llama-3.2-3B-wildguard-ko-2410"
SURE = 0.97
BOMB = gzip.compress(b'{"choices": "' + b" " * (8 << 20) + b'"}')
_ANCHORS = ("Harmful request:", "Response refusal:", "Harmful response:")


class GuardServer:
    """`trouble`: "" for none, an HTTP status, "hang", "garbage" (200, no JSON), "empty" (JSON, nothing in it),
    "nonsense" (a well-formed answer that no guard gives), "unsure" (hardly any probability on the labels), "nan" and
    "inf" (that for every log-probability), "bomb" (much more than any answer, compressed to very little). A text that
    says "이상한" always gets nonsense. After `answers` requests every other one hangs. `classifies`: it serves the
    model as a classifier, and nothing else; of the labels alone, or `by_token` beside others. `by_priority`: it takes
    priorities, as `--scheduling-policy priority` makes it."""

    def __init__(self, *, model: str = MODEL, token: str = "", port: int = 0, classifies: bool = False) -> None:
        self.model, self.token, self._port, self.classifies = model, token, port, classifies
        self.by_token = self.by_priority = False
        self.trouble: str | int = ""
        self.headers: dict[str, str] = {}  # sent with a trouble
        self.times: int | None = None  # how many requests the trouble lasts; None: until changed
        self.answers: int | None = None
        self.chat_template = ""  # with %s in it; none: it does not tokenize
        self.bodies: list[Mapping[str, Any]] = []
        self.open = self.most_open = self.cancelled = 0
        self.hold: asyncio.Event | None = None
        self.lanes: asyncio.Semaphore | None = None  # so many at a time are judged,
        self.takes = 0.0  # in so many seconds each

    async def __aenter__(self) -> Self:
        app = web.Application()
        if self.classifies:
            app.router.add_post("/{kind:classify}", self._serve)
        else:
            app.router.add_post("/v1/{kind:completions|chat/completions}", self._serve)
        app.router.add_post("/tokenize", self._tokenize)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            async with self.lanes or nullcontext():
                await asyncio.sleep(self.takes)
                return await self._answer(request, body)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.open -= 1

    async def _tokenize(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not self.chat_template:
            return web.json_response({"detail": "Not Found"}, status=404)
        text = body["prompt"] if "prompt" in body else self.chat_template % body["messages"][0]["content"]
        return web.json_response({"count": len(text), "tokens": [*map(ord, text)], "token_strs": [*text]})

    async def _answer(self, request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
        if self.hold:
            await self.hold.wait()
        if self.answers is not None:
            self.answers -= 1
            if self.answers < 0:
                await asyncio.Event().wait()
        trouble = self.trouble
        if self.times is not None:
            self.times -= 1
            trouble = trouble if self.times >= 0 else ""
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        if body["model"] != self.model:
            message = f"The model `{body['model']}` does not exist."
            error = {"message": message, "type": "NotFoundError", "param": "model", "code": 404}
            return web.json_response({"error": error}, status=404)
        match trouble:
            case int():
                return web.json_response({"detail": "trouble"}, status=trouble, headers=self.headers)
            case "hang":
                await asyncio.Event().wait()
            case "garbage":
                return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
            case "bomb":
                return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"})
            case "empty":
                return web.json_response({"choices": []})
        if body.get("priority") and not self.by_priority:
            return web.json_response({"error": {"message": "got a priority"}}, status=400)
        if self.classifies:
            classes = [_class(n, text, trouble, by_token=self.by_token) for n, text in enumerate(body["input"])]
            return web.json_response({"data": classes[::-1]})
        is_chat = "chat" in request.match_info["kind"]
        texts = ["\n".join(message["content"] for message in body["messages"])] if is_chat else body["prompt"]
        if len(texts) > 1 and any("너무 긴" in text for text in texts if isinstance(text, str)):
            return web.json_response({"error": {"message": "too long"}}, status=400)
        choices = [
            {"index": index} | _choice(text, body, chat=is_chat, trouble=str(trouble))
            for index, text in enumerate(texts)
        ]
        return web.json_response({"choices": choices[::-1]})  # a client must go by the index


def _class(index: int, prompt: str, trouble: str | int, *, by_token: bool) -> dict[str, Any]:
    """As `vllm serve --convert classify` answers without activation: from two tokens one number, the log-odds; where it
    does not process them further, the logit of each, here of the labels and of all that is none."""
    likely = _choice(prompt, {"max_tokens": 1}, chat=False, trouble=str(trouble))["logprobs"]["top_logprobs"][0]
    no, yes = likely[" no"], likely[" yes"]
    others = math.log(max(1 - math.exp(no) - math.exp(yes), 1e-9))
    numbers = [no + 5, yes + 5, others + 5] if by_token else [yes - no]
    return {"index": index, "label": None, "probs": numbers, "num_classes": len(numbers)}


def _choice(prompt: str, body: Mapping[str, Any], *, chat: bool, trouble: str) -> dict[str, Any]:
    answer = prompt.partition("\nAI assistant:\n")[2] if "\nAI assistant:\n" in prompt else None
    places = _places(prompt.partition("\nAI assistant:\n")[0], answer)
    if forced := prompt.endswith(_ANCHORS):
        places = [place for place in places if len(place[1]) == 2]
        places = [places[next(n for n, anchor in enumerate(_ANCHORS) if prompt.endswith(anchor))]]
    if trouble == "nonsense" or "이상한" in prompt:
        places = [("나는", {}), (" 곰", {}), ("이다", {})]
    if trouble == "unsure":
        places = [(token, {word: chance / 4 for word, chance in likely.items()}) for token, likely in places]
    if trouble in ("nan", "inf"):
        places = [(token, dict.fromkeys(likely, math.exp(float(trouble)))) for token, likely in places]
    truncated = len(places) > body["max_tokens"] or forced
    places = places[: body["max_tokens"]]
    text = "".join(token for token, _ in places)
    if not truncated:
        places.append(("<|eot_id|>", {"<|eot_id|>": 1.0}))  # reported as a token, left out of the text
    content: list[dict[str, Any]] = [
        {
            "token": token,
            "logprob": _log(likely.get(token, 1.0)),
            "top_logprobs": [{"token": word, "logprob": _log(chance)} for word, chance in likely.items()],
        }
        for token, likely in places
    ]
    ending: dict[str, Any] = {"finish_reason": "length" if truncated else "stop"}
    if chat:
        return ending | {"message": {"role": "assistant", "content": text}, "logprobs": {"content": content}}
    logprobs = {
        "tokens": [token for token, _ in places],
        "token_logprobs": [place["logprob"] for place in content],
        "top_logprobs": [{top["token"]: top["logprob"] for top in place["top_logprobs"]} for place in content],
    }
    return ending | {"text": text, "logprobs": logprobs}


def _places(prompt: str, answer: str | None) -> list[tuple[str, dict[str, float]]]:
    """The tokens of the right answer, each with the likely tokens in its place."""
    harmful = "나쁜" in prompt
    labels = {"Harmful request": harmful}
    if answer is not None:
        refused = "죄송" in answer
        labels |= {"Response refusal": refused, "Harmful response": "나쁜" in answer and not refused}
    places: list[tuple[str, dict[str, float]]] = []
    for name, said in labels.items():
        words = ("\n" if places else "") + name + ":"
        places += [(piece, {piece: 1.0}) for piece in words.replace(" ", "| ").split("|")]
        likely = {" yes": SURE if said else 1 - SURE, " no": 1 - SURE if said else SURE}
        places.append((" yes" if said else " no", likely))
    return places


def _log(chance: float) -> float:
    return math.log(chance) if chance else -9999.0
