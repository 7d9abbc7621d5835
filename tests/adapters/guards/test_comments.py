"""The model of comments catches what is disguised, leaves alone what is not, and is the same file for the same data."""

import asyncio
import gzip
import json
import os
import random
import threading
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from adapters.guards.embedded import CommentsGuard
from adapters.guards.embedded.features import STRIDE, WINDOW, features, rows
from adapters.guards.embedded.model import SHIPPED, Score
from adapters.guards.embedded.phrases import MUST_CATCH, MUST_LEAVE, TrickRate, phrase_rates
from adapters.guards.embedded.training.linear import TRAINING, TrainingReport, evaluate, held_out, train
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Exchange, Task, Unscreened, Verdict
from bot.core.text.views import canonical
from tests.servers.guards import shipped

PROJECT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("JIKIMI_DATA", PROJECT.parent / "shared" / "data")) / "korean"

GUARD = shipped.comments()
RATES = phrase_rates(
    lambda phrases: [score.probability for score in GUARD.model.score(phrases)], GUARD.thresholds["flag"]
)


def judge(*exchanges: Exchange) -> list[Verdict]:
    screenings = asyncio.run(_judge(exchanges))
    assert all(isinstance(screening, Verdict) for screening in screenings)
    return [screening for screening in screenings if isinstance(screening, Verdict)]


async def _judge(exchanges: Sequence[Exchange]) -> Sequence[Verdict | Unscreened]:
    return await GUARD.judge(exchanges)


def harm(text: str) -> float:
    (verdict,) = judge(Exchange(prompt=text))
    assert verdict.harm is not None
    return verdict.harm


# ---- phrases ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phrase", MUST_CATCH)
def test_a_disguise_that_must_be_caught(phrase: str) -> None:
    assert harm(phrase) >= GUARD.thresholds["flag"]


@pytest.mark.parametrize("phrase", MUST_LEAVE)
def test_an_innocent_phrase_that_must_be_left_alone(phrase: str) -> None:
    assert harm(phrase) < GUARD.thresholds["flag"]


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate.kind}-{rate.trick}")
def test_every_trick_reaches_its_rate(rate: TrickRate) -> None:
    assert rate.rate >= 0.9, rate.wrong


@pytest.mark.parametrize("kind", ["evasive", "innocent"])
def test_the_lists_are_long_enough_and_nearly_all_right(kind: str) -> None:
    right = sum(rate.right for rate in RATES if rate.kind == kind)
    total = sum(rate.total for rate in RATES if rate.kind == kind)
    assert total >= 150
    assert right / total >= 0.97


# ---- judging ----------------------------------------------------------------------------------------------------


def test_each_text_is_judged_as_what_it_is() -> None:
    prompt, both, response = judge(
        Exchange(prompt="안녕하세요"),
        Exchange(prompt="안녕하세요", response="씨발놈아"),
        Exchange(prompt=None, response="네"),
    )
    assert set(prompt.scores) == {Task.PROMPT_HARM}
    assert set(both.scores) == GUARD.tasks == {Task.PROMPT_HARM, Task.RESPONSE_HARM}
    assert set(response.scores) == {Task.RESPONSE_HARM}
    assert both.scores[Task.RESPONSE_HARM] > 0.9 > 0.2 > both.scores[Task.PROMPT_HARM]


def test_nothing_to_judge_is_not_called_safe() -> None:
    (screening,) = asyncio.run(_judge([Exchange(prompt=None)]))
    assert isinstance(screening, Unscreened)


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\ud800", "\x00", "a", "🙂", "\u202e", "ㅋ" * 5000])
def test_odd_texts_are_judged_and_harmless(text: str) -> None:
    assert harm(text) < GUARD.thresholds["flag"]


def test_a_batch_gives_what_single_calls_give() -> None:
    texts = [*MUST_CATCH, *MUST_LEAVE, "긴 글 " * 200, ""]
    together = [verdict.harm for verdict in judge(*(Exchange(prompt=text) for text in texts))]
    assert together == pytest.approx([harm(text) for text in texts])


def test_the_verdict_depends_on_the_canonical_text_alone() -> None:
    for text in [*MUST_CATCH, *MUST_LEAVE, "ㅋㅋㅋㅋㅋㅋㅋㅋ 씨\u200b발"]:
        assert harm(text) == pytest.approx(harm(canonical(text)))


def test_a_slur_is_not_diluted_by_a_hundred_thousand_characters() -> None:
    benign = "오늘 점심은 김치찌개를 먹었고 날씨가 참 좋네요 " * 2000
    for place in (0, 12_345, WINDOW - 2, STRIDE - 2, len(benign)):
        (verdict,) = judge(Exchange(prompt=f"{benign[:place]} 씨.발놈아 {benign[place:]}"))
        assert verdict.harm is not None
        assert verdict.harm >= GUARD.thresholds["flag"]
        assert verdict.windows == 1 + -(-(len(canonical(f"{benign} 씨.발놈아 ")) - WINDOW) // STRIDE)
    assert harm(benign) < GUARD.thresholds["flag"]


def test_windows_cover_every_character_and_overlap() -> None:
    for length in (1, WINDOW, WINDOW + 1, WINDOW + STRIDE, 1000):
        text = "".join(chr(0xAC00 + i) for i in range(length))
        plain = [row.text for row in rows(text) if row.view == "plain"]
        assert set("".join(plain)) == set(text)
        assert all(before[-(WINDOW - STRIDE) :] == after[: WINDOW - STRIDE] for before, after in pairwise(plain))


def test_evidence_says_what_was_read_and_in_which_view() -> None:
    opened, typed, harmless = judge(
        Exchange(prompt="씨.발 뭐래"), Exchange(prompt="너 tlqkf"), Exchange(prompt="점심 먹었어요")
    )
    assert any("씨발" in piece and "opened" in piece for piece in opened.evidence)
    assert any("시발" in piece and "typed" in piece for piece in typed.evidence)
    assert harmless.evidence == ()


def test_a_long_text_is_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[int] = []
    steps = GUARD.model.steps

    def watched(texts: Sequence[str], scores: list[Score]) -> Iterator[None]:
        where.append(threading.get_ident())
        yield from steps(texts, scores)

    monkeypatch.setattr(type(GUARD.model), "steps", lambda self, texts, scores: watched(texts, scores))
    judge(Exchange(prompt="짧은 글"))
    judge(Exchange(prompt="긴 글 " * 1_000))
    assert where[0] == threading.get_ident() != where[1]


def test_a_long_batch_lets_others_run() -> None:
    async def count() -> int:
        turns = 0
        judging = asyncio.create_task(_judge([Exchange(prompt="오늘 점심은 뭐 먹지 고민되네요")] * 5000))
        while not judging.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(count()) >= 10


# ---- the file ---------------------------------------------------------------------------------------------------


def test_the_shipped_file_is_small_free_of_pickle_and_carries_its_attribution() -> None:
    assert SHIPPED.stat().st_size <= 10 * 2**20
    with np.load(SHIPPED, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        assert all(file[name].dtype != object for name in file.files)
    assert "CC BY-SA 4.0" in about["licence"]
    licence = (SHIPPED.parent / "LICENSE-MODEL.md").read_text("utf-8")
    for corpus in TRAINING:
        assert about["trained_on"][corpus.name]["credit"] == corpus.credit
        assert f"`{corpus.name}`" in licence
    assert "https://creativecommons.org/licenses/by-sa/4.0/" in licence
    assert "Permission is hereby granted, free of charge" in licence


def test_the_version_names_the_file() -> None:
    assert GUARD.version.name == "embedded"
    assert len(GUARD.version.model) == 12
    assert 0 < GUARD.thresholds["flag"] < GUARD.thresholds["delete"] < 1


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not a model")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    for name in ("missing.npz", "text.npz", "empty.npz"):
        with pytest.raises(Broken, match=name):
            CommentsGuard(tmp_path / name)


# ---- training ---------------------------------------------------------------------------------------------------


def small_corpora(folder: Path, seed: int = 1) -> Path:
    """A few invented comments in every corpus, in the label words of each."""
    labels = {
        "beep_train": ("none", "hate"),
        "kmhas_valid": ("8", "3"),
        "kodoli": ("NOT", "OFFEN"),
        "curse": ("0", "1"),
        "kosbi_valid": ("safe", "unsafe"),
        "chatbot": ("benign", "benign"),
        "kmhas_test": ("8", "2,3"),
        "beep_dev": ("none", "offensive"),
    }
    folder.mkdir()
    dice = random.Random(seed)
    for name, pair in labels.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            for _ in range(80):
                bad = dice.random() < 0.5 and name != "chatbot"
                words = dice.sample(["오늘", "날씨", "점심", "노래", "영화", "기사", "사람", "친구", "학교", "회사"], 3)
                words.insert(
                    dice.randrange(4),
                    dice.choice(["바보천치", "꺼지라", "못난이"] if bad else ["좋아요", "고마워", "최고"]),
                )
                file.write(json.dumps({"text": " ".join(words), "label": pair[bad]}, ensure_ascii=False) + "\n")
    return folder


def trained(folder: Path, name: str) -> tuple[TrainingReport, bytes]:
    out = folder.parent / name
    return train(folder, out, lambda line: None), out.read_bytes()


def test_the_same_data_give_the_same_file(tmp_path: Path) -> None:
    report, first = trained(small_corpora(tmp_path / "a"), "first.npz")
    again, second = trained(tmp_path / "a", "second.npz")
    _, other = trained(small_corpora(tmp_path / "b", seed=2), "third.npz")
    assert first == second
    assert report == again
    assert first != other
    assert report.tests["kmhas_test"].auroc > 0.95
    assert report.file_bytes == len(first)


def test_what_a_test_set_holds_is_never_trained_on(tmp_path: Path) -> None:
    folder = small_corpora(tmp_path / "a")
    before, _ = trained(folder, "before.npz")
    with gzip.open(folder / "curse.jsonl.gz", "rt", encoding="utf-8") as file:
        leaked = json.loads(file.readline())["text"]
    with gzip.open(folder / "beep_dev.jsonl.gz", "at", encoding="utf-8") as file:
        file.write(json.dumps({"text": f"  {leaked.replace(' ', '.')}!", "label": "none"}, ensure_ascii=False) + "\n")
    after, _ = trained(folder, "after.npz")
    assert sum(after.trained_on.values()) == sum(before.trained_on.values()) - 1


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="beep_train"):
        train(tmp_path, tmp_path / "model.npz")


def test_features_of_a_row_do_not_depend_on_its_neighbours() -> None:
    alone, between = features(["시발 뭐야"]), features(["", "시발 뭐야", "가나다"])
    assert between.bucket[between.row == 1].tolist() == alone.bucket.tolist()
    assert between.size[1] == alone.size[0]
    assert between.stems[1].tolist() == alone.stems[0].tolist()


@pytest.mark.skipif(not (DATA / "kmhas_test.jsonl.gz").exists(), reason="the test corpora are not here")
def test_the_shipped_model_reaches_its_bars_on_unseen_comments() -> None:
    tests = held_out(DATA)
    kmhas = evaluate(GUARD.model, tests["kmhas_test"])
    assert kmhas.auroc >= 0.92
    assert kmhas.f1 >= 0.82
    assert evaluate(GUARD.model, tests["beep_dev"]).auroc >= 0.85
