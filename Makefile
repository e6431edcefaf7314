# What a person types. `make` lists it, `make check` is what CI runs on Linux.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The image's name, and where `make push` pushes it to: `make push IMAGE=registry.example.com/monitoring-rs:0.1.0`.
IMAGE ?= monitoring-rs:latest
# What `monitoring-rs --version` in the image says.
export COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
# Both generations of Docker Compose do.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
KUBECTL ?= kubectl
MINIKUBE ?= minikube

# How many bytes of generated log a bench reads in each format, and how many seconds it watches latency and idling.
export BENCH_BYTES ?= 1000000000
export BENCH_SECONDS ?= 10
# How many states of the medium are tried, how many actions against the model of the collector, and how often the agent is
# killed; CRASH_SEED, MODEL_SEED and KILL_SEED repeat a run. `make check-test` tries a few of the first two.
crash-simulated: export CRASH_STATES ?= 5000
check-model: export MODEL_ACTIONS ?= 100000
crash-killed: export KILLS ?= 200
# What is benched in small, or killed, need not be as fast as a release, and is built in half the time.
check-bench crash-killed: export CARGO_PROFILE_BENCH_LTO ?= off
check-bench crash-killed: export CARGO_PROFILE_BENCH_CODEGEN_UNITS ?= 16
# How long each fuzz target runs.
export FUZZ_SECONDS ?= 60

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- With containers ---

.PHONY: monitoring
monitoring: ## Build the image, and collect what the writer logs; http://localhost:8000
	$(COMPOSE) up --build --detach monitoring

.PHONY: writer
writer: ## Write a line a second to the shared volume
	$(COMPOSE) up --detach writer

.PHONY: inspect
inspect: ## Show what is in the shared volume
	$(COMPOSE) run --rm inspect

.PHONY: rotate
rotate: ## Rename the writer's file, as a log rotation does
	$(COMPOSE) run --rm rotate

.PHONY: down
down: ## Stop the containers and delete their volumes
	$(COMPOSE) --profile tools down --volumes --remove-orphans

.PHONY: dockertest
dockertest: ## Run the tests in a container
	$(COMPOSE) --profile tools build test
	$(COMPOSE) run --rm test

.PHONY: dockerlint
dockerlint: ## Run the lints in a container
	$(COMPOSE) --profile tools build lint
	$(COMPOSE) run --rm lint

.PHONY: push
push: ## Build the image and push it: make push IMAGE=registry.example.com/monitoring-rs:0.1.0
	docker build --build-arg COMMIT --tag $(IMAGE) .
	docker push $(IMAGE)

.PHONY: deb
deb: ## Build a package for Debian and Ubuntu, into target/debian (needs cargo-deb: cargo install cargo-deb --locked)
	cargo deb --locked

.PHONY: check-deb
check-deb: deb ## Install, upgrade, remove and purge the package in a fresh Debian tree (needs root, and debootstrap)
	e2e/deb.sh "$$(ls -t target/debian/*.deb | head -1)"

# What a release is built for; .github/workflows/release.yml names them all. `rustup target add` it first, and for musl install
# musl-tools. Where there is none, make dist DIST_TARGET=x86_64-unknown-linux-gnu gives a static binary as well.
DIST_TARGET ?= $(shell uname -m)-unknown-linux-musl
# Times in archives and packages are the commit's.
DIST_TIME = SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}

.PHONY: dist
dist: ## Build what a release has for DIST_TARGET, into target/dist: archive, deb, rpm, SBOM and their SHA256SUMS
	rm -rf target/dist
	deploy/release/build.sh $(DIST_TARGET) target/dist
	$(DIST_TIME) cargo deb --locked --no-build --no-strip --target $(DIST_TARGET) --output target/dist/
	$(DIST_TIME) cargo generate-rpm --target $(DIST_TARGET) --output target/dist/
	$(DIST_TIME) deploy/release/sbom.py $(DIST_TARGET) >target/dist/monitoring-rs-$(DIST_TARGET).cdx.json
	cd target/dist && sha256sum monitoring-rs* >SHA256SUMS

.PHONY: rpm
rpm: ## Build a package for Fedora, openSUSE and others, into target/rpm (needs cargo-generate-rpm: cargo install cargo-generate-rpm --locked)
	rm -rf target/rpm
	deploy/release/build.sh $(DIST_TARGET) target/rpm
	$(DIST_TIME) cargo generate-rpm --target $(DIST_TARGET) --output target/rpm/
	$(DIST_TIME) cargo generate-rpm --target $(DIST_TARGET) --output target/rpm/newer.rpm --set-metadata 'release = "2"'

.PHONY: check-rpm
check-rpm: rpm ## Install, upgrade and remove the package in a tree of its own (needs root, rpm and busybox-static)
	e2e/rpm.sh target/rpm/monitoring-rs-*.rpm target/rpm/newer.rpm

.PHONY: sbom
sbom: ## What the binary is made of, as CycloneDX, into target/monitoring-rs-DIST_TARGET.cdx.json
	mkdir -p target
	$(DIST_TIME) deploy/release/sbom.py $(DIST_TARGET) >target/monitoring-rs-$(DIST_TARGET).cdx.json

.PHONY: check-reproducible
check-reproducible: ## Build the release twice, in two places: one SHA-256 (takes twice as long as a release's build)
	$(call step,Reproducible,e2e/reproducible.sh $(DIST_TARGET))

.PHONY: check-install
check-install: ## Install from a server on this machine with install.sh, tampered with and on machines that lack something
	$(call step,install.sh,cargo build --locked && e2e/install.sh target/debug/monitoring-rs)

.PHONY: check-compose
check-compose: ## Try the Compose example without an engine: its settings, and who is let in (needs root, docker-compose, PyYAML)
	$(call step,Compose example,cargo build --locked && e2e/compose.py target/debug/monitoring-rs)

SCRIPTS = e2e/deb.sh e2e/install.sh e2e/manifests.sh e2e/reproducible.sh e2e/rpm.sh e2e/workflows.sh
.PHONY: check-scripts
check-scripts: ## What shellcheck says of the scripts that run on other people's machines
	$(call step,Scripts,shellcheck install.sh deploy/debian/* deploy/rpm/* deploy/release/*.sh \
	    && shellcheck --severity warning $(SCRIPTS) tests/golden/make.sh)

.PHONY: check-workflows
check-workflows: ## What actionlint says of the workflows (needs python3-venv, shellcheck)
	$(call step,Workflows,e2e/workflows.sh)

.PHONY: check-unit
check-unit: ## What systemd thinks of the service: how much it could do to the machine, under 2.0 of 10
	systemd-analyze security --offline=true --threshold=20 deploy/systemd/monitoring-rs.service

.PHONY: check-forward
check-forward: ## Kill two agents KILLS times while one forwards to the other, and count each line there
	$(call step,Forwarding with kills,cargo build --locked --release && e2e/forward.py target/release/monitoring-rs)

.PHONY: check-alerts
check-alerts: ## Tell Alertmanager of alerts beside Prometheus, which has to tell the same (needs prometheus, prometheus-alertmanager)
	$(call step,Alerts beside Prometheus,cargo build --locked --release && promtool test rules e2e/agent.prometheus.test.yaml \
	    && e2e/alerts.py target/release/monitoring-rs)

.PHONY: check-receivers
check-receivers: ## Forward to receivers that are busy, strict, broken, away or slow (needs the Python package opentelemetry-proto)
	$(call step,Forwarding to bad receivers,cargo build --locked --release && e2e/receivers.py target/release/monitoring-rs)

.PHONY: bench-forward
bench-forward: ## Measure how fast a backlog is forwarded, what that costs, and how late a line arrives
	cargo build --locked --release
	e2e/forward.py target/release/monitoring-rs bench
	e2e/receivers.py target/release/monitoring-rs bench backlog

.PHONY: check-limits
check-limits: ## Ask a million times, at random, for what a token that is held to some streams may not see, and see what time tells of it
	FUZZ_REQUESTS=$(or $(FUZZ_REQUESTS),1000000) cargo test --locked --test it access::who_sees
	cargo build --locked --release && e2e/limits.py target/release/monitoring-rs

.PHONY: check-tls
check-tls: ## Try the agent's TLS as testssl does: versions, ciphers, renegotiation, reload, 10,000 half-open connections (needs openssl)
	$(call step,TLS,cargo build --locked --release && e2e/tls.py target/release/monitoring-rs)

.PHONY: kubelet
kubelet: ## Play a kubelet for longer than the tests do: make kubelet KUBELET_STEPS=2000 KUBELET_SEED=7
	KUBELET_STEPS=$(or $(KUBELET_STEPS),2000) KUBELET_SEED=$(or $(KUBELET_SEED),1) cargo test --locked --test it kubelet::

# --- On minikube ---

.PHONY: kuberun
kuberun: ## Build the image inside minikube and start the agent as a pod on it
	$(MINIKUBE) image build --tag $(IMAGE) .
	$(KUBECTL) apply --kustomize deploy/minikube
	$(KUBECTL) --namespace monitoring rollout status daemonset/monitoring-rs --timeout=120s
	@echo 'To query it: $(KUBECTL) --namespace monitoring port-forward service/monitoring-rs 8000'

.PHONY: kubecleanup
kubecleanup: ## Remove the agent from minikube; its data stays on the node in /var/lib/monitoring-rs
	$(KUBECTL) delete --kustomize deploy/minikube --ignore-not-found

.PHONY: manifests
manifests: ## Write deploy/kubernetes.yaml: the base, and so all that a cluster needs, in one file
	{ echo '# What `kubectl kustomize deploy/kubernetes` gives, for `kubectl apply -f`; `make manifests` writes it, and docs/access.md says'; \
	  echo '# what belongs into the Secret that its pods wait for.'; $(KUBECTL) kustomize deploy/kubernetes; } >deploy/kubernetes.yaml

.PHONY: check-manifests
check-manifests: ## Whether the chart gives what the manifests do, and all of it is valid by Kubernetes' schemas (needs kubectl, python3-venv)
	$(call step,Manifests,e2e/manifests.sh)

# --- The page (needs Node 20.19 or later; the built page is committed, so nothing else does) ---

ui/node_modules: ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund
	touch ui/node_modules

.PHONY: ui
ui: ui/node_modules ## Build the page: ui/src to ui/dist, which the binary embeds
	cd ui && npm run build

.PHONY: check-ui
check-ui: ui/node_modules ## Test the page: types, units, that ui/dist is what ui/src builds, and in Chromium
	$(call step,Page: types and units,cd ui && npm run check && npm test)
	$(call step,Page: built as committed,cd ui && npm run build && git status --porcelain --untracked-files=all -- dist | (! grep .))
	$(call step,Page: in Chromium,cargo build --locked --release && cd ui && npm run test:browser)

.PHONY: bench-ui
bench-ui: ui/node_modules ## Measure the page in Chromium against its budgets
	cargo build --locked --release
	cd ui && npm run bench

.PHONY: shots
shots: ui/node_modules ## Take the screenshots of the page that a person looks at, into ui/tests/browser/out
	cargo build --locked --release
	cd ui && npm run shots

# --- On this machine ---

.PHONY: check
check: check-format check-lint check-test check-doc check-scripts check-install check-compose check-ui e2e faults attack check-bench crash ## Everything that CI runs on Linux

# Each step prints a heading and how long it took.
define step
	@printf '\n=== %s ===\n' '$(1)'; start=$$SECONDS; $(2); printf '=== %s: %d s ===\n' '$(1)' $$((SECONDS - start))
endef

.PHONY: check-format
check-format:
	$(call step,Format,cargo fmt --check)

.PHONY: check-lint
check-lint:
	$(call step,Lints,cargo clippy --locked --all-targets -- -D warnings)
	$(call step,Fuzz targets,cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir target)

.PHONY: check-test
check-test:
	$(call step,Tests,cargo test --locked)

.PHONY: check-doc
check-doc:
	$(call step,Documentation,RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items)

.PHONY: check-bench
check-bench:
	$(call step,Bench in small,BENCH_BYTES=50000000 BENCH_SECONDS=2 cargo bench --locked --bench collector)
	$(call step,Query bench in small,BENCH_BYTES=60000000 BENCH_CORPORA=mixed cargo bench --locked --bench query)
	$(call step,Database bench in small,BENCH_BYTES=80000000 BENCH_OPEN_BYTES=160000000 cargo bench --locked --bench database)

.PHONY: crash
crash: crash-simulated check-model crash-killed ## Crash the database in 5,000 simulated ways, the collector in a model, and kill the agent 200 times

.PHONY: crash-simulated
crash-simulated:
	$(call step,Simulated crashes,cargo test --locked --lib log_database::tests::states -- --nocapture)

# Not optimized: what `cargo test` built is here already, and takes less time to run than an optimized one to build.
MODEL_SEEDS ?= 1
.PHONY: check-model
check-model: ## Try rotations, crashes and power cuts against a model of the collector, 100,000 from each of MODEL_SEEDS
	$(call step,Model of the collector,for seed in $(MODEL_SEEDS); do MODEL_SEED=$$seed cargo test --locked --lib ingest::tests::every -- --nocapture; done)

.PHONY: crash-killed
crash-killed:
	$(call step,kill -9,cargo bench --locked --bench kill)

.PHONY: crash-long
crash-long: ## As `make crash`, with 1,000,000 states, 1,000,000 actions and 10,000 kills; takes hours
	CRASH_STATES=1000000 MODEL_ACTIONS=1000000 KILLS=10000 $(MAKE) crash

.PHONY: faults
faults: ## Let real file systems fail under the agent: full, broken, read-only, in use (needs root)
	$(call step,Faults of file systems,e2e/faults.sh)

.PHONY: attack
attack: ## Attack a real agent as a client, as another user and through its data; ATTACK_SCALE=10 for longer (needs root)
	$(call step,Attacks,cargo build --locked --release && e2e/attack.py target/release/monitoring-rs)

.PHONY: check-fuzz
check-fuzz: ## Fuzz each target for some seconds; not part of `check`, as the targets take minutes to build
	$(call step,Fuzz in short,FUZZ_SECONDS=6 fuzz/run.sh)

.PHONY: e2e
e2e: ## Try the agent on this machine's logs and with LogQL cases, and its image on a Docker engine of its own (needs root)
	$(call step,End to end on this machine,e2e/host.sh)
	$(call step,End to end with hostile files and limits,e2e/hostile.sh)
	$(call step,End to end with real rotators,cargo build --locked --release && e2e/rotators.py target/release/monitoring-rs)
	$(call step,End to end with systemd and its journal,cargo build --locked --release && e2e/journal.py target/release/monitoring-rs)
	$(call step,LogQL cases,e2e/logql.sh)
	$(call step,End to end between two agents,cargo build --locked --release && KILLS=$${FORWARD_KILLS:-20} e2e/forward.py target/release/monitoring-rs)
	$(call step,End to end with Docker,e2e/docker.sh)

.PHONY: soak
soak: ## Use the agent for 90 minutes as everybody at once does, and count every line (needs root); SOAK_SECONDS=60 is a short one
	$(call step,Soak,cargo build --locked --release && e2e/soak.py target/release/monitoring-rs)

.PHONY: bench-collector
bench-collector: ## Measure backlog speed, latency and idle costs beside rsyslog, `wc -l` and `zstd -1`
	cargo bench --locked --bench collector

.PHONY: bench-query
bench-query: ## Measure queries over HTTP beside ripgrep pipelines, and check that they agree (needs rg)
	cargo bench --locked --bench query

.PHONY: bench-hostile
bench-hostile: ## Measure how lines come in, and memory, while 64 clients ask for all they can get
	cargo bench --locked --bench hostile

.PHONY: bench-database
bench-database: ## Measure size, searches and opening of the database beside zstd and ripgrep (needs rg)
	cargo bench --locked --bench database

.PHONY: bench-growth
bench-growth: ## Measure how cost grows with what is stored: 1, 10 and 128 GB, which takes 11 GB of disk and about an hour
	BENCH_BYTES=0 BENCH_OPEN_BYTES=$(or $(BENCH_OPEN_BYTES),128000000000) cargo bench --locked --bench database

.PHONY: bench-journal
bench-journal: ## Measure 1,000,000 entries of systemd's journal beside `journalctl -o cat`, `-o json`, `-u` and `-g` (needs systemd-journal-remote)
	cargo build --locked --release
	JOURNAL_ENTRIES=$(or $(JOURNAL_ENTRIES),1000000) e2e/journal.py target/release/monitoring-rs bench

.PHONY: bench-names
bench-names: ## Measure what names of pods and containers cost: first lines, memory, requests, queries
	cargo build --locked --release
	MONITORING_RS=$(CURDIR)/target/release/monitoring-rs cargo test --locked --test it names::figures -- --ignored --nocapture --test-threads 1

.PHONY: bench-client
bench-client: ## Measure exports, the last lines and following in a terminal beside `cat` and `tail -F`
	cargo bench --locked --bench client

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZ_SECONDS, or some: make fuzz FUZZ_SECONDS=3600 FUZZ_TARGETS='block_decode logql_parse'
	fuzz/run.sh $(FUZZ_TARGETS)
