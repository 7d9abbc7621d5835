import gzip
from collections import Counter
from pathlib import Path

import pytest

from adapters.evaluation.recorded_outputs import RecordedOutput, measure_prompt_harm, read_outputs
from adapters.guards.dialects import DIALECTS, Answer, Question
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Exchange, GuardVersion, Task, Verdict

FIXTURE = Path(__file__).parents[2] / "data" / "wildguard_ko_outputs.jsonl"
ALL_OUTPUTS = Path(__file__).parents[4] / "shared" / "data" / "wildguard_ko_outputs.jsonl.gz"


def triples(rows: tuple[RecordedOutput, ...]) -> Counter[str]:
    return Counter("/".join((row.labels or {}).values()) for row in rows)


def test_every_row_of_the_fixture_parses() -> None:
    rows = read_outputs(FIXTURE)
    assert len(rows) == 38
    assert triples(rows) == {"no/no/no": 13, "no/yes/no": 8, "yes/yes/no": 8, "yes/no/no": 5, "yes/no/yes": 4}
    measured = measure_prompt_harm(rows)
    assert (measured.rows, measured.unparsed, measured.skipped) == (38, 0, 7)
    assert measure_prompt_harm(rows, skip_double_labelled=False).counts.rows == 38


def test_recorded_texts_become_verdicts_of_the_pair_form() -> None:
    dialect, guard = DIALECTS["wildguard-ko"], GuardVersion(name="wildguard-ko")
    for row in read_outputs(FIXTURE):
        exchange = Exchange(prompt=row.prompt, response=row.response)
        pair = next(q for q in dialect.questions(exchange) if q.form.judges == "response")
        assert isinstance(pair, Question)
        assert row.labels is not None
        assert dialect.combine([(pair, Answer(text=row.raw))], guard) == Verdict.of_scores(
            {
                Task.RESPONSE_REFUSAL: float(row.labels["response_refusal"] == "yes"),
                Task.RESPONSE_HARM: float(row.labels["harmful_response"] == "yes"),
            },
            guard=guard,
        )


@pytest.mark.skipif(not ALL_OUTPUTS.exists(), reason="the recorded outputs are not on this machine")
def test_all_recorded_outputs_parse_and_measure_as_counted() -> None:
    rows = read_outputs(ALL_OUTPUTS)
    assert len(rows) == 2937
    # Counted independently by the file's own description.
    assert triples(rows) == {"no/no/no": 1628, "yes/yes/no": 829, "no/yes/no": 235, "yes/no/no": 157, "yes/no/yes": 88}
    dialect = DIALECTS["wildguard-ko"]
    answers = (Answer(text=row.raw) for row in rows)
    anomalies = Counter(found for answer in answers for found in dialect.anomalies(dialect.forms[1], answer))
    assert anomalies == {"text after the answer": 212}
    counts = measure_prompt_harm(rows, skip_double_labelled=False).counts
    assert counts.rows == 2937
    assert [counts.precision, counts.recall, counts.false_positive_rate, counts.f1] == pytest.approx(
        [0.9199, 0.7362, 0.0539, 0.8179], abs=5e-5
    )
    measured = measure_prompt_harm(rows)
    assert (measured.skipped, measured.unparsed) == (44, 0)
    kept = measured.counts
    assert [kept.precision, kept.recall, kept.false_positive_rate, kept.f1] == pytest.approx(
        [0.9278, 0.7402, 0.0483, 0.8234], abs=5e-5
    )


def test_an_output_that_does_not_parse_is_in_no_cell(tmp_path: Path) -> None:
    path = tmp_path / "outputs.jsonl"
    row = '{"prompt_ko": "가\u2028나", "response": "", "wg_raw_output": "Sorry", "label": "unsafe"}\n\n'
    path.write_text(row, encoding="utf-8")
    measured = measure_prompt_harm(read_outputs(path))
    assert (measured.rows, measured.unparsed, measured.counts.rows) == (1, 1, 0)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"prompt_ko": "비밀", "response": "", "wg_raw_output": "", "label": "?"}']
)
def test_a_bad_line_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "outputs.jsonl"
    path.write_text("\n" + content, encoding="utf-8")
    with pytest.raises(Broken, match=r"outputs\.jsonl, line 2: not a recorded output") as raised:
        read_outputs(path)
    assert "비밀" not in str(raised.value)


def test_an_unreadable_file_is_broken(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(FIXTURE.read_bytes())[:-20])
    for path in (tmp_path / "none.jsonl", cut):
        with pytest.raises(Broken, match="cannot be read"):
            read_outputs(path)
