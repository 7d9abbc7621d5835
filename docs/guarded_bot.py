"""A small LLM bot that neither takes up nor says anything harmful. Needs JIKIMI_URL and JIKIMI_KEY."""

import os

import httpx

jikimi = httpx.Client(
    base_url=os.environ["JIKIMI_URL"], headers={"Authorization": f"Bearer {os.environ['JIKIMI_KEY']}"}
)


def answer(prompt: str) -> str:
    return f"‘{prompt}’ 말씀이시군요!"  # your model speaks here


def is_fine(prompt: str, response: str | None = None) -> bool:
    verdict = jikimi.post("/v1/check", json={"prompt": prompt, "response": response})
    return verdict.status_code == 200 and verdict.json()["flagged"] is False  # anything else is not "safe"


while prompt := input():
    response = answer(prompt) if is_fine(prompt) else ""
    print(response if response and is_fine(prompt, response) else "그 말에는 답하지 않을게요.", flush=True)
