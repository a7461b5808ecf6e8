# Every target does its own set-up: a fresh machine needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements/dev.lock

.PHONY: install demo test check lint types bench lock images bundle clean

install: $(STAMP) panel

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m virtualenv -q $(VENV) 2>/dev/null; } \
	  || uv venv -q --seed --python $(PYTHON) $(VENV) \
	  || { echo "No virtual environment can be made: install python3-venv, virtualenv or uv"; exit 2; }

# uv where it is (seconds), pip where it is not or fails (minutes): the same lock, hashes checked by both. Certificates are
# the system's, so that a company's own authority is respected.
$(STAMP): export UV_SYSTEM_CERTS = 1
$(STAMP): $(BIN)/python $(LOCK) pyproject.toml
	@if command -v uv >/dev/null 2>&1 && uv pip install -q --python $(BIN)/python --require-hashes -r $(LOCK) \
	  && uv pip install -q --python $(BIN)/python --no-deps -e .; then :; else \
	  $(BIN)/python -m ensurepip -q >/dev/null 2>&1; \
	  $(BIN)/python -m pip install -q --require-hashes -r $(LOCK) && $(BIN)/python -m pip install -q hatchling editables && \
	  $(BIN)/python -m pip install -q --no-build-isolation --no-deps -e .; \
	fi
	@$(BIN)/datapilot kernelspec install >/dev/null
	@touch $@

# The panel of JupyterLab: built where node is (a line says so where it is not), again only when its sources changed.
.PHONY: panel
panel: $(STAMP)
	@$(BIN)/python extension/build_panel.py
	@$(BIN)/python -m hub_config.face.library

demo: install
	@$(BIN)/datapilot demo $(if $(PORT),--port $(PORT))

# Two workers: much of the time is waiting for containers and browsers. `make test WORKERS=0`: one after the other.
WORKERS ?= 2
test: install
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

# For every commit: lint, types, the tests that need no server and are done in a moment.
check: install lint types
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadscope --no-loadscope-reorder --no-servers -m "not slow and not browser" tests/unit

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

bench: install
	@$(BIN)/python -m bench $(ONLY)

# One lock for people who develop; the images' locks take their versions from it. build and nginx stand alone.
LOCKED := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock:
	$(LOCKED) --extra lab --extra hub --extra jupyterhub --extra claude --extra test pyproject.toml -o $(LOCK)
	$(LOCKED) --no-annotate -c $(LOCK) --extra lab pyproject.toml requirements/images/notebook.in -o requirements/notebook.lock
	@for image in api hub; do $(LOCKED) --no-annotate -c $(LOCK) requirements/images/$$image.in -o requirements/$$image.lock || exit; done
	@for image in nginx build; do $(LOCKED) --no-annotate requirements/images/$$image.in -o requirements/$$image.lock || exit; done

# The images of a server: datapilot-{notebook,hub,api,nginx}:TAG. Another base (a company's own, with its authority):
# make images IMAGE_BASE=…; a registry of packages of one's own is taken from pip's configuration, and stays out of them.
IMAGE_BASE ?= python:3.12-slim-bookworm
IMAGE_PREFIX ?= datapilot-
IMAGE_TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGES ?= notebook hub api nginx
SOURCE_DATE_EPOCH ?= 1767225600
images: export PIP_INDEX_URL ?= $(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null)
images: panel
	@for image in $(IMAGES); do \
	  docker build -q -f hub_config/images/$$image/Dockerfile --build-arg BASE=$(IMAGE_BASE) --build-arg VERSION=$(IMAGE_TAG) \
	    --build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(if $(PIP_INDEX_URL),--build-arg PIP_INDEX_URL) \
	    $(if $(PIP_EXTRA_INDEX_URL),--build-arg PIP_EXTRA_INDEX_URL) $(if $(PIP_TRUSTED_HOST),--build-arg PIP_TRUSTED_HOST) \
	    -t $(IMAGE_PREFIX)$$image:$(IMAGE_TAG) . || exit; done

# Everything a server without internet needs, in one file: ./datapilot-server load FILE
bundle:
	@sh hub_config/images/bundle.sh "$(IMAGE_PREFIX)" "$(IMAGE_TAG)"

clean:
	rm -rf $(VENV) build dist artefacts demo-data .pytest_cache .mypy_cache .ruff_cache .hypothesis
