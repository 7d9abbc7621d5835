"""The guards, declared, long because each is: the templates shipped beside this file in, a dialect for each guard out.

What was not checked on a guard's own tokenizer stands in its dialect's `unverified`, and in the capability table.
Contexts: 2,048 tokens where a guard was trained so; the stated one elsewhere. Windows leave room for the template and
the answer, and stay at 8,000 tokens where more would fit, since nobody has measured these guards on longer texts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from adapters.guards.dialects import canaries
from adapters.guards.dialects.dialect import Category, Dialect, capability
from adapters.guards.dialects.question import Field, Form, Label
from adapters.guards.dialects.weights import WEIGHTS
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Task

_TEMPLATES: dict[str, str] = {
    key: entry["text"]
    for key, entry in json.loads(files(__package__).joinpath("templates.json").read_text(encoding="utf-8")).items()
}

PROMPT_HARM, REFUSAL, RESPONSE_HARM = Task.PROMPT_HARM, Task.RESPONSE_REFUSAL, Task.RESPONSE_HARM

_NO_YES = (Label(" no"), Label(" yes", positive=True))
_SAFE_UNSAFE = (Label("safe"), Label("unsafe", positive=True))
_GENERATE = (("add_generation_prompt", True),)
_TURNS = {"prompt": (("user", "{prompt}"),), "response": (("user", "{prompt}"), ("assistant", "{response}"))}
_END_OF_LINE = r"[^\S\n]*(?=\n|\Z)"


def _categories(names: Mapping[str, str], kinds: Mapping[str, HarmKind]) -> dict[str, Category]:
    """By code; those without a kind are harm of no kind that we know."""
    if unknown := kinds.keys() - set(names.values()):
        raise ValueError(f"not the guard's own words: {sorted(unknown)}")
    return {code: Category(name, kinds.get(name, HarmKind.UNSPECIFIED)) for code, name in names.items()}


# --- WildGuard's three lines: wildguard-ko, wildguard, ksafeguard ----------------------------------------------------

_REQUEST = Field("harmful_request", "Harmful request:", _NO_YES, PROMPT_HARM)
_REQUEST_BESIDE_A_RESPONSE = replace(_REQUEST, task=None)  # not stable: it follows the response, see Dialect
_REFUSAL = Field("response_refusal", "\nResponse refusal:", _NO_YES, REFUSAL)
_RESPONSE = Field("harmful_response", "\nHarmful response:", _NO_YES, RESPONSE_HARM)

_ONE_LINE = re.compile(r"\A\s*Harmful request: (?P<harmful_request>yes|no)" + _END_OF_LINE)
_THREE_LINES = re.compile(
    r"\A\s*Harmful request: (?P<harmful_request>yes|no)"
    r"\nResponse refusal: (?P<response_refusal>yes|no)"
    r"\nHarmful response: (?P<harmful_response>yes|no)" + _END_OF_LINE
)
# (request, refusal, response) in 6,050 outputs of wildguard-ko (K-OverRefusal@22c61e6); no other combination occurs.
_TRIPLES = frozenset(
    {("no", "no", "no"), ("yes", "yes", "no"), ("no", "yes", "no"), ("yes", "no", "no"), ("yes", "no", "yes")}
)
_WILDGUARD_SECTIONS = ("Human user", "AI assistant", "Harmful request", "Response refusal", "Harmful response")


def _wildguard_forms(
    prompt: str,
    response: str,
    sources: Sequence[tuple[str, ...]],
    *,
    chat: bool = False,
    card: tuple[str, str] = ("", ""),
    max_tokens: int = 20,
    seen: frozenset[tuple[str, ...]] = frozenset(),
) -> tuple[Form, Form]:
    """The two forms of a guard that writes WildGuard's lines: from whole templates (`card`: the user turns in them), or
    (`chat`) from user turns."""
    answers = (((_REQUEST,), _ONE_LINE), ((_REQUEST_BESIDE_A_RESPONSE, _REFUSAL, _RESPONSE), _THREE_LINES))
    of_prompt, of_response = (
        Form(
            name=name,
            template="" if chat else text,
            card=(("user", turn),) if turn else (),
            turns=(("user", text),) if chat else (),
            arguments=_GENERATE if chat else (),
            fields=fields,
            answer=answer,
            max_tokens=max_tokens,
            stop=("\n\n",),
            seen=seen if name == "response" else frozenset(),
            sources=keys,
        )
        for name, text, turn, keys, (fields, answer) in zip(
            ("prompt", "response"), (prompt, response), card, sources, answers, strict=True
        )
    )
    return of_prompt, of_response


_SEED = _TEMPLATES["seed.prompt"], _TEMPLATES["seed.response"]


def _wildguard_ko(name: str, wrap: str = "", *, trim: bool = False, unverified: tuple[str, ...]) -> Dialect:
    """`wrap`: what stands around the card's text; without it that is the tokenizer's to say. `trim`: the wrapping trims
    its content, so the response template loses its last newline."""

    def wrapped(content: str) -> str:
        text = _TEMPLATES[wrap].replace("{date_string}", "26 Jul 2024")
        return text.replace("{content|trim}" if trim else "{content}", content.strip() if trim else content)

    prompt, response = map(wrapped, _SEED) if wrap else _SEED
    sources = tuple((key, wrap) if wrap else (key,) for key in ("seed.prompt", "seed.response"))
    return Dialect(
        name=name,
        model="iknow-lab/llama-3.2-3B-wildguard-ko-2410",
        korean=True,
        context=2048,
        window=1900,
        forms=_wildguard_forms(
            prompt, response, sources, chat=not wrap, card=_SEED if wrap else ("", ""), seen=_TRIPLES
        ),
        sections=_WILDGUARD_SECTIONS,
        categories={},
        unverified=unverified,
        canaries=canaries.WILDGUARD_KO,
    )


_WILDGUARD_KO = _wildguard_ko(
    "wildguard-ko",
    "seed.wrap.trained",
    trim=False,
    unverified=(
        "that the published tokenizer has Llama 3's vocabulary (labels checked on that vocabulary)",
        "which bytes the published tokenizer's chat template makes of the card's chat(): compared at start",
    ),
)

# The wrapping that `LLM.chat` gives it if its tokenizer carries the stock Llama 3.2 template. The date is pinned: a new
# one every midnight would move scores and void every cached prefix.
_WILDGUARD_KO_STOCK = _wildguard_ko(
    "wildguard-ko-stock",
    "seed.wrap.stock_llama32",
    trim=True,
    unverified=("that the published tokenizer carries this template",),
)

# The card's own `chat()`: whatever the published tokenizer makes of its text.
_WILDGUARD_KO_CHAT = _wildguard_ko("wildguard-ko-chat", unverified=("chat template: which bytes it makes of the text",))

# A raw completion prompt, not the tokenizer's chat template. Without a response its place stays empty, as upstream.
_WILDGUARD_7B = "<s>" + _TEMPLATES["wildguard7b"]

_WILDGUARD = Dialect(
    name="wildguard",
    model="allenai/wildguard",
    korean=False,
    context=4096,
    window=3800,
    forms=_wildguard_forms(
        _WILDGUARD_7B.replace("{response}", ""), _WILDGUARD_7B, (("wildguard7b",), ("wildguard7b",)), max_tokens=48
    ),
    sections=(*_WILDGUARD_SECTIONS, "Answers"),
    categories={},
    unverified=(
        "trained length",
        "that yes and no are single tokens",
        "which of <|user|>, [INST], <|assistant|> are control tokens",
    ),
)

# It has wildguard-ko's response template and no published prompt-only one: an empty response, as in WildGuard.
_KSAFEGUARD = Dialect(
    name="ksafeguard",
    model="MarkrAI/ksafeguard-8b",
    korean=True,
    context=2048,
    window=1900,
    forms=_wildguard_forms(
        _TEMPLATES["ksafeguard"].replace("{response}", ""),
        _TEMPLATES["ksafeguard"],
        (("ksafeguard",), ("ksafeguard",)),
        chat=True,
    ),
    sections=_WILDGUARD_SECTIONS,
    categories={},
    unverified=("chat template", "prompt-only form", "context", "labels as single tokens"),
)

# --- Llama Guard's categories: llama-guard-3, polyguard --------------------------------------------------------------

_MLCOMMONS_KINDS = {
    "Violent Crimes": HarmKind.VIOLENCE,
    "Non-Violent Crimes": HarmKind.DANGEROUS,
    "Sex Crimes": HarmKind.SEXUAL,
    "Child Exploitation": HarmKind.GROOMING,
    "Defamation": HarmKind.ABUSE,
    "Privacy": HarmKind.DOXXING,
    "Indiscriminate Weapons": HarmKind.DANGEROUS,
    "Hate": HarmKind.HATE,
    "Self-Harm": HarmKind.SELF_HARM,
    "Sexual Content": HarmKind.SEXUAL,
    "Code Interpreter Abuse": HarmKind.DANGEROUS,
}
_MLCOMMONS = _categories(
    dict(re.findall(r"^(S\d+): (.+?)\.?$", _TEMPLATES["polyguard.system"], flags=re.MULTILINE)), _MLCOMMONS_KINDS
)
_CODES = r"S\d{1,2}(?:,S\d{1,2})*"


def _llama_guard_3(size: str, categories: dict[str, Category], context_notes: tuple[str, ...]) -> Dialect:
    return Dialect(
        name=f"llama-guard-3-{size}",
        model=f"meta-llama/Llama-Guard-3-{size.upper()}",
        korean=False,
        context=131_072,
        window=8000,
        forms=tuple(
            Form(
                name=kind,
                template=_TEMPLATES[f"llamaguard3_{size}.{kind}"],
                card=_TURNS[kind] if size == "8b" else (),  # the smaller one's wants its texts in parts
                sources=(f"llamaguard3_{size}.{kind}",),
                max_tokens=100,
                fields=(Field("safety", "\n\n", _SAFE_UNSAFE, task),),
                answer=re.compile(rf"\A\s*(?P<safety>safe|unsafe)(?:\n(?P<categories>{_CODES}))?\s*\Z"),
            )
            for kind, task in (("prompt", PROMPT_HARM), ("response", RESPONSE_HARM))
        ),
        sections=("User", "Agent"),
        categories=categories,
        unverified=("template", "that the first generated token is a blank line", *context_notes),
    )


_LLAMA_GUARD_3_8B = _llama_guard_3("8b", _MLCOMMONS, ())
_LLAMA_GUARD_3_1B = _llama_guard_3(
    "1b",
    {code: category for code, category in _MLCOMMONS.items() if code != "S14"},
    ("line breaks and the space before the end of the prompt",),
)

_POLYGUARD_LINES = (
    r"\A\s*Harmful request: (?P<harmful_request>yes|no)\nRequest safety violations: (?P<categories>[^\n]+)",
    r"\A\s*Harmful request: (?P<harmful_request>yes|no)\nRequest safety violations: [^\n]+"
    r"\nResponse refusal: (?P<response_refusal>yes|no)\nResponse safety violations: (?P<categories>[^\n]+)"
    r"\nHarmful response: (?P<harmful_response>yes|no)",
)

# Without a response upstream sends an empty one and overwrites what is said about it: only the first two lines count.
_POLYGUARD = Dialect(
    name="polyguard",
    model="ToxicityPrompts/PolyGuard-Qwen",
    korean=True,
    context=32_768,
    window=8000,
    forms=tuple(
        Form(
            name=kind,
            sources=("polyguard.system", "polyguard.user"),
            max_tokens=100,
            turns=(("system", _TEMPLATES["polyguard.system"]), ("user", user)),
            arguments=_GENERATE,
            fields=fields,
            answer=re.compile(lines + _END_OF_LINE),
        )
        for kind, user, fields, lines in (
            ("prompt", _TEMPLATES["polyguard.user"].replace("{response}", ""), (_REQUEST,), _POLYGUARD_LINES[0]),
            (
                "response",
                _TEMPLATES["polyguard.user"],
                (_REQUEST_BESIDE_A_RESPONSE, replace(_REFUSAL, anchor=None), replace(_RESPONSE, anchor=None)),
                _POLYGUARD_LINES[1],
            ),
        )
    ),
    sections=(*_WILDGUARD_SECTIONS, "Request safety violations", "Response safety violations"),
    categories=_MLCOMMONS,
    unverified=("context", "chat template of each size"),
)

# --- ShieldGemma: one policy a pass, the highest score counts --------------------------------------------------------

_SHIELDGEMMA_POLICIES = {
    "dangerous_content": Category("Dangerous Content", HarmKind.DANGEROUS),
    "harassment": Category("Harassment", HarmKind.ABUSE),
    "hate_speech": Category("Hate Speech", HarmKind.HATE),
    "sexually_explicit": Category("Sexually Explicit Information", HarmKind.SEXUAL),
}


def _shieldgemma_form(kind: str, policy: str, task: Task) -> Form:
    template = (
        _TEMPLATES[f"shieldgemma.{kind}"]
        .replace("{harm_text}", _TEMPLATES[f"shieldgemma.policy.{kind}.{policy}"])
        .replace("{user_content}", "{prompt}")
        .replace("{model_content}", "{response}")
    )
    labels = (Label("No"), Label("Yes", positive=True, category=policy))
    return Form(
        name=f"{kind}.{policy}",
        template="<bos>" + template,
        sources=(f"shieldgemma.{kind}", f"shieldgemma.policy.{kind}.{policy}"),
        max_tokens=1,
        fields=(Field("violation", "", labels, task),),
        answer=re.compile(r"\A\s*(?P<violation>Yes|No)\b"),
    )


_SHIELDGEMMA = Dialect(
    name="shieldgemma",
    model="google/shieldgemma-9b",
    korean=False,
    context=8192,
    window=7500,
    forms=tuple(
        _shieldgemma_form(kind, policy, task)
        for kind, task in (("prompt", PROMPT_HARM), ("response", RESPONSE_HARM))
        for policy in _SHIELDGEMMA_POLICIES
    ),
    sections=("Human Question", "Chatbot Response", "Our safety principle is defined in the below"),
    categories=_SHIELDGEMMA_POLICIES,
    unverified=("line breaks of the template", "spelling of Yes and No as tokens"),
)

# --- KoSafeGuard: the response only ----------------------------------------------------------------------------------

_KOSAFEGUARD = Dialect(
    name="kosafeguard",
    model="heegyu/KoSafeGuard-8b-0503",
    korean=True,
    context=2048,
    window=1200,  # the policy in its template takes 700 tokens of the trained length
    forms=(
        Form(
            name="response",
            sources=("kosafeguard",),
            max_tokens=8,
            turns=(
                (
                    "user",
                    _TEMPLATES["kosafeguard"].replace("{conversation}", "User: {prompt}\n\nAssistant: {response}"),
                ),
            ),
            arguments=_GENERATE,
            fields=(Field("safety", "", _SAFE_UNSAFE, RESPONSE_HARM),),
            answer=re.compile(r"\A\s*(?P<safety>safe|unsafe)\b"),
        ),
    ),
    sections=("User", "Assistant"),
    categories={},
    unverified=("chat template", "labels as single tokens"),
)

# --- Qwen3Guard: three grades in two tiers ---------------------------------------------------------------------------

_QWEN3GUARD_CATEGORIES = tuple(
    re.findall(
        r"^(.+)\.$",
        _TEMPLATES["qwen3guard.prompt"].split("CATEGORIES>\n")[1].split("<END")[0],
        flags=re.MULTILINE,
    )
)
_QWEN3GUARD_KINDS = {
    "Violent": HarmKind.VIOLENCE,
    "Non-violent Illegal Acts": HarmKind.DANGEROUS,
    "Sexual Content or Sexual Acts": HarmKind.SEXUAL,
    "PII": HarmKind.DOXXING,
    "Suicide & Self-Harm": HarmKind.SELF_HARM,
    "Unethical Acts": HarmKind.ABUSE,
    "Jailbreak": HarmKind.DANGEROUS,
}
_QWEN3GUARD_LINES = r"\A\s*Safety: (?P<safety>Safe|Unsafe|Controversial)\nCategories: (?P<categories>[^\n]+)"


def _qwen3guard(name: str, *, strict: bool) -> Dialect:
    grades = (Label(" Safe"), Label(" Controversial", positive=strict), Label(" Unsafe", positive=True))
    refusal = Field("refusal", None, (Label(" No"), Label(" Yes", positive=True)), REFUSAL)
    return Dialect(
        name=name,
        model="Qwen/Qwen3Guard-Gen-4B",
        korean=True,
        context=32_768,
        window=8000,
        forms=(
            Form(
                name="prompt",
                template=_TEMPLATES["qwen3guard.prompt"],
                card=_TURNS["prompt"],
                sources=("qwen3guard.prompt",),
                max_tokens=64,
                fields=(Field("safety", "Safety:", grades, PROMPT_HARM),),
                answer=re.compile(_QWEN3GUARD_LINES + _END_OF_LINE),
            ),
            Form(
                name="response",
                template=_TEMPLATES["qwen3guard.response"],
                card=_TURNS["response"],
                sources=("qwen3guard.response",),
                max_tokens=64,
                fields=(Field("safety", "Safety:", grades, RESPONSE_HARM), refusal),
                answer=re.compile(_QWEN3GUARD_LINES + r"\nRefusal: (?P<refusal>Yes|No)" + _END_OF_LINE),
            ),
        ),
        sections=("USER", "ASSISTANT", "Safety", "Categories", "Refusal"),
        categories=_categories(
            dict(zip(_QWEN3GUARD_CATEGORIES, _QWEN3GUARD_CATEGORIES, strict=True)), _QWEN3GUARD_KINDS
        ),
        unverified=("template", "that the first pieces of the three grades differ"),
    )


_QWEN3GUARD = _qwen3guard("qwen3guard", strict=True)  # Controversial is harmful
_QWEN3GUARD_LOOSE = _qwen3guard("qwen3guard-loose", strict=False)  # Controversial is not

# --- Kanana Safeguard: one control token -----------------------------------------------------------------------------

_KANANA_CATEGORIES = {
    "S1": Category("Hate", HarmKind.HATE),
    "S2": Category("Harassment", HarmKind.ABUSE),
    "S3": Category("Sexual Content", HarmKind.SEXUAL),
    "S4": Category("Crime", HarmKind.DANGEROUS),
    "S5": Category("Child Sexual Abuse", HarmKind.GROOMING),
    "S6": Category("Self-Harm", HarmKind.SELF_HARM),
    "S7": Category("Misinformation"),
}
_KANANA_LABELS = (
    Label("<SAFE>"),
    *(Label(f"<UNSAFE-{code}>", positive=True, category=code) for code in _KANANA_CATEGORIES),
)

_KANANA = Dialect(
    name="kanana-safeguard",
    model="kakaocorp/kanana-safeguard-8b",
    korean=True,
    context=4096,
    window=3500,
    forms=tuple(
        Form(
            name=kind,
            max_tokens=1,
            special_answer=True,
            turns=(("user", "{prompt}"), ("assistant", assistant)),
            arguments=(("add_generation_prompt", False),),  # the card's quick start; other public code sets it
            fields=(Field("verdict", "", _KANANA_LABELS, task),),
            answer=re.compile(r"\A\s*(?P<verdict><SAFE>|<UNSAFE-S[1-7]>)"),
        )
        for kind, assistant, task in (("prompt", "", PROMPT_HARM), ("response", "{response}", RESPONSE_HARM))
    ),
    sections=(),
    categories=_KANANA_CATEGORIES,
    unverified=("chat template and add_generation_prompt", "context", "control tokens"),
)

# --- Nemotron 3 Content Safety ---------------------------------------------------------------------------------------

_NEMOTRON_CATEGORIES = (
    "Violence",
    "Sexual",
    "Criminal Planning/Confessions",
    "Guns and Illegal Weapons",
    "Controlled/Regulated Substances",
    "Suicide and Self Harm",
    "Sexual (minor)",
    "Hate/Identity Hate",
    "PII/Privacy",
    "Harassment",
    "Threat",
    "Profanity",
    "Needs Caution",
    "Other",
    "Manipulation",
    "Fraud/Deception",
    "Malware",
    "High Risk Gov Decision Making",
    "Political/Misinformation/Conspiracy",
    "Copyright/Trademark/Plagiarism",
    "Unauthorized Advice",
    "Illegal Activity",
    "Immoral/Unethical",
)
_NEMOTRON_KINDS = {
    "Violence": HarmKind.VIOLENCE,
    "Sexual": HarmKind.SEXUAL,
    "Criminal Planning/Confessions": HarmKind.DANGEROUS,
    "Guns and Illegal Weapons": HarmKind.DANGEROUS,
    "Controlled/Regulated Substances": HarmKind.DANGEROUS,
    "Suicide and Self Harm": HarmKind.SELF_HARM,
    "Sexual (minor)": HarmKind.GROOMING,
    "Hate/Identity Hate": HarmKind.HATE,
    "PII/Privacy": HarmKind.DOXXING,
    "Harassment": HarmKind.ABUSE,
    "Threat": HarmKind.THREAT,
    "Profanity": HarmKind.ABUSE,
    "Fraud/Deception": HarmKind.FRAUD,
    "Malware": HarmKind.DANGEROUS,
    "Illegal Activity": HarmKind.DANGEROUS,
}
_SPACED_SAFE_UNSAFE = (Label(" safe"), Label(" unsafe", positive=True))
_USER_SAFETY = Field("user_safety", "User Safety:", _SPACED_SAFE_UNSAFE, PROMPT_HARM)
_RESPONSE_SAFETY = Field("response_safety", "\nResponse Safety:", _SPACED_SAFE_UNSAFE, RESPONSE_HARM)
_NEMOTRON_CATEGORY_LINE = r"(?:\nSafety Categories: (?P<categories>[^\n]+))?"

_NEMOTRON_3 = Dialect(
    name="nemotron-3-content-safety",
    model="nvidia/Nemotron-3-Content-Safety",
    korean=True,
    context=131_072,
    window=8000,
    forms=tuple(
        Form(
            name=kind,
            max_tokens=100,
            turns=turns,
            arguments=(("add_generation_prompt", True), ("request_categories", "/categories")),
            fields=fields,
            answer=re.compile(lines + _NEMOTRON_CATEGORY_LINE + _END_OF_LINE),
        )
        for kind, turns, fields, lines in (
            ("prompt", (("user", "{prompt}"),), (_USER_SAFETY,), r"\A\s*User Safety: (?P<user_safety>safe|unsafe)"),
            (
                "response",
                (("user", "{prompt}"), ("assistant", "{response}")),
                (replace(_USER_SAFETY, task=None), _RESPONSE_SAFETY),
                r"\A\s*User Safety: (?P<user_safety>safe|unsafe)\nResponse Safety: (?P<response_safety>safe|unsafe)",
            ),
        )
    ),
    sections=("User Safety", "Response Safety", "Safety Categories"),
    categories=_categories({one: one for one in _NEMOTRON_CATEGORIES}, _NEMOTRON_KINDS),
    unverified=("chat template and its argument", "output lines", "names of the categories"),
)

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        _WILDGUARD_KO,
        _WILDGUARD_KO_STOCK,
        _WILDGUARD_KO_CHAT,
        _WILDGUARD,
        _LLAMA_GUARD_3_8B,
        _LLAMA_GUARD_3_1B,
        _SHIELDGEMMA,
        _KOSAFEGUARD,
        _KSAFEGUARD,
        _QWEN3GUARD,
        _QWEN3GUARD_LOOSE,
        _KANANA,
        _POLYGUARD,
        _NEMOTRON_3,
    )
}

#: The guard that Jikimi is built around.
DEFAULT = "wildguard-ko"


def capabilities() -> list[dict[str, Any]]:
    """The capability table, one JSON-ready row a dialect, the default first."""
    return [
        capability(dialect) | {**WEIGHTS[dialect.name].shown(dialect.served_context), "serve": dialect.serve()}
        for dialect in DIALECTS.values()
    ]
