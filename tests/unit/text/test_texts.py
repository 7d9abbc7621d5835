"""Korean and English say the same things with the same facts."""

import re
import string
import tomllib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from bot.core.text.catalogue import LANGUAGES, Texts, _flat, texts, texts_on
from bot.core.text.particles import particle

ROOT = Path(__file__).parents[3]
KOREAN_PAGES = (*(ROOT / "bot" / "wording" / "ko").iterdir(), *(ROOT / "adapters").rglob("ko*.toml"))
ENGLISH_PAGES = (*(ROOT / "bot" / "wording" / "en").iterdir(), *(ROOT / "adapters").rglob("en.toml"))
KOREAN_DOCS = (*(ROOT / "docs" / "ko").glob("*.md"), ROOT / "README.ko.md")
NAMES = "Discord|Telegram"
PARTICLES = (
    "은|는|이|가|을|를|의|에|에는|에서|에서는|에게|으로|로|와|과|도|만|까지|부터"
    "|이면|면|이라면|라면|이나|나|입니다|인가요|쯤|배|초"
)


def placeholders(sentence: str) -> set[str]:
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_keys_and_facts() -> None:
    korean, english = (
        {k: v for k, v in texts(of).sentences.items() if not k.startswith(("errors.", "log."))} for of in LANGUAGES
    )
    assert korean.keys() == english.keys()
    for key in korean:
        assert placeholders(korean[key]) == placeholders(english[key]), key


def test_no_sentence_stands_twice_and_both_languages_have_the_same_pages() -> None:
    pages = {
        language: sorted(files("bot.wording").joinpath(language).iterdir(), key=lambda page: page.name)
        for language in LANGUAGES
    }
    assert [page.name for page in pages["ko"]] == sorted(
        ["errors.toml", "log.toml", *(page.name for page in pages["en"])]
    )
    for language, of_this in pages.items():
        keys = [key for page in of_this for key in tomllib.loads(page.read_text("utf-8"))]
        assert len(keys) == len(set(keys)), language


def test_korean_is_korean() -> None:
    for key, sentence in texts("ko").sentences.items():
        foreign = re.sub(f"{{.*?}}|{NAMES}", "", sentence)
        assert re.search("[가-힣]", sentence) or not re.search("[A-Za-z]", foreign), key


def test_every_reason_that_a_rule_can_give_has_its_sentence() -> None:
    rules = ROOT / "bot" / "core" / "rules"
    sources = "".join(path.read_text("utf-8") for path in rules.rglob("*.py"))
    codes = re.findall(r'Explanation\(\s*"(\w+)"|else "(\w+)"', sources)
    found = {code for pair in codes for code in pair if code}
    assert len(found) > 25
    for code in found:
        assert f"why.{code}" in texts("ko"), code


def test_every_sentence_that_is_asked_for_is_there() -> None:
    there = {*texts_on("discord", "ko").sentences, *texts_on("telegram", "ko").sentences}
    asked = re.compile(r'\b(?:self\._)?say[(\[]"([a-z]\w*\.[\w.]+)"')
    for path in (*(ROOT / "bot").rglob("*.py"), *(ROOT / "adapters" / "chat").rglob("*.py")):
        missing = [key for key in asked.findall(path.read_text("utf-8")) if key not in there]
        assert not missing, f"{path}: {missing}"


def test_no_sentence_leaves_the_particle_to_the_reader() -> None:
    assert len(KOREAN_PAGES) > 20
    for page in KOREAN_PAGES:
        assert not re.search(r"은\(는\)|을\(를\)|이\(가\)|\(으\)로|와\(과\)|\(이\)", page.read_text("utf-8")), page.name


def test_particles_are_joined_to_names_in_latin_letters() -> None:
    apart = re.compile(rf"(?<![\w/.`{{}}=@$-])([A-Z][A-Za-z0-9]+|vLLM) ({PARTICLES})(?=[ .,)])")
    for page in (*KOREAN_PAGES, *KOREAN_DOCS):
        said = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        assert not (found := apart.search(said)), f"{page.name}: {found[0]}"


def test_particles_are_joined_to_quotes_and_numbers() -> None:
    apart = re.compile(rf"(’|%|(?<![\w./:-])\d+|\dxx) ({PARTICLES})(?=[ .,)\"])")
    for page in KOREAN_PAGES:
        assert not (found := apart.search(page.read_text("utf-8"))), f"{page.name}: {found[0]}"


def test_particles_behind_what_is_typed_follow_its_sound() -> None:
    behind = re.compile(r"`([^`\n]+)` ?(은|는|이|가|을|를|과|와|으로|로|이라는|라는|이나|나)(?![가-힣])")
    found = [(page.name, *one) for page in KOREAN_DOCS for one in behind.findall(page.read_text("utf-8"))]
    assert len(found) > 100
    assert [(page, typed, one) for page, typed, one in found if particle(one, typed) != one] == []


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("카페", "카페를 카페로 카페라는"), ("모임", "모임을 모임으로 모임이라는"),
        ("마을", "마을을 마을로 마을이라는"), (7, "7을 7로 7이라는"), (2, "2를 2로 2라는"),
        (30, "30을 30으로 30이라는"),
        ("API", "API를 API로 API라는"), ("a.toml", "a.toml을 a.toml로 a.toml이라는"),
        ("JSON", "JSON을 JSON으로 JSON이라는"), ("‘ping’", "‘ping’을 ‘ping’으로 ‘ping’이라는"),
        ("\"timeout\"", "\"timeout\"을 \"timeout\"으로 \"timeout\"이라는"), ("kick", "kick을 kick으로 kick이라는"),
        ("name", "name을 name으로 name이라는"), ("role", "role을 role로 role이라는"),
        ("chat", "chat을 chat으로 chat이라는"), ("text", "text를 text로 text라는"), ("IP", "IP를 IP로 IP라는"),
        ("{모임}", "{모임}을 {모임}으로 {모임}이라는"), ("", "를 로 라는"),
    ],
)  # fmt: skip
def test_particles_follow_the_sound_of_what_they_stand_behind(fact: object, said: str) -> None:
    for written in ("{fact}를 {fact}로 {fact}라는", "{fact}을 {fact}으로 {fact}이라는"):
        assert Texts("ko", {"say": written})("say", fact=fact) == said
    assert Texts("ko", {"say": "{fact}이면 {fact} 를"})("say", fact=2) == "2이면 2 를"


def test_particles_are_joined_to_facts_but_for_what_is_to_be_copied() -> None:
    apart = re.compile(rf"(?<!//)(?<!chmod 600 )\{{(?!command\}})[^{{}}]+\}} ({PARTICLES})(?=[ .,?)\"])")
    for page in KOREAN_PAGES:
        assert not (found := apart.search(page.read_text("utf-8"))), f"{page.name}: {found[0]}"


@pytest.mark.parametrize("count", [0, 1, "1", 2, "1.0", "1,001"])
def test_english_has_one_case_and_several_cases(count: object) -> None:
    said = Texts("en", {"say": "{count} case{count:|s} {count:waits|wait}"})("say", count=count)
    assert said == (f"{count} case waits" if str(count) == "1" else f"{count} cases wait")


def test_english_counts_ask_for_their_plural() -> None:
    said = [
        (key, sentence) for page in ENGLISH_PAGES for key, sentence in _flat(tomllib.loads(page.read_text("utf-8")))
    ]
    fields = [(name, spec) for _, sentence in said for _, name, spec, _ in string.Formatter().parse(sentence)]
    counts = {name for name, spec in fields if spec and re.search(r",$|\|", spec)}
    assert len(counts) > 30
    verb = re.compile(r" (is|was|has|asks|does|judges|looks|means|reads|shares|shows|stays|takes)\b")
    plural = re.compile(r" [a-z]{2,}s\b")
    of_a_count = re.compile(r" (is|are|was|were|has|have|(?!with )\w+ [a-z]{2,}s)\b")
    for key, sentence in said:
        parts = [*string.Formatter().parse(sentence), ("", None, None, None)]
        for (_, name, spec, _), (behind, *_) in pairwise(parts):
            if name and name != "command" and not re.search(r"[fg]$|\|", spec or ""):
                assert verb.match(behind) or not plural.match(behind), key
                assert name not in counts or not of_a_count.match(behind), key


@pytest.mark.parametrize(
    "key", ["raid.count", "raid.ban_all", "raid.ordered_undo", "deed.purge", "card.more_count", "policy.several"]
)
def test_numbers_of_four_digits_have_their_comma(key: str) -> None:
    for language in LANGUAGES:
        assert "1,234" in texts(language)(key, count=1234, case=1, first="-")


def test_no_particle_stands_behind_a_bracket_that_hides_its_fact() -> None:
    hidden = re.compile(r"\}’?\([^()]*\)(은|는|이|가|을|를|과|와|으로|로)(?![가-힣])")
    for page in KOREAN_PAGES:
        assert not (found := hidden.search(page.read_text("utf-8"))), f"{page.name}: {found[0]}"


@pytest.mark.parametrize(
    ("slip", "instead"),
    [
        ("텔레그램|디스코드", NAMES), ("채팅 서비스", "플랫폼"), ("바꾸었", "바꿨"), ("그 사이에", "그사이에"),
        ("되살", "복구"), ("오판|잘못이라고|잘못이었", "틀림"), ("신상 털기|아동 유인", "the names of kinds of harm"),
        ("차단목록(?!\")", "차단 목록"), (r"#\{case\}번", "기록 #{case}"), ("'[가-힣]", "‘ ’"),
    ],
)  # fmt: skip
def test_one_thing_has_one_word_in_korean(slip: str, instead: str) -> None:
    for page in KOREAN_PAGES:
        assert not (found := re.search(f".*({slip})", page.read_text("utf-8"))), f"{page.name}, {instead}: {found[0]}"


@pytest.mark.parametrize(
    ("slip", "instead"),
    [
        (r"\bme(et|ets|t) a rule", "match"), ("[Cc]aring word", "109 notice"), ("Object|You can object", "Appeal"),
        ("[Ss]trictness", "preset"), ("How to:", "Usage:"), ("Staff is", "Moderators are"),
    ],
)  # fmt: skip
def test_one_thing_has_one_word_in_english(slip: str, instead: str) -> None:
    for page in ENGLISH_PAGES:
        assert not (found := re.search(f".*({slip})", page.read_text("utf-8"))), f"{page.name}, {instead}: {found[0]}"


def test_names_stand_between_single_quotes_and_a_percent_sign_behind_its_number() -> None:
    for page in (*KOREAN_PAGES, *ENGLISH_PAGES):
        assert not (found := re.search(r".*([“”]|[\d}] %)", page.read_text("utf-8"))), f"{page.name}: {found[0]}"
