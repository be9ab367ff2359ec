# Two commands matter: `make demo` and `make test`. Everything they need is installed by them, once: a virtual environment in .venv from
# hash-locked requirements, and Debian's packages of the servers (with sudo, or as root).
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# Some images tell Python to keep no bytecode: then each of the hundreds of processes of a test run compiles all of Vigie anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# make demo: how long (then the figures are compared and it ends; without, until Ctrl-C), what, and how much of it.
SECONDS ?=
SCENARIO ?= rentree
WORKERS ?=
SCALE ?=
SPEED ?=
# make test: further arguments of pytest, for instance ARGS="tests/count -x"; three tests at a time on two cores, since those of servers
# wait for two thirds of their time. Those whose point is a bound of time come after them, one at a time.
ARGS ?=
TESTS_AT_ONCE ?= 3

.PHONY: help
help: ## this list
	@echo "Vigie: the visits of France's school portals, counted live"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1#\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'#' '{ printf "%-16s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(STAMP) servers ## a whole chain on this machine and a back-to-school morning; SECONDS=90 checks every figure and ends
	@deploy/demo.sh --scenario $(SCENARIO) $(if $(SECONDS),--seconds $(SECONDS) --verify) \
		$(if $(WORKERS),--workers $(WORKERS)) $(if $(SCALE),--scale $(SCALE)) $(if $(SPEED),--speed $(SPEED))

.PHONY: test
test: $(STAMP) servers-and-browser ## all tests, on real servers; ARGS="..." is handed to pytest
	@PYTHONPATH=tests $(BIN)/python -m pytest -p budget -p order -n $(TESTS_AT_ONCE) --dist worksteal --durations=10 -m "not alone" $(ARGS); \
		together=$$?; PYTHONPATH=tests $(BIN)/python -m pytest -p budget --durations=5 -m alone $(ARGS); \
		case $$together,$$? in 0,0|0,5|5,0) ;; *) exit 1 ;; esac

.PHONY: check
check: $(STAMP) servers ## style, types, import rules, and every configuration file in deploy/
	@.ci/check

.PHONY: prove
prove: $(STAMP) servers ## 100,000 seeds of simulated faults, the long hard cases, then faults at random against a running chain; PROVE_MINUTES=40 PROVE_SEED=1
	@$(BIN)/python -m tests.simulation $(PROVE_SEEDS)
	@PROVE_LONG=1 $(BIN)/python -m pytest -q -m long tests
	@$(BIN)/python -m tests.prove

# make prove-alerts: PAST is an archive that `vigie simulate --years 0.38 --until 2026-02-02 --scale 0.02 --archive PAST` wrote; PROOF is
# --mode ordinary, return, storm, lockdown, project, detector, redis, kafka or traffic (3 to 30 minutes each).
PAST ?= proof-past
PROOF ?= --mode storm
.PHONY: prove-alerts
prove-alerts: $(STAMP) servers ## a morning over a simulated past, and who is called; PAST=DIR PROOF="--mode storm"
	@test -d $(PAST) || $(BIN)/vigie simulate --years 0.38 --until 2026-02-02 --scale 0.02 --archive $(PAST)
	@$(BIN)/python -m tests.alerting --past $(PAST) $(PROOF)

.PHONY: screens
screens: $(STAMP) servers-and-browser ## the pictures of the live page in docs/img/, of whole chains; PAST=DIR SCREENS="calm storm rentree silence stale"
	@test -d $(PAST) || $(BIN)/vigie simulate --years 0.38 --until 2026-02-02 --scale 0.02 --archive $(PAST)
	@$(BIN)/python -m tests.screens --past $(PAST) $(SCREENS)

.PHONY: bench
bench: $(STAMP) servers ## events per CPU-second of one worker, on a real broker
	@$(BIN)/python -m bench

.PHONY: bench-collector
bench-collector: $(STAMP) servers ## events per CPU-second of one collector, over TLS, on a real broker
	@$(BIN)/python -m bench.collector

.PHONY: bench-flood
bench-flood: $(STAMP) servers ## what a flood of one ENT does to the delay of the others: through the collector, and by Kafka with and without a quota
	@$(BIN)/python -m bench.flood

.PHONY: bench-live
bench-live: $(STAMP) servers ## what live counting costs at a steady rate: CPU of workers and Redis, calls, bytes, delays
	@$(BIN)/python -m bench.live
# PEERS="--events 50000 --rounds 1 --only vigie,confluent" for a quick look; PEERS=--resume goes on where Ctrl-C stopped it.
.PHONY: bench-peers
bench-peers: $(STAMP) servers ## Vigie beside Kafka Streams, Faust, Quix, Bytewax, franz-go and plain clients, on an idle machine; under 30 minutes
	@$(BIN)/python -m bench.peers $(PEERS)

.PHONY: bench-poison
bench-poison: $(STAMP) ## good events a second while 1 %, 50 % and all of the flow are broken
	@$(BIN)/python -m bench.poison

.PHONY: bench-detection
bench-detection: $(STAMP) ## the detector and its rivals on simulated school years: recall, delay, false alerts
	@$(BIN)/python -m bench.detection

.PHONY: bench-rewind
bench-rewind: $(STAMP) ## what the counters' memory costs, and how long a restart reads it again
	@$(BIN)/python -m bench.rewind

.PHONY: mutation
mutation: $(STAMP) servers ## break each guard of exactly-once counting on purpose: a test must fail for each
	@$(BIN)/python -m tests.mutation

.PHONY: install
install: $(STAMP) servers ## only what the others install: .venv and the servers

.PHONY: format
format: $(STAMP) ## let ruff mend style and layout
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

.PHONY: tables
tables: $(STAMP) ## write what follows from code: the tables of docs/ (settings, metrics, reasons), the published contract, docs/reference/
	@$(BIN)/python .ci/tables.py
	@$(BIN)/python .ci/contract.py
	@$(BIN)/python .ci/reference.py

.PHONY: boards
boards: $(STAMP) ## write Grafana's boards from deploy/grafana/boards/
	@$(BIN)/python .ci/boards.py

.PHONY: lock
lock: ## lock what pyproject.toml asks for, keeping what is locked; UPGRADE=1 takes the newest of all (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes $(if $(UPGRADE),--upgrade) \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock.txt pyproject.toml >/dev/null

.PHONY: docs
docs: $(STAMP) ## the documentation as a site, in site/: open site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

.PHONY: coverage
coverage: $(STAMP) servers-and-browser ## all tests, and which lines and branches of count/, ingest/, live/ and watch/ they reach; fails below 95 %
	@rm -f .coverage .coverage.*
	@PYTHONPATH=tests $(BIN)/python -m pytest -q -p order -n 2 --dist worksteal --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report

.PHONY: sbom
sbom: $(STAMP) ## what the wheel and the image bring along, in dist/sbom.json (CycloneDX, with hashes)
	@$(BIN)/python .ci/sbom.py

.PHONY: release
release: $(STAMP) ## what a release would hold, in dist/: checked and built, nothing is tagged or sent
	@.ci/release

.PHONY: clean
clean: ## remove the virtual environment and the caches of tools
	rm -rf $(VENV) dist site .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache

# Internal: not listed by help.
.PHONY: servers
servers:
	@deploy/install-servers.sh

.PHONY: servers-and-browser
servers-and-browser:
	@deploy/install-servers.sh --tests

$(STAMP): pyproject.toml requirements.lock.txt deploy/make-venv.sh
	@deploy/make-venv.sh $(VENV)
	@touch $@
