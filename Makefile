# Everything a developer or a CI machine runs. `make` alone explains it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tools and virtual environments that outlive a clone.
CACHE := $(or $(KRMFN_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/krmfn)
UV := $(CACHE)/uv-0.13.9
RELEASE := $(CACHE)/release-$(shell sha256sum requirements-release.txt | cut -c 1-12)
DOCS := $(CACHE)/docs-$(shell sha256sum requirements-docs.txt | cut -c 1-12)
COUNTING := --cov --cov-report=
# launch.py and client.py are programs of their own, which tests/build runs as such.
CORE := --include='krmfn/*' --omit='krmfn/cli/*,krmfn/stores/*,krmfn/build/launch.py,krmfn/build/client.py'

# The functions that kustomize starts, and the tools of the wheels, are found by their bare names.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint e2e cluster coverage counted bench docs release lock clean

help:
	@echo 'krmfn: seals vault values as SealedSecrets while kustomize builds.'
	@echo
	@echo 'With Python >= 3.11 and make alone:'
	@echo '  make demo      build the example against a real vault, twice, and open what came out'
	@echo '  make test      the quick tests, five to eight minutes on two cores; ARGS="-k seal" chooses'
	@echo '  make test-all  all that need nothing but Python, also those marked slow or process, as CI does;'
	@echo '                 about fifteen minutes'
	@echo '  make lint      style, types and layers'
	@echo '  make coverage  the tests again, with the branches of the core counted (>= 90 %)'
	@echo '  make setup     only make .venv, from the hash-pinned lock; the others do it by themselves'
	@echo
	@echo 'With more:'
	@echo '  make e2e       old and new kustomize and kubeseal (built by Go, which a wheel brings),'
	@echo '                 the image (root on Debian, or a container runtime as `docker`), Chromium, and clusters'
	@echo '                 of etcd, kube-apiserver and the sealed-secrets controller; ends in a table'
	@echo '  make cluster   such a cluster to explore by hand, until ctrl-C'
	@echo '  make bench     krmfn against `vals | kubeseal`, same secrets, same vault, same machine'
	@echo '  make docs      the documentation as a site, in site/'
	@echo '  make release   wheel, sdist, OCI archives, SBOM and checksums of this commit, in dist/'
	@echo '  make lock      compile the requirements*.txt again from pyproject.toml'
	@echo '  make clean     remove .venv and what tools left behind'
	@echo
	@echo 'Another Python: make setup PYTHON=python3.12'

setup: $(READY)

$(READY): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo 'krmfn: no $(PYTHON) here; install Python >= 3.11, or name one: make setup PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "krmfn: $$($(PYTHON) --version) is too old, 3.11 or newer is needed; name another: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo 'krmfn: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Setting up $(VENV) (once; downloads about 150 MB)'
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip --disable-pip-version-check install --quiet --require-hashes --only-binary :all: -r requirements-dev.txt
	@$(BIN)/pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/python examples/demo.py

test: $(READY)
	@echo 'The quick tests: five to eight minutes on two cores (make test-all: about fifteen)'
	@$(BIN)/pytest -n auto -m 'not (e2e or container or slow or process)' $(ARGS)

test-all: $(READY)
	@echo 'All tests that need nothing but Python: about fifteen minutes on two cores'
	@$(BIN)/pytest -n auto -m 'not (e2e or container)' $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

e2e: $(READY)
	@$(BIN)/python tests/e2e/tools.py all
	@dir='$(CACHE)/container'; if [ "$$(id -u)" = 0 ]; then tests/e2e/container-setup "$$dir"; tests/browser/setup; fi; \
	if [ -f "$$dir/env" ]; then . "$$dir/env"; fi; \
	$(BIN)/pytest -n auto --dist loadgroup -m 'e2e or container' $(ARGS)

cluster: $(READY)
	@$(BIN)/python -m tests.e2e.cluster $(ARGS)

coverage:
	@$(MAKE) --no-print-directory test-all ARGS="$(COUNTING) $(ARGS)"
	@$(MAKE) --no-print-directory counted

# What the branches come to, after `make test-all ARGS='$(COUNTING)'`. Only those count that tests take in
# their own process; what a test starts as a program (the client, Argo CD's plugin) is not counted.
counted: $(READY)
	@$(BIN)/coverage report --include='krmfn/cli/*,krmfn/stores/*'
	@$(BIN)/coverage report $(CORE)
	@$(BIN)/coverage json --quiet -o - $(CORE) | $(BIN)/python .ci/branches.py 90

bench: $(READY)
	@$(BIN)/python tests/e2e/tools.py vals@0.46.1 kubeseal@0.40.0 kustomize@5.8.2 >/dev/null
	@$(BIN)/python -m tests.bench.run $(ARGS)

export NO_MKDOCS_2_WARNING := 1
# Not --quiet: it hides warnings from --strict, too.
docs: $(DOCS)/bin/mkdocs
	@$(DOCS)/bin/mkdocs build --strict

$(DOCS)/bin/mkdocs: requirements-docs.txt
	@rm -rf $(DOCS) && $(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/pip --disable-pip-version-check install --quiet --require-hashes --only-binary :all: -r requirements-docs.txt

release: $(READY) $(RELEASE)/bin/cyclonedx-py
	@dir='$(CACHE)/container'; if [ -f "$$dir/env" ]; then . "$$dir/env"; fi; \
	$(BIN)/python .ci/release.py --cyclonedx $(RELEASE)/bin/cyclonedx-py $(ARGS)

$(RELEASE)/bin/cyclonedx-py: requirements-release.txt
	@rm -rf $(RELEASE) && $(PYTHON) -m venv $(RELEASE)
	@$(RELEASE)/bin/pip --disable-pip-version-check install --quiet --require-hashes --only-binary :all: -r requirements-release.txt

# One lock for every CPython from 3.11 on. No index is named in it: that is each machine's own business.
# Extras stay in it: pip 23.2 looks for `coverage[toml]` apart from `coverage`, and takes a newer one.
COMPILE := $(UV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate --upgrade
lock: $(UV)/bin/uv
	$(COMPILE) pyproject.toml --all-extras --output-file requirements.txt
	$(COMPILE) pyproject.toml --all-extras --group build --group lint --group test --constraints requirements.txt --output-file requirements-dev.txt
	$(COMPILE) --group build --constraints requirements-dev.txt --output-file requirements-build.txt
	$(COMPILE) --group docs --constraints requirements-dev.txt --output-file requirements-docs.txt
	$(COMPILE) --group release --constraints requirements-dev.txt --output-file requirements-release.txt

$(UV)/bin/uv:
	@mkdir -p $(CACHE) && $(PYTHON) -m venv $(UV) && $(UV)/bin/pip --disable-pip-version-check install --quiet uv==0.13.9

clean:
	rm -rf $(VENV) build dist site .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
