"""A report section is one declared thing: what its folder lacks, and what it has for nothing, is found here."""

import re
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from adapters.reports.pages import ReportPages
from adapters.reports.pages import sections as folder
from adapters.reports.pages.section import Section
from adapters.reports.pages.sections import ROWS
from bot.core.guarding.kinds import HarmKind
from bot.core.reporting.report import Report
from bot.core.text.catalogue import LANGUAGES, texts, texts_beside
from tests.adapters.reports.stage import made_up
from tests.unit.text.test_texts import placeholders

SECTIONS = tuple(chain(*ROWS))
HOME = Path(*folder.__path__)

each_section = pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """With kinds for some incidents: the made-up year was judged by a guard that knows none."""
    made = made_up(tmp_path_factory.mktemp("report"))
    entries = [
        replace(entry, kinds=(HarmKind.THREAT, HarmKind.FRAUD)[: entry.id % 3]) for entry in made.figures.entries
    ]
    return replace(made, figures=replace(made.figures, entries=tuple(entries)))


def home(section: type[Section]) -> Path:
    return HOME.joinpath(*section.__module__.removeprefix(f"{folder.__name__}.").split("."))


def test_every_folder_is_a_section_in_the_list() -> None:
    folders = {path.parent for path in HOME.glob("*/*/*") if path.is_file() and path.suffix != ".pyc"}
    assert {home(section) for section in SECTIONS} == folders and len(SECTIONS) == len(folders)
    assert [section.__name__.lower() for section in SECTIONS] == [home(section).name for section in SECTIONS]


@each_section
def test_both_languages_say_the_same_with_the_same_facts(section: type[Section]) -> None:
    shared = texts("ko").sentences.keys()
    said = [texts_beside(section.__module__, language).sentences for language in LANGUAGES]
    korean, english = ({key: said[key] for key in said.keys() - shared} for said in said)
    assert korean.keys() == english.keys()
    for key in korean:
        assert placeholders(korean[key]) == placeholders(english[key]), key
        assert re.search("[가-힣]", korean[key]) or not re.search("[A-Za-z]", re.sub("{.*?}", "", korean[key])), key


@each_section
def test_every_sentence_is_there_and_is_said(section: type[Section]) -> None:
    shared, all_ = texts("ko").sentences.keys(), texts_beside(section.__module__, "ko").sentences.keys()
    source = "".join(path.read_text("utf-8") for path in home(section).iterdir() if path.suffix in (".py", ".j2"))
    asked = set(re.findall(r"""\bsay(?:\[|\()["']([\w.]+)["'](?! ~)""", source))
    assert asked <= all_
    declares_title = "title" in vars(section)
    quoted = set(re.findall(r"""["'](\w+)["']""", source))
    assert all_ - shared - quoted == (set() if declares_title else {"title"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_shown_in_its_place_and_every_number_leads_to_what_it_counts(report: Report, language: str) -> None:
    page = ReportPages().render(report, language, with_pdf=False).files[0].content.decode()
    parts = re.split(r'<section[^>]* aria-labelledby="(\w+)">', page)[1:]
    assert parts[::2] == [section.__name__.lower() for section in SECTIONS]
    rows = [set(names.split()) for names in re.findall(r'<tr data-on="([^"]*)"', page)]
    assert len(rows) == report.totals.flagged
    for name, said in zip(parts[::2], parts[1::2], strict=True):
        for names, number in re.findall(r'<a href="#incidents" data-on="([^"]*)">([\d,]+)</a>', said):
            assert sum(row >= set(names.split()) for row in rows) == int(number.replace(",", "")), (name, names)
