"""Prompts as token ids, whatever engine takes them."""

import asyncio
from types import SimpleNamespace

from tokenizers import Tokenizer, models, pre_tokenizers

from adapters.guards.dialects import Piece
from adapters.guards.vllm_tokens import Ids, Prompts

WORDS = ["<|end|>", "글", "하나", "Harmful:", "no"]


def test_what_comes_again_with_more_behind_it_is_tokenised_once() -> None:
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="글"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    added = {0: SimpleNamespace(content="<|end|>", special=True)}
    prompts = Prompts(SimpleNamespace(backend_tokenizer=backend, added_tokens_decoder=added, unk_token_id=None))
    asked, known = (Piece("글 하나", trusted=False), Piece("<|end|>", trusted=True)), dict[str, Ids]()

    async def check() -> None:
        first = [*asked, Piece("Harmful:", trusted=True)]
        assert await prompts.encode([first], known) == [[1, 2, 0, 3]]
        assert set(known) == {"글 하나", "Harmful:"}
        known["글 하나"] = [9]  # what nobody could find again
        assert await prompts.encode([[*asked, Piece("Harmful: no", trusted=True)]], known) == [[9, 0, 3, 4]]

    asyncio.run(check())
