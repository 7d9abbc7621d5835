"""Instructions and a text -> the tokens of a harmony conversation; tokens that a model has written -> its last word.

openai-harmony does both. It wants OpenAI's vocabulary (o200k_base.tiktoken), which it would download: here it lies in a
folder, or there is no harmony.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.guards.policy.guard import MOST_TOKENS
from adapters.guards.vllm_replicas import Ways
from bot.core.base.errors import Broken

NOT_INSTALLED = 'openai-harmony is not installed: pip install "jikimi[policy]"'
VOCABULARY = "o200k_base.tiktoken"


class HarmonyForm:
    """`vocabulary`: the folder in which it lies. Raises `Broken` where it does not, or the library is not installed."""

    name = "harmony"

    def __init__(self, vocabulary: Path) -> None:
        if not (vocabulary / VOCABULARY).is_file():
            raise Broken(
                "[house_rules] vocabulary: {vocabulary} has no {file}; nothing is downloaded",
                vocabulary=vocabulary,
                file=VOCABULARY,
            )
        os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(vocabulary)
        try:
            import openai_harmony as harmony
        except ImportError:
            raise Broken(NOT_INSTALLED) from None
        self._harmony = harmony
        try:
            self._encoding = harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)
        except Exception as error:  # of the library, whatever is wrong with the file
            raise Broken("[house_rules] vocabulary: {file}: {why}", file=vocabulary / VOCABULARY, why=error) from None

    def ways(self, model: str, told: str, asked: str) -> Sequence[Ways]:
        body = {
            "model": model,
            "prompt": self.rendered(told, asked),
            "temperature": 0,
            "max_tokens": MOST_TOKENS,
            "stop_token_ids": sorted(self._encoding.stop_tokens_for_assistant_actions()),
            "skip_special_tokens": False,
            "return_token_ids": True,
        }
        return [[("/v1/completions", body)]]

    def rendered(self, told: str, asked: str) -> list[int]:
        """Whatever looks like a control token in either is text."""
        of = self._harmony
        system = of.SystemContent.new().with_reasoning_effort(of.ReasoningEffort.LOW)
        developer = of.DeveloperContent.new().with_instructions(told)
        parts = ((of.Role.SYSTEM, system), (of.Role.DEVELOPER, developer), (of.Role.USER, asked))
        messages = [of.Message.from_role_and_content(role, content) for role, content in parts]
        conversation = of.Conversation.from_messages(messages)
        return list(self._encoding.render_conversation_for_completion(conversation, of.Role.ASSISTANT))

    def is_control(self, token: int) -> bool:
        return bool(self._encoding.is_special_token(token))

    def answer(self, content: Mapping[str, Any]) -> str:
        choice = content["choices"][0]
        tokens = choice.get("token_ids") or self._encoding.encode(choice["text"], allowed_special="all")
        try:
            said = self._encoding.parse_messages_from_completion_tokens(tokens, self._harmony.Role.ASSISTANT)
        except Exception as error:  # of the library: a model may write anything
            raise ValueError("no harmony") from error
        (last,) = [message for message in said if message.channel == "final"]
        return "".join(part.text for part in last.content)
