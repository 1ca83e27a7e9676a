# Every target sets up what it needs: `make demo` and `make test` work on a fresh machine with Python 3.10 to 3.13.
PYTHON ?= python3
BIN := .venv/bin
# Installs with pip and shows in one line what, how much of it, and for how long
INSTALL := $(BIN)/python tools/install.py
SETUP := .venv/.done
ASR := .venv/.asr
TRAIN := .venv/.train
COSYVOICE := .venv/.cosyvoice
COSYVOICE_PACKAGES := .venv/cosyvoice
DOCS := .venv/docs
# torch for the tests of training and scoring; another build of it: make test TORCH='torch --index-url ...'
TORCH ?= torch==2.13.0
OUT ?= out
# Tests of one file run in one process and share what they build; more processes than four only compete for memory.
PYTEST := $(BIN)/pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile
# What `make test-all` breaks on purpose: the files whose bytes decide the data
CORE := datagen/pipeline/place.py datagen/pipeline/flatten datagen/pipeline/script datagen/pipeline/mix datagen/shards/chunks.py \
	datagen/shards/digest.py datagen/shards/unit.py datagen/run/commit.py datagen/sources/duplicates datagen/text/phrases.py

.PHONY: setup demo test test-all browser fmt check docs schemas golden bench lock clean

setup: $(SETUP)

$(SETUP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14) and "datagen needs Python 3.10 to 3.13: make PYTHON=python3.11 ...")'
	@echo "A virtual environment in .venv, about 2 GB with the packages of requirements.lock"
	@$(PYTHON) -m venv .venv
	@$(INSTALL) "1/2 packages of requirements.lock" --require-hashes -r requirements.lock
	@$(INSTALL) "2/2 datagen itself" --no-deps --no-build-isolation -e .
	@touch $@

$(ASR): $(SETUP) requirements-asr.lock
	@$(INSTALL) "packages of requirements-asr.lock" --require-hashes -r requirements-asr.lock
	@touch $@

$(TRAIN): $(SETUP) requirements-train.lock
	@$(INSTALL) "torch" $(TORCH)
	@$(INSTALL) "packages of requirements-train.lock" --no-deps --require-hashes -r requirements-train.lock
	@touch $@

# CosyVoice's own code, without the declared dependencies of its packages: the lock has what the
# engine uses. It has its own folder, because transformers would import the torchaudio in it, which
# loads with CUDA's torch only.
$(COSYVOICE): $(TRAIN) requirements-cosyvoice.lock
	rm -rf $(COSYVOICE_PACKAGES)
	@$(INSTALL) "packages of requirements-cosyvoice.lock" --no-deps --no-build-isolation --require-hashes --target $(COSYVOICE_PACKAGES) -r requirements-cosyvoice.lock
	@touch $@

# The main job on synthetic speech: shipped dialogues to shards, a check, an audit, one row, and a
# report, whose player opens at a barge-in where there is a display. The last lines work as printed.
demo: setup
	$(BIN)/datagen build quickstart --out $(OUT)/quickstart
	$(BIN)/datagen check $(OUT)/quickstart
	$(BIN)/datagen audit $(OUT)/quickstart
	$(BIN)/datagen show $(OUT)/quickstart --task three_stream --chunks 24
	$(BIN)/datagen report $(OUT)/quickstart --open
	@echo
	@echo "Next:  $(BIN)/datagen listen $(OUT)/quickstart --dialogue concert-parking --out talk.wav"
	@echo "       $(BIN)/datagen show $(OUT)/quickstart --row 2 --chunks 185 --codes"
	@echo "       . .venv/bin/activate     once per terminal, then \`datagen\` alone will do"

test: setup $(TRAIN)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST)

test-all: test $(ASR) $(COSYVOICE) browser
	$(BIN)/pytest -m slow --ignore tests/engines/cosyvoice
	PYTHONPATH=$(COSYVOICE_PACKAGES) $(BIN)/pytest -m slow tests/engines/cosyvoice
	$(BIN)/python tools/mutate.py $(CORE) --sample 12

# Tests of reports use Chromium; without it, and without the right to install it, they are skipped.
browser:
	@command -v chromium chromedriver >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get update -qq && apt-get install -yqq --no-install-recommends chromium chromium-driver; } || \
		echo "no Chromium: tests in a browser are skipped; install chromium and chromium-driver"

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup $(TRAIN)
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site of the documentation in OUT/docs/site, with a page per module. Every link is checked. It has its own
# environment, so nothing of it reaches users or tests.
docs: $(DOCS)/.done
	$(DOCS)/bin/python -m tools.docs_site $(OUT)/docs
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --config-file $(OUT)/docs/mkdocs.yml
	@echo "$(OUT)/docs/site/index.html"

$(DOCS)/.done: requirements-docs.lock
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@touch $@

# Generated files that are checked in; tests fail if they are stale.
schemas: setup
	$(BIN)/python -m datagen.schemas schemas
	$(BIN)/python -m tools.recipe_page docs/recipe.md

golden: setup
	$(BIN)/python tests/golden/refresh.py
	$(BIN)/python tests/golden/prompts.py
	$(BIN)/python -m tests.golden.help

bench: $(ASR) $(TRAIN)
	$(BIN)/python benchmarks/run.py

lock:
	uv pip compile --quiet --universal --generate-hashes --python-version 3.10 pyproject.toml --group dev --extra ray --extra rooms --extra server -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --python-version 3.10 pyproject.toml --group dev --extra ray --extra rooms --extra server --extra zh --extra asr --extra mos --extra codebook --group pictures --extra vad -c requirements.lock -o requirements-asr.lock
	uv pip compile --quiet --universal --generate-hashes --python-version 3.10 pyproject.toml --extra train --extra text --extra s3 --group lhotse --overrides overrides.txt -c requirements.lock -o requirements-train.lock
	uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --no-deps --group cosyvoice -c requirements.lock -o requirements-cosyvoice.lock
	uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --group docs -o requirements-docs.lock

clean:
	rm -rf .venv out
