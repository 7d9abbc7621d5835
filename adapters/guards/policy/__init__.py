"""A language model that reads rules which people have written for people: a text and the rules in, an opinion out."""

from adapters.guards.policy.guard import MODEL, ChatForm, Form, ModelGuard

__all__ = ["MODEL", "ChatForm", "Form", "ModelGuard"]
