"""The encoder says which harm it is, the same whatever stands beside it, and reaches what BENCHMARKS.md says."""

import asyncio
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from adapters.guards.embedded.encoder import SHIPPED, STRIDE, WINDOW, EncoderModel
from adapters.guards.embedded.encoder_guard import EncoderGuard
from adapters.guards.embedded.training.comparison import AWAY
from adapters.guards.embedded.training.corpora import own
from bot.core.base.errors import Broken
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Exchange, Part, Unscreened, Verdict

CORPUS = Path(__file__).parents[3] / "corpus"
MODEL = EncoderModel.load()
GUARD = EncoderGuard()
FILLING = "오늘 점심은 김치찌개 먹고 산책했어요. "


def test_every_kind_is_one_of_the_product() -> None:
    assert set(MODEL.kinds) < {kind.value for kind in HarmKind}
    assert MODEL.probabilities(["안녕하세요"]).shape == (1, len(MODEL.kinds))


def test_a_batch_gives_what_single_calls_give() -> None:
    texts = ["안녕하세요", "너 진짜 병신이냐", "쟤가 저한테 죽으라고 했어요", ""]
    assert MODEL.calibrated(texts) == pytest.approx(np.concatenate([MODEL.calibrated([text]) for text in texts]))


def test_a_harmful_passage_of_a_long_text_counts_and_a_quotation_at_its_end_is_no_cloak() -> None:
    bad = "너 같은 병신은 나가 죽어라"
    assert MODEL.probabilities([FILLING * 20 + (bad + " ") * 12 + FILLING * 20]).max() > 0.5
    (alone, covered) = MODEL.quotes([bad, bad + " " + FILLING * 20 + "라고 걔가 나한테 말했어요"])
    assert covered < 0.5 and alone < 0.5
    assert STRIDE < WINDOW


def test_a_verdict_names_each_kind_of_each_part() -> None:
    (verdict,) = asyncio.run(GUARD.judge([Exchange(prompt="안녕", response="반가워요")]))
    assert isinstance(verdict, Verdict)
    assert {part: set(kinds) for part, kinds in verdict.kinds.items()} == {
        part: {HarmKind(kind) for kind in MODEL.kinds} for part in Part
    }
    assert verdict.quotes is not None


def test_nothing_to_judge_is_not_called_safe() -> None:
    assert isinstance(asyncio.run(GUARD.judge([Exchange(prompt=None)]))[0], Unscreened)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "encoder.onnx").write_bytes(b"nothing")
    for missing in ("encoder.onnx", "none.onnx"):
        with pytest.raises(Broken, match=missing):
            EncoderGuard(tmp_path / missing)


def test_the_file_is_small_and_needs_no_pytorch() -> None:
    assert SHIPPED.stat().st_size < 20_000_000
    asks = (
        "from adapters.guards.embedded.encoder import *; import sys; EncoderModel.load(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout == "False\n"


def test_it_reads_pens_that_it_has_not_learned_from() -> None:
    lines = Random(1).sample([line for line in own(CORPUS) if line.source in AWAY], 500)
    worst = MODEL.probabilities([line.text for line in lines]).max(axis=1)
    assert roc_auc_score([line.says["harm"] for line in lines], worst) > 0.92
