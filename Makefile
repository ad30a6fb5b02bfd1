# make demo    score 49,097 real events and see what was found
# make test    everything that must hold; needs nothing but Python 3.11+
#
# Each target first makes .venv (`make install`); a second run finds it there and is fast.
# TORCH=cpu takes the small CPU build of torch where the network offers it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: install demo test check lint types floors tests-and-doctests bench-speed bench-quality constraints clean
.PHONY: bench-feedback bench-detectors bench-synthetic bench-explanations bench-paper bench-ablation bench-gaussians
.PHONY: bench-detection bench-full-length bench-drift bench-clusters needs-data
.PHONY: broker broker-stop chaos demo-kafka bench-kafka

# The first interpreter that is new enough; say PYTHON=... to choose another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

# What was installed once stays: `make install TORCH=cpu` holds for a plain `make test` after it.
TORCH ?= $(or $(patsubst .venv/.installed-%,%,$(wildcard .venv/.installed-*)),default)
STAMP := .venv/.installed-$(TORCH)
UV := .venv/bin/uv --quiet pip
IN_VENV := --python .venv/bin/python

# constraints.txt knows the hashes of the registry's torch. The CPU build is another file with
# other hashes, so TORCH=cpu holds to the same versions and goes without the hashes.
THIRD_PARTY_default := --require-hashes --requirements constraints.txt
THIRD_PARTY_cpu := --torch-backend cpu --no-verify-hashes --constraints constraints.txt \
	--requirements pyproject.toml --all-extras --group dev

install: $(STAMP)

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "no Python 3.11 or later found; install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# uv installs torch and its libraries several times faster than pip; it is a wheel like any other,
# so pip fetches it by the hashes of its own lines in constraints.txt.
.venv/bin/uv: constraints.txt | .venv/bin/python
	sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > .venv/uv.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement .venv/uv.txt
	touch $@

# The project itself is built by the hatchling that was just installed: nothing unpinned comes in.
$(STAMP): pyproject.toml constraints.txt .venv/bin/uv
	$(if $(THIRD_PARTY_$(TORCH)),,$(error TORCH must be cpu or default, got '$(TORCH)'))
	rm -f .venv/.installed-*
	$(UV) install $(IN_VENV) $(THIRD_PARTY_$(TORCH))
	$(UV) install $(IN_VENV) --no-deps --no-build-isolation --editable .
	touch $@

# First the stream as a user runs it, then the figures of the README with the controls beside them.
demo: $(STAMP)
	mkdir -p out
	.venv/bin/stream-dagmm replay shuttle --label anomaly --fresh --out out/scored.jsonl --report out/report.html
	.venv/bin/python -m tests.benchmarks.demo

# Events per second beside HalfSpaceTrees; DATA=folder adds the KDD Cup stream, FAMILY=1 all detectors.
bench-speed: $(STAMP)
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.speed $(DATA) $(if $(FAMILY),--family)

# The README's table of detectors.
bench-detectors: $(STAMP)
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.detectors

# How soon a change of scores is told, beside River's ADWIN and Page-Hinkley, and how often wrongly; whether
# a new normal goes on being an alarm, beside River's filters.
bench-drift: $(STAMP)
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.drift
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.new_normal

test: check

# `make -k check` goes on after a failure and shows all of them.
check: lint types floors tests-and-doctests

lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: $(STAMP)
	.venv/bin/mypy

# Without its cache, which goes on judging a module by what its neighbours were when it last changed.
floors: $(STAMP)
	.venv/bin/lint-imports --no-logo --no-cache

# With CI=true a skipped test is a failure (tests/conftest.py). The tests against Kafka mostly wait and
# the others compute, so they run side by side; what the former say is shown when both have ended.
tests-and-doctests: $(STAMP)
	@.venv/bin/python -m pytest tests/connectors/kafka > .venv/kafka-tests.log 2>&1 & kafka=$$!; \
	others=0; .venv/bin/python -m pytest --ignore=tests/connectors/kafka || others=$$?; \
	against=0; wait $$kafka || against=$$?; \
	cat .venv/kafka-tests.log; exit $$((others > against ? others : against))

# All tables of how well anomalies are found, each into tests/benchmarks/results/ below the command that
# made it: the short ones first (eight minutes), then those that go on where they were when run again.
# About two hours in all on one quiet core; the first run makes an environment of its own for PySAD.
bench-detection: export OMP_NUM_THREADS := 1
bench-detection: needs-data $(STAMP)
	$(MAKE) -j1 bench-detectors bench-drift bench-gaussians bench-clusters
	$(MAKE) -j1 bench-explanations bench-feedback bench-synthetic
	$(MAKE) -j1 bench-paper SEEDS=20
	$(MAKE) -j1 bench-ablation bench-full-length bench-quality

needs-data:
	@[ -n "$(DATA)" ] || { echo "DATA must name a folder of labelled streams, got none: make $(MAKECMDGOALS) DATA=folder" >&2; exit 2; }

bench-quality: needs-data $(STAMP)
	.venv/bin/python -m tests.benchmarks.quality $(DATA) --family --picture tests/benchmarks/results/quality.svg

# The same at full length, for what takes less than 50 microseconds an event.
bench-full-length: needs-data $(STAMP)
	.venv/bin/python -m tests.benchmarks.quality $(DATA) --rows 0 --seeds 1 \
		--results tests/benchmarks/results/full_length.jsonl --methods StreamDAGMM "StreamDAGMM, untrained" \
		"GaussianMixture(1)" "z-score norm" "reservoir distance" "PCA residual" "denoising autoencoder" \
		HalfSpaceTrees OneClassSVM

# The same on streams that need no folder: made up, and outlier sets of bundled data.
bench-synthetic: $(STAMP)
	.venv/bin/python -m tests.benchmarks.held_out

# What each mechanism of StreamDAGMM is worth, one switched off at a time; then joint structure where
# it is everything.
bench-ablation: needs-data $(STAMP)
	.venv/bin/python -m tests.benchmarks.ablation $(DATA)
	.venv/bin/python -m tests.benchmarks.ablation --suite held-out \
		--streams joint_structure curved_structure rotating_clusters --switches joint "several over columns"

# The tables of the paper by its own protocol; SEEDS=20 for the record.
bench-paper: needs-data $(STAMP)
	.venv/bin/python -m tests.benchmarks.paper $(DATA) $(if $(SEEDS),--seeds $(SEEDS))

# Whether the feature that was changed is the one that is named.
bench-explanations: needs-data $(STAMP)
	.venv/bin/python -m tests.benchmarks.explanations $(DATA)

# What ten judgements are worth to the rest of a stream.
bench-feedback: needs-data $(STAMP)
	.venv/bin/python -m tests.benchmarks.feedback $(DATA)

# How well three Gaussians, at rest and moving, are recovered; a table and a figure.
bench-gaussians: $(STAMP)
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.three_gaussians

# How well clusters are found on digits, and what keeps the GMVAE's from falling into one.
bench-clusters: $(STAMP)
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.digits
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.benchmarks.collapse

# A real Kafka on 127.0.0.1:9092 (PORT=... for another); it needs Java 17 and Maven.
broker: $(STAMP)
	.venv/bin/python -m tests.broker start

broker-stop:
	.venv/bin/python -m tests.broker stop

# A broker, a producer of 10,000 real events, the scorer, and its alarms as they come.
demo-kafka: $(STAMP)
	.venv/bin/python -m tests.benchmarks.kafka_demo

# A run beside the same client's bare consume -> produce, interleaved.
bench-kafka: $(STAMP)
	.venv/bin/python -m tests.benchmarks.kafka_throughput --client kafka-python
	.venv/bin/python -m tests.benchmarks.kafka_throughput --client confluent

# From the producer's timestamp to a committed score, at PER_SECOND; ARGS go to `stream-dagmm run`.
.PHONY: bench-kafka-latency bench-kafka-memory
bench-kafka-latency: $(STAMP)
	.venv/bin/python -m tests.benchmarks.kafka_process latency --per-second $(or $(PER_SECOND),3000) $(ARGS)

# The scorer's memory over EVENTS events, which must stay flat after the first fifth.
bench-kafka-memory: $(STAMP)
	.venv/bin/python -m tests.benchmarks.kafka_process memory --events $(or $(EVENTS),5000000) $(ARGS)

# Kill N times at random instants, and compare every byte of the output with a reference; with
# BROKERS=3, KILL=broker or KILL=both kill brokers too; CLIENT=confluent takes the other client.
chaos: $(STAMP)
	.venv/bin/python -m tests.benchmarks.chaos --kills $(or $(N),25) --brokers $(or $(BROKERS),1) \
		--kill $(or $(KILL),scorer) $(if $(SEED),--seed $(SEED)) \
		$(if $(CLIENT),--client $(CLIENT)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(OUT),--out $(OUT))

# Members join and leave every few seconds; the same verdict.
.PHONY: storm
storm: $(STAMP)
	.venv/bin/python -m tests.benchmarks.storm --seconds $(or $(SECONDS),180) $(if $(OUT),--out $(OUT))

# Names, versions, hashes and platform markers of everything above; no address of any registry.
constraints: $(STAMP)
	$(UV) compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --upgrade \
		--custom-compile-command 'make constraints' --output-file constraints.txt > /dev/null
	! grep -n '://' constraints.txt

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
