# `make` or `make help` lists what there is. What is longer than a few lines is in scripts/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# GO is the Go command; ARGS are passed on to `go test` by test and soak: make test ARGS='-run TestKnock -v'
GO ?= go
ARGS ?=
# PKG limits test and soak: make test PKG=./hub/...
PKG ?= ./...
export GO ARGS PKG

.PHONY: help run dev build build-all dist images console api screenshots test soak bench check fmt deps clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build all, run a hub, an agent if there is a Docker Engine, and 20 simulated devices
	@scripts/run.sh

dev: ## like run, and build and start again when a source file changes
	@scripts/dev.sh

build: ## static, stripped binaries in bin/; the console is in the hub where there is Node
	@scripts/build.sh

build-all: ## agent, composer and hub for every kind of machine, in bin/OS-ARCH/
	@scripts/build.sh all

dist: ## a release in dist/: archives for amd64, arm64, armv7, checksums, bills of materials
	@scripts/dist.sh

images: build ## container images of the agent and the hub, by deploy/*.Dockerfile
	@scripts/images.sh

console: ## build the console into web/dist, which the next build of the hub takes in
	@FARSHORE_REQUIRE_NODE=1 scripts/console.sh build

api: ## generate the console's API client from the hub's API
	@FARSHORE_REQUIRE_NODE=1 scripts/console.sh api

screenshots: build ## the README's pictures of the console, from a simulated fleet
	@scripts/screenshots.sh

test: ## set up what tests need (private Docker Engine, browser), run all tests; SKIP_ENGINE=1 does without an engine
	@scripts/test.sh

soak: ## the tests that take too long for `make test`
	@scripts/soak.sh

bench: ## benchmarks into docs/bench/
	@scripts/bench.sh

check: ## format, vet, staticcheck, import rules, deps.txt, cross-compilation, scripts, the console
	@scripts/check.sh

fmt: ## format all Go files
	@$(GO) tool gofumpt -w $$(scripts/gofiles.sh)

deps: ## refresh cmd/*/deps.txt, the lists of what each binary links
	@scripts/deps.sh write

clean: ## remove what was built (data/ of `make run` stays)
	rm -rf bin dist .cache
	find web/dist -mindepth 1 ! -name .gitignore -delete
