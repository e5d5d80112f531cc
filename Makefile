# The only commands anyone types. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Another Python than the one found: PYTHON=/path/to/python make setup
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
READY := $(VENV)/.ready
AUDIT := $(VENV)/audit
PROTOS := $(wildcard protos/razvilka/*/v1/*.proto)
# One more than the two cores that most machines of this kind have: tests wait for processes and clocks, too.
TEST_PROCESSES ?= 4
ARGS ?=
# Their fixtures make a cluster; tests that pull one server's plug or read all its keys stay with one.
ON_A_CLUSTER := $(addprefix services/,\
  gateway/tests/admission/test_admission.py gateway/tests/admission/test_caps.py gateway/tests/admission/test_cluster.py \
  gateway/tests/admission/test_cluster_changes.py gateway/tests/admission/test_cluster_books.py \
  gateway/tests/admission/test_decisions.py gateway/tests/admission/test_holds.py gateway/tests/admission/test_races.py \
  gateway/tests/admission/test_tally.py gateway/tests/metering/test_leader_election.py \
  gateway/tests/inference/test_idempotency.py gateway/tests/inference/test_idempotency_leases.py \
  gateway/tests/management/test_abuse.py auth/tests/accounts/test_login.py auth/tests/oauth/flows/test_device.py \
  router/tests/slots/test_line.py router/tests/slots/test_exchange.py \
  auth/tests/shared/test_revocation.py::test_more_revocations_than_connections_are_pushed) servicekit/tests/test_cluster_client.py

# Whole flows: clients, OAuth, pages, and what of the suite is about limits, holds, sessions, revocation and the line.
WHOLE_ON_A_CLUSTER := tests/compat/test_openai_client.py tests/compat/test_anthropic_client.py tests/compat/test_responses_client.py \
  tests/compat/test_batches_client.py tests/compat/test_contract_1_0.py tests/compat/test_oauth_python.py \
  tests/browser/test_member_jobs.py tests/integration/oauth $(addprefix tests/integration/test_,budgets.py crash_points.py \
  idempotency.py limits.py money.py provider_queue.py revocation.py rights_in_redis.py secrets_stay_secret.py set_budgets.py \
  two_routers.py batches.py user_contexts.py)

export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where a machine sets it, each of the many processes of a suite would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: migrate-1.0 migrate-demo migrate-fuzz migrate-kills compat-1.0 migration-guide demo-data help setup up down status logs
.PHONY: psql bench-clickhouse test-clickhouse test test-sdks test-clients fault-matrix test-under-load
.PHONY: alerts observability dashboards mutation lint fmt types protos protos-check env-example metrics-page oauth-demo journal bench bench-peers bench-floor
.PHONY: bench-migration bench-pages migration-times outage chaos lock check clean holds queue fuzz-http fuzz-description fuzz-grpc audit books forecast-eval anomaly-eval
.PHONY: rotate-signing-key rotate-pepper rotate-database-password rotate-certificates cli-alone assets
.PHONY: bench-usage first-minute backup restore restore-proof rotation-proof chart rolling-restart scale-proof upgrade-proof operations-proof test-cluster test-on-cluster cluster-proof sentinel-proof bench-cluster capacity pages-walk compose-check

help: ## Show what there is
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(READY) ## Install everything into .venv (done once; again only when requirements change)

$(READY): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" UV_VERSION="$(UV_VERSION)" bash tools/setup.sh
	@touch $@

up: $(READY) ## Start the whole suite and print an address, a key and a curl that works
	@RAZVILKA_PROBE_EVERY_S="$${RAZVILKA_PROBE_EVERY_S-300}" $(BIN)/python -m tools.stack up

down: $(READY) ## Stop what `make up` started; the data stays
	@$(BIN)/python -m tools.stack down

status: $(READY) ## Show the running processes
	@$(BIN)/python -m tools.stack status

logs: $(READY) ## Follow the logs; ARGS=gateway for one program
	@$(BIN)/python -m tools.stack logs $(ARGS)

psql: $(READY) ## Open psql in the suite's database; ARGS='-c "SELECT 1"' for one statement
	@$(BIN)/python -m tools.stack psql $(ARGS)

test: $(READY) ## Run every test
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup $(ARGS)

lint: $(READY) protos-check ## Check style, types, import rules, dead code, measures and generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports
	@$(BIN)/vulture
	@$(BIN)/python -m tools.measures
	@$(BIN)/python -m tools.env_example --check
	@$(BIN)/python -m tools.metrics_page --check
	@$(BIN)/python -m tools.dashboards --check

fmt: $(READY) ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

types: $(READY) ## Check types only
	@$(BIN)/mypy .

protos: $(READY) ## Generate Python from the .proto files
	@$(BIN)/python -m tools.protos

protos-check: $(READY) ## Fail when generated Python differs from the .proto files
	@$(BIN)/python -m tools.protos --check

metrics-page: $(READY) ## Generate docs/metrics.md from the declared metrics
	@$(BIN)/python -m tools.metrics_page

dashboards: $(READY) ## Generate Grafana's dashboards from tools/dashboards
	@$(BIN)/python -m tools.dashboards

chart: $(READY) ## Generate the Helm chart deploy/chart from deploy/k8s; ARGS=--check to compare (needs kubectl)
	@$(BIN)/python -m tools.chart $(ARGS)

env-example: $(READY) ## Generate .env.example from the settings classes
	@$(BIN)/python -m tools.env_example

oauth-demo: $(READY) ## Walk through the OAuth flow against the running suite; ARGS=--browser to do it yourself
	@$(BIN)/python -m tools.oauth_demo $(ARGS)

demo-data: $(READY) ## Give the demo account of the running suite ninety days of usage
	@$(BIN)/python -m tools.demo_data

first-minute: up demo-data ## Walk a newcomer's first minute in Chromium through the suite; print its seconds
	@$(BIN)/python -m tools.browser.first_minute

journal: $(READY) ## Look into journals or dead letters: ARGS="inspect PATH", "ship-journals DIR", "replay FILE"
	@$(BIN)/python -m tools.journal $(ARGS)

assets: $(READY) ## Fetch the vendored files of pages from their packages again, and compare
	@$(BIN)/python -m tools.assets

pages-walk: $(READY) ## Look at every page in Chromium in each language, scheme, size and state; pictures in build/pages; ARGS="-k every"
	@RAZVILKA_PAGES_WALK=1 $(BIN)/python -m pytest tests/browser/walk -q -n 0 --timeout=3600 $(ARGS)

cli-alone: $(READY) ## Install the command line into an environment of its own and time `razvilka --help`
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/cli-alone
	@$(BIN)/uv pip install --quiet --python $(VENV)/cli-alone/bin/python ./razvilka_cli
	@$(VENV)/cli-alone/bin/razvilka --help >/dev/null
	@time $(VENV)/cli-alone/bin/razvilka --help >/dev/null

migrate-1.0: $(READY) ## Move a database of release 1.0: ARGS="inspect|plan|run|follow|cutover|way-back|verify|report|invite|undo --source FILE"
	@$(BIN)/python -m migrate $(ARGS)

migrate-demo: $(READY) ## Make a dirty database of release 1.0 that goes on being written to, and move it; ARGS="--keep DIR"
	@$(BIN)/python -m tools.migrate_demo $(ARGS)

migrate-fuzz: $(READY) ## Move 2,000 random dirty databases and account for every row; ARGS="--databases 100 --seed 1"
	@$(BIN)/python -m tests.migration.fuzz $(ARGS)

migrate-kills: $(READY) ## Kill the move and PostgreSQL 300 times, and account for every row; ARGS="--kills 20"
	@$(BIN)/python -m tests.migration.kills $(ARGS)

bench: $(READY) ## Measure throughput, added latency, CPU and memory
	@$(BIN)/python -m bench $(ARGS)

bench-usage: $(READY) ## Ask ten million usage rows every question of the API, and store records; ARGS="--rows 1000000"
	@$(BIN)/python -m bench.usage $(ARGS)

bench-clickhouse: $(READY) ## Ask a hundred million rows of the column store every question; ARGS="--write --rows 1000000 --url http://…"
	@$(BIN)/python -m bench.usage.columns $(ARGS)

test-clickhouse: $(READY) ## Hold the column store to the whole contract of the store of usage, on ClickHouse's engine
	@RAZVILKA_TEST_USAGE_STORES=clickhouse $(BIN)/python -m pytest services/usage/tests/store_contract \
	  services/usage/tests/column_store -n 0 $(ARGS)

bench-pages: $(READY) ## Weigh every page and time it for the demo user and the biggest one; exit 1 beyond the limits; ARGS="--rows 10000000"
	@$(BIN)/python -m bench.pages $(ARGS)

migration-times: $(READY) ## Measure each step of the night at 10⁵, 10⁶ and 10⁷ rows, for docs/migration/guide.md; ARGS="--rows 100000"
	@$(BIN)/python -m bench.migration.times $(ARGS)

bench-migration: $(READY) ## Move a clean database of 1.0, verify it, beside pgloader where it is; ARGS="--rows 5000000"
	@$(BIN)/python -m bench.migration $(ARGS)

rolling-restart: $(READY) ## Restart everything under load behind Caddy; exit 1 when a caller noticed; ARGS="--rate 20 --streams 10"
	@$(BIN)/python -m tools.rolling_restart $(ARGS)

scale-proof: $(READY) ## Take one of each service away under load and add it again; exit 1 when a caller noticed; ARGS="--rate 20"
	@$(BIN)/python -m tools.rolling_restart --scale $(ARGS)

upgrade-proof: $(READY) ## Roll an earlier release to this tree and back under load; ARGS="--from v1.1.0 --rate 20"
	@$(BIN)/python -m tools.upgrade_proof $(ARGS)

outage: $(READY) ## Kill one provider under load and bring it back; say what callers saw, exit 1 when it was too much
	@$(BIN)/python -m bench.outage $(ARGS)

bench-peers: $(READY) ## Measure ours beside LiteLLM, Portkey, MLflow and nginx, installed for it; ARGS="--only portkey"
	@$(BIN)/python -m bench.peers $(ARGS)

bench-floor: $(READY) ## Measure what the libraries alone cost, beside ours and Portkey, part by part; ARGS="--rounds 4"
	@$(BIN)/python -m bench.floor $(ARGS)

backup: $(READY) ## Keep everything but Redis while it runs: ARGS=FOLDER, else below .razvilka/backups
	@$(BIN)/python -m tools.backup take $(ARGS)

restore: $(READY) ## Bring a backup back into an empty folder, verify it, start: RAZVILKA_HOME=ANOTHER make restore ARGS=FOLDER
	@$(BIN)/python -m tools.backup restore $(ARGS)

restore-proof: $(READY) ## Back up under load, restore into a fresh suite, compare every figure
	@RAZVILKA_WHOLE_RESTORE=1 $(BIN)/python -m pytest tests/integration/test_backup.py -q -n 0 $(ARGS)

rotation-proof: $(READY) ## Rotate keys, pepper, passwords and certificates of a suite under load
	@$(BIN)/python -m pytest tests/integration/test_rotation.py -q -n 0

operations-proof: $(READY) ## Rolling restart, fewer and more of each, upgrade and back, restore, rotations: what CI runs every night
	@$(MAKE) rolling-restart ARGS="--rate 20 --streams 10"
	@$(MAKE) scale-proof ARGS="--rate 20 --streams 10"
	@$(MAKE) upgrade-proof ARGS="--rate 20 --streams 10"
	@$(MAKE) restore-proof ARGS=
	@$(MAKE) rotation-proof

rotate-signing-key: $(READY) ## Have the next signing key made now; the present one verifies until its tokens end
	@$(BIN)/python -m tools.rotation signing-key

rotate-pepper: $(READY) ## Store API keys under a new pepper; the one before verifies until they are used
	@$(BIN)/python -m tools.rotation pepper

rotate-database-password: $(READY) ## Give a service's database role a new password: SERVICE=auth
	@$(BIN)/python -m tools.rotation database-password $(SERVICE)

rotate-certificates: $(READY) ## Give every service a new certificate, without a restart
	@$(BIN)/python -m tools.rotation certificates

holds: $(READY) ## Simulate how much of a budget is usable, given how large holds are
	@$(BIN)/python -m tools.holds

queue: $(READY) ## Put 200 callers of 20 users on the providers' real quotas over three routers; ARGS="--only GigaChat"
	@$(BIN)/python -m tools.queue $(ARGS)

fuzz-http: $(READY) ## Throw 50,000 strange requests at a gateway; ARGS="--requests 10000 --seed 1"
	@$(BIN)/python -m tools.fuzz.http $(ARGS)

chaos: $(READY) ## Kill, pause, damage, fill, shift clocks under load with budgets, then audit the books; ARGS="--events 100"
	@$(BIN)/python -m tools.chaos $(ARGS)

fuzz-description: $(READY) ## Ask the running API what its description allows and forbids, one case for each limit of each field
	@RAZVILKA_WHOLE_DESCRIPTION=1 $(BIN)/python -m pytest tests/integration/test_api_description.py -q -n 0 $(ARGS)

fuzz-grpc: $(READY) ## Send random messages to every gRPC service, with and without certificates; ARGS="--messages 100"
	@$(BIN)/python -m tools.fuzz.grpc $(ARGS)

books: $(READY) ## Drive the books through 20,000 random steps and 10,000 random requests over four gateways
	@RAZVILKA_BOOK_STEPS=20000 RAZVILKA_BUDGET_MIXES=10000 $(BIN)/python -m pytest -q -s -n 0 --durations=4 --timeout=3600 \
	  tests/integration/test_books_properties.py tests/integration/test_budgets.py $(ARGS)

forecast-eval: $(READY) ## Judge forecasts of spending on 51 public series, against the week before; exit 1 below the gates
	@$(BIN)/python -m tools.forecast_eval

anomaly-eval: $(READY) ## Judge the alarm of dear days on 51 public series with spikes put in; exit 1 below the gates
	@$(BIN)/python -m tools.anomaly_eval

mutation: $(READY) ## Change the code that counts money and see that tests notice; ARGS="'services.usage.*' --minutes 10"
	@$(BIN)/python -m tools.mutation $(ARGS)

test-sdks: $(READY) ## Run the providers' own SDKs against the emulator, each in an environment made for it
	@RAZVILKA_TEST_SDKS=1 $(BIN)/python -m pytest tests/compat/sdk -n 0 $(ARGS)

test-clients: $(READY) ## Run client libraries against the suite, each in an environment made for it; writes docs/clients.md
	@RAZVILKA_TEST_CLIENTS=1 $(BIN)/python -m pytest tests/compat/clients -n 0 $(ARGS)

compose-check: $(READY) ## Run the client, OAuth and console suites against a suite that runs elsewhere: ARGS=demo.env
	@test -s "$(ARGS)" || { echo "name the file that the service demo of Compose printed: make compose-check ARGS=demo.env (docs/operations/compose.md)" >&2; exit 2; }
	@RAZVILKA_TEST_DEMO_ENV="$(abspath $(ARGS))" $(BIN)/python -m pytest -q -n 0 -rs --ignore=tests/compat/sdk --ignore=tests/compat/release_1_0 \
	  tests/compat tests/integration/oauth tests/browser

compat-1.0: $(READY) ## Hold the contract of release 1.0 against a suite that was moved, or COMPAT_URL=… COMPAT_KEY=…
	@$(BIN)/python -m pytest tests/compat/release_1_0/test_exchanges.py -q -n 0 $(ARGS)

migration-guide: $(READY) ## Follow docs/migration/guide.md to the letter, against a suite that is started for it
	@RAZVILKA_WHOLE_GUIDE=1 $(BIN)/python -m pytest tests/compat/release_1_0/test_guide.py -q -n 0 $(ARGS)

fault-matrix: $(READY) ## Let providers fail in twenty ways; writes the table of docs/reliability.md
	@RAZVILKA_WRITE_FAULT_MATRIX=1 $(BIN)/python -m pytest tests/integration/faults -q -n 0 $(ARGS)

observability: $(READY) ## Check rules, alarms and dashboards with Prometheus' own tools, which must be installed
	@for tool in prometheus promtool amtool; do command -v $$tool >/dev/null || { echo "$$tool is missing: Debian has it in prometheus and prometheus-alertmanager" >&2; exit 1; }; done
	@RAZVILKA_WITH_PROMETHEUS=1 $(BIN)/python -m pytest tools/tests/test_alert_rules.py tools/tests/test_dashboards.py \
	  tests/observability/test_dashboards.py -q -n 0 $(ARGS)
	@RAZVILKA_SERIES_USERS=10000 $(BIN)/python -m pytest services/gateway/tests/test_series.py -q -n 0

capacity: $(READY) ## Say what a rate needs: ARGS="--rate 1000 --streams 50"; --write renews docs/operations/capacity.md
	@$(BIN)/python -m tools.capacity $(ARGS)

alerts: $(READY) ## Inject faults into a suite, see alarms ring at a real Alertmanager, mend, see them end; writes docs/operations/alerts.md
	@RAZVILKA_WITH_PROMETHEUS=1 RAZVILKA_WRITE_ALERTS=1 $(BIN)/python -m pytest tests/observability/test_alerts.py -q -n 0 $(ARGS)

test-cluster: $(READY) ## Run the tests of what uses Redis on a Redis Cluster of three primaries
	@RAZVILKA_TEST_CLUSTER=1 RAZVILKA_CLUSTER_STEPS=5000 $(BIN)/python -m pytest -n 2 $(ON_A_CLUSTER) $(ARGS)

test-on-cluster: $(READY) ## Run tests of the whole suite on a Redis Cluster of three primaries with a replica each; KIND=sentinel: under Sentinel
	@RAZVILKA_TEST_STACK_REDIS=$(or $(KIND),cluster) $(BIN)/python -m pytest -n 2 --dist loadgroup --timeout 300 $(WHOLE_ON_A_CLUSTER) $(ARGS)

bench-cluster: $(READY) ## Measure what an admission takes of one Redis and of a cluster of three: CPU, scripts, bytes
	@$(BIN)/python -m bench.admissions $(ARGS)

cluster-proof: $(READY) ## Kill, move and restart servers of a Redis Cluster under load; no caller may notice, the books are exact
	@$(BIN)/python -m tools.redis_proof cluster $(ARGS)

sentinel-proof: $(READY) ## Kill and restart Redis under Sentinel under load; no caller may notice, the books are exact
	@$(BIN)/python -m tools.redis_proof sentinel $(ARGS)

test-under-load: $(READY) ## Run every test beside four busy processes: no result may depend on speed
	@$(BIN)/python -m tools.under_load $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup $(ARGS)

lock: $(READY) ## Resolve the dependencies anew into the two lock files
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --all-extras pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header tools/audit/requirements.in -o tools/audit/requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header -c requirements.lock pyproject.toml \
	  -o requirements-runtime.lock

audit: $(READY) $(AUDIT)/.ready ## Look for known holes, dangerous calls and secrets; write build/sbom.json
	@$(BIN)/python -m tools.audit $(AUDIT)/bin

$(AUDIT)/.ready: tools/audit/requirements.lock | $(READY)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(AUDIT)
	@$(BIN)/uv pip install --quiet --python $(AUDIT)/bin/python --require-hashes -r $<
	@touch $@

check: lint test ## What the build server runs

clean: ## Remove the environment, caches and generated data (stops the suite first)
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tools.stack down; fi
	@rm -rf $(VENV) .razvilka .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache mutants
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
