PYTHON ?= python3
CHROMIUM ?= /usr/bin/chromium
CHROMEDRIVER ?= /usr/bin/chromedriver

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	$(if $(UPGRADE),--upgrade)

ifdef DATABASE_URL
export DATABASE_URL
endif
export CHROMIUM CHROMEDRIVER

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run worker migrate test test-browser test-install test-javascript test-proxies check format bench openapi lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## Create .venv and install requirements/dev.txt into it

# Into an empty folder each time: nothing of an interrupted install or of older requirements counts.
# pip installs uv alone, since a pip before 24 may ask for newer releases than the pinned ones. With
# `user = yes` in pip.conf, for what is outside of environments, it would refuse.
$(INSTALLED): requirements/uv.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Plaza needs Python 3.11 or later: make install PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test ! -L $(VENV) || { echo "$(VENV) is a link: make install would empty what it leads to. Remove the link." >&2; exit 1; }
	@echo "Installing requirements/dev.txt into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install -qq --disable-pip-version-check --no-user --no-deps --require-hashes -r requirements/uv.txt
	@$(PY) requirements/run_uv.py pip sync --quiet --python $(PY) --require-hashes requirements/uv.txt requirements/dev.txt
	@touch $(INSTALLED)

run: install ## Migrate and serve on http://localhost:8000, or HOST and PORT
	$(PY) -m src serve

worker: install ## Run the background jobs in a process of their own
	$(PY) -m src worker

migrate: install ## Bring the database to the newest migration
	$(PY) -m src migrate

test: install ## Run the tests; DATABASE_URL=… another server, ARGS=… some only, or --cov
	$(PY) -m pytest -n logical $(ARGS)

test-browser: install ## Run the browser tests (Debian: chromium and chromium-driver)
	@for program in "$(CHROMIUM)" "$(CHROMEDRIVER)"; do \
		test -x "$$program" || { \
			echo "$$program is missing. Debian: apt-get install chromium chromium-driver." >&2; \
			echo "Elsewhere: make test-browser CHROMIUM=… CHROMEDRIVER=…" >&2; \
			exit 1; \
		}; \
	done
	$(PY) -m pytest -m browser $(ARGS)

test-install: install ## Install from an index of a later day, with the oldest pip
	$(PY) -m pytest -m install $(ARGS)

test-javascript: install ## Hold clients and validators of front ends to the server (Debian: nodejs and npm)
	@for program in node npm; do \
		command -v $$program > /dev/null || { \
			echo "$$program is missing. Debian: apt-get install nodejs npm" >&2; \
			exit 1; \
		}; \
	done
	npm ci --prefix tests/javascript --ignore-scripts --no-audit --no-fund --silent
	$(PY) -m pytest -m javascript $(ARGS)

test-proxies: install ## Run the tests behind proxies (Debian: caddy, nginx-light and haproxy)
	@for program in /usr/bin/caddy /usr/sbin/nginx /usr/sbin/haproxy; do \
		test -x "$$program" || { \
			echo "$$program is missing. Debian: apt-get install caddy nginx-light haproxy" >&2; \
			exit 1; \
		}; \
	done
	$(PY) -m pytest -m proxies $(ARGS)

check: install ## Lint, formatting, types and import order
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo

format: install ## Format the code and fix what the linter can fix
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format

bench: install ## Measure the application against the bare floor
	$(PY) -m benchmarks $(ARGS)

openapi: install ## Write docs/openapi.json
	@mkdir -p docs
	$(PY) -m src openapi > docs/openapi.json.new
	@mv docs/openapi.json.new docs/openapi.json

lock: install ## Compile requirements/*.txt from *.in; UPGRADE=1 takes the newest versions
	$(COMPILE) requirements/uv.in --output-file requirements/uv.txt
	$(COMPILE) requirements/base.in --output-file requirements/base.txt
	$(COMPILE) requirements/prod.in --constraints requirements/base.txt --output-file requirements/prod.txt
	$(COMPILE) requirements/dev.in --constraints requirements/base.txt --output-file requirements/dev.txt

clean: ## Remove .venv, caches and coverage reports; the data in var/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis tests/javascript/node_modules benchmarks/peers/fastify/node_modules htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
