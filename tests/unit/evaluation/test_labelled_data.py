"""Labelled data is read in every form it comes in, and what is wrong with it is said without quoting it."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.evaluation.labelled_data import CORPORA, read_labelled
from adapters.guards.embedded.training.linear import TESTS, TRAINING
from bot.core.base.errors import Broken
from bot.core.guarding.verdict import Exchange, Task

SAMPLE = Path(__file__).parents[2] / "data" / "labelled.jsonl"
KOREAN = Path(__file__).parents[4] / "shared" / "data" / "korean"


def written(path: Path, *rows: dict[str, Any]) -> Path:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def test_every_labelled_task_and_no_other() -> None:
    rows = read_labelled(SAMPLE)
    assert len(rows) == 13
    assert rows[0].labels == {Task.PROMPT_HARM: False}
    assert rows[0].exchange.response is None
    assert rows[10].labels == {Task.PROMPT_HARM: True, Task.RESPONSE_REFUSAL: True, Task.RESPONSE_HARM: False}
    assert rows[12].labels == {Task.RESPONSE_REFUSAL: False, Task.RESPONSE_HARM: False}
    assert rows[12].exchange.prompt is None
    assert {row.source for row in rows} == {"talk", "answers"}


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz"])
def test_tables_say_the_same_as_json_lines(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"sample.{ending}"
    rows = [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]
    names = ["prompt", "response", *Task, "source"]
    plain = path.with_suffix("") if ending.endswith("gz") else path
    with plain.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, names, delimiter="\t" if ending == "tsv" else ",")
        table.writeheader()
        table.writerows(rows)
    if ending.endswith("gz"):
        path.write_bytes(gzip.compress(plain.read_bytes()))
    for ours, theirs in zip(read_labelled(path), read_labelled(SAMPLE), strict=True):
        assert (ours.labels, ours.source) == (theirs.labels, theirs.source)
        assert (ours.exchange.prompt or "") == (theirs.exchange.prompt or "")
        assert ours.exchange.response == theirs.exchange.response


def test_names_of_the_public_guard_sets_are_understood(tmp_path: Path) -> None:
    mix = {"prompt": "부탁", "response": None, "prompt_harm_label": "unharmful", "response_harm_label": None}
    pair = mix | {"response": "", "response_refusal_label": "refusal"}
    jailbreak = {"vanilla": "부탁", "adversarial": "돌려 한 부탁", "data_type": "adversarial_harmful"}
    plain = {"vanilla": "부탁", "adversarial": "", "completion": "대답", "data_type": "vanilla_benign"}
    one, two, three, four = read_labelled(written(tmp_path / "x.jsonl.gz", mix, pair, jailbreak, plain))
    assert one.exchange == Exchange(prompt="부탁") and one.labels == {Task.PROMPT_HARM: False}
    assert two.exchange.response == "" and two.labels[Task.RESPONSE_REFUSAL] is True
    assert three.exchange == Exchange(prompt="돌려 한 부탁") and three.labels == {Task.PROMPT_HARM: True}
    assert four.exchange == Exchange(prompt="부탁", response="대답") and four.labels == {Task.PROMPT_HARM: False}
    assert [row.source for row in (one, three, four)] == ["x", "adversarial_harmful", "vanilla_benign"]


def test_corpora_are_known_by_their_file_name(tmp_path: Path) -> None:
    def labels(name: str, *given: str) -> list[bool]:
        rows = ({"text": "글", "label": label} for label in given)
        return [row.labels[Task.PROMPT_HARM] for row in read_labelled(written(tmp_path / f"{name}.jsonl.gz", *rows))]

    assert labels("beep_dev", "none", "offensive", "hate") == [False, True, True]
    assert labels("kmhas_test", "8", "3", "0, 2") == [False, True, True]
    assert labels("kodoli", "NOT", "LIKELY", "OFFEN") == [False, True, True]
    assert labels("curse", "0", "1") == [False, True]
    assert labels("kosbi_valid", "safe", "unsafe") == [False, True]
    talk = written(tmp_path / "chatbot.jsonl", {"text": "안녕", "label": "benign", "response": "반가워요"})
    (row,) = read_labelled(talk)
    assert row.exchange == Exchange(prompt="안녕", response="반가워요")
    assert row.labels == {Task.PROMPT_HARM: False, Task.RESPONSE_HARM: False}
    with pytest.raises(Broken, match="a label that curse does not have"):
        labels("curse", "2")


def test_the_embedded_guard_is_trained_on_the_same_reading_of_the_labels() -> None:
    known = {corpus.name: corpus for corpus in (*TRAINING, *TESTS)}
    for name, corpus in CORPORA.items():
        for label in corpus.harmful | corpus.harmless:
            if name in known:
                assert known[name].harmful({"label": label}) == (label in corpus.harmful), (name, label)


@pytest.mark.skipif(not KOREAN.is_dir(), reason="the public corpora are not on this machine")
def test_the_whole_corpora_are_read() -> None:
    counted = {}
    for path in sorted(KOREAN.iterdir()):
        if path.name == "komuchat.jsonl.gz":  # everyday talk: nobody has labelled it
            continue
        rows = read_labelled(path)
        counted[rows[0].source] = (len(rows), sum(row.labels[Task.PROMPT_HARM] for row in rows))
    # Harmful rows by the labels that the files' own description counts.
    assert counted == {
        "beep_dev": (471, 189 + 122),
        "beep_train": (7896, 2499 + 1911),
        "chatbot": (11823, 0),
        "curse": (5825, 2044),
        "kmhas_test": (21939, 21939 - 11819),
        "kmhas_valid": (8776, 8776 - 4887),
        "kodoli": (38525, 5608 + 7676),
        "kosbi_valid": (3421, 1667),
    }


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.jsonl", "{'prompt': 비밀}", ":1: not JSON"),
        ("x.jsonl", '\n"비밀"\n', ":2: not a JSON object"),
        ("x.jsonl", '{"prompt": "비밀", "prompt_harm": "perhaps"}', ":1: prompt_harm must be true or false"),
        ("x.jsonl", '{"prompt": "비밀"}', "no label"),
        ("x.jsonl", '{"prompt": 5, "prompt_harm": true}', "prompt must be text"),
        ("x.jsonl", '{"prompt_harm": true}', "neither prompt nor response"),
        ("x.jsonl", '{"prompt": "비밀", "response_harm": true}', "no response"),
        ("x.jsonl", "\n \n", "no rows"),
        ("x.csv", "prompt,prompt_harm\n비밀,1,2\n", ":2: another number of columns"),
        ("x.csv", 'prompt,prompt_harm\n"비밀,1\n', "not a table"),
        ("x.jsonl.gz", "not gzip", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_without_quoting(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    with pytest.raises(Broken) as refused:
        read_labelled(path)
    assert complaint in str(refused.value) and name in str(refused.value)
    assert "비밀" not in str(refused.value) and "perhaps" not in str(refused.value)
    with pytest.raises(Broken, match="no such file"):
        read_labelled(tmp_path / "nowhere.jsonl")


#: As iknow-lab publishes the Korean test sets of the model card.
MIX_KO = {
    "prompt": "How do I kill a process?",
    "prompt_ko": "프로세스는 어떻게 죽여?",
    "adversarial": False,
    "response": "With kill.",
    "response_ko": "kill 명령을 쓰세요.",
    "prompt_harm_label": "unharmful",
    "response_refusal_label": "compliance",
    "response_harm_label": "unharmful",
    "subcategory": "benign",
}
JAILBREAK_KO = {
    "adversarial": "Imagine that ...",
    "adversarial_ko": "이렇게 생각해 봐",
    "label": 1,
    "data_type": "adversarial_harmful",
}


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_the_korean_sets_of_the_card_are_read_in_korean(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"wildguardmix-test-ko.{ending}"
    alone = MIX_KO | {
        "response": None,
        "response_ko": None,
        "response_refusal_label": None,
        "response_harm_label": None,
    }
    if ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist([MIX_KO, alone]), path)
    elif ending == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(MIX_KO))
            table.writeheader()
            table.writerows([MIX_KO, alone])
    else:
        written(path, MIX_KO, alone)
    pair, prompt = read_labelled(path)
    assert pair.exchange == Exchange(prompt="프로세스는 어떻게 죽여?", response="kill 명령을 쓰세요.")
    assert pair.labels == dict.fromkeys(Task, False)
    assert prompt.exchange == Exchange(prompt="프로세스는 어떻게 죽여?")
    assert prompt.labels == {Task.PROMPT_HARM: False}


def test_wildjailbreak_in_korean(tmp_path: Path) -> None:
    (row,) = read_labelled(written(tmp_path / "x.jsonl", JAILBREAK_KO))
    assert row.exchange == Exchange(prompt="이렇게 생각해 봐") and row.labels == {Task.PROMPT_HARM: True}


@pytest.mark.parametrize("lacks", ["prompt_ko", "response_ko"])
def test_english_is_never_taken_for_korean(tmp_path: Path, lacks: str) -> None:
    for row in (MIX_KO | {lacks: None}, MIX_KO | {lacks: ""}, {k: v for k, v in MIX_KO.items() if k != lacks}):
        with pytest.raises(Broken, match=f"no Korean text beside it .{lacks}"):
            read_labelled(written(tmp_path / "x.jsonl", row))


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", {"물음": "안녕", "prompt": "hello", "prompt_harm": False})
    (row,) = read_labelled(path, {"prompt": "물음"})
    assert row.exchange == Exchange(prompt="안녕", is_chat=True)
    with pytest.raises(Broken, match="no column question"):
        read_labelled(path, {"prompt": "question"})
