"""A small LLM bot that neither takes up nor says anything harmful. Needs JIKIMI_URL and JIKIMI_KEY."""

import os
import sys

import httpx

SORRY = "그 말에는 답하지 않을게요."
LATER = "지금은 답할 수 없어요. 잠시 뒤에 다시 말해 주세요. 힘들 때는 자살예방 상담전화 109에 언제든 걸 수 있어요."
CARE = "많이 힘드셨겠어요. 혼자 견디지 않으셔도 됩니다. 자살예방 상담전화 109에서 24시간 이야기를 들어 줍니다."

jikimi = httpx.Client(
    base_url=os.environ["JIKIMI_URL"], headers={"Authorization": f"Bearer {os.environ['JIKIMI_KEY']}"}, timeout=10
)


def answer(prompt: str) -> str:
    return f"‘{prompt}’ 말씀이시군요!"  # your model speaks here


def objection(prompt: str, response: str | None = None) -> str | None:
    """What to say instead; None where nothing was found."""
    try:
        verdict = jikimi.post("/v1/check", json={"prompt": prompt, "response": response}).raise_for_status().json()
        flagged, harm = verdict["flagged"], set(verdict["harm"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return LATER  # nobody can say: that is not "safe"
    if "self_harm" in harm:
        return CARE
    return None if flagged is False else SORRY


for prompt in map(str.strip, sys.stdin):
    said = objection(prompt)
    if said is None:
        response = answer(prompt)
        said = objection(prompt, response) or response
    print(said, flush=True)
