"""A small LLM bot that neither takes up nor says anything harmful. Needs JIKIMI_URL and JIKIMI_KEY."""

import os

import httpx

SORRY = "그 말에는 답하지 않을게요."
CARE = "많이 힘드셨겠어요. 혼자 견디지 않으셔도 됩니다. 자살예방 상담전화 109 에서 24시간 이야기를 들어 줍니다."

jikimi = httpx.Client(
    base_url=os.environ["JIKIMI_URL"], headers={"Authorization": f"Bearer {os.environ['JIKIMI_KEY']}"}, timeout=10
)


def answer(prompt: str) -> str:
    return f"‘{prompt}’ 말씀이시군요!"  # your model speaks here


def objection(prompt: str, response: str | None = None) -> str | None:
    """What to say instead; None where nothing was found."""
    try:
        verdict = jikimi.post("/v1/check", json={"prompt": prompt, "response": response}).raise_for_status().json()
    except httpx.HTTPError:
        return SORRY  # nobody can say: that is not "safe"
    if "self_harm" in verdict["harm"]:
        return CARE
    return None if verdict["flagged"] is False else SORRY


while prompt := input():
    said = objection(prompt)
    if said is None:
        response = answer(prompt)
        said = objection(prompt, response) or response
    print(said, flush=True)
