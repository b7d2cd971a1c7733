# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Every command installs what it needs into .venv and .venvs; a second run finds it there. docs/development.md explains.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help bench demo docs fuzz test lint sanity lab molecule environment

# The Python to start with. .venv is made with it if it is supported, else with the first supported one found.
PYTHON ?= python3
# For `make lab`: a scenario of tests/lab/scenarios, or a file
SCENARIO ?= demo
# For `make test`: only these tiers, for example TIERS="lint unit"
TIERS ?=
# For `make bench`: only these parts
PARTS ?=
# For `make fuzz`: how long each target runs; only this target; only this input of it (base64, or @FILE)
SECONDS ?= 300
TARGET ?=
INPUT ?=

COLLECTIONS := $(CURDIR)/playbooks/collections
RUN_TIERS := .venv/bin/python tests/tools/tiers.py

# The PowerShell engine of the tests, where it lies beside the repository; else the tests look for pwsh on PATH.
ENGINE := $(abspath $(CURDIR)/../shared/powershell)
ifneq ($(wildcard $(ENGINE)/linux-x64/pwsh),)
export SFB_PWSH ?= $(ENGINE)/linux-x64/pwsh
endif
ifneq ($(wildcard $(ENGINE)/win-x64/pwsh.exe),)
export SFB_PWSH_EXE ?= $(ENGINE)/win-x64/pwsh.exe
endif

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: environment  ## from nothing: lab, audit, remediation, second run, report
	@PATH="$(CURDIR)/.venv/bin:$$PATH" tests/demo/run

test: environment  ## all that CI runs: lint, all tests, the ansible-core matrix, the built artefact
	@$(RUN_TIERS) $(TIERS)

bench: environment  ## what runs cost the controller, measured; only some of it with PARTS="judging bare stock server growth"
	@$(PYTHON) tests/tools/environments.py awx
	@PYTHONPATH="$(CURDIR)/tests:$(COLLECTIONS)" .venv/bin/python -m benchmark $(PARTS)

fuzz: environment  ## fuzz all that reads foreign data, SECONDS=300 each; only one with TARGET=..., one input with INPUT=...
	@FUZZ_SECONDS='$(SECONDS)' FUZZ_TARGET='$(TARGET)' FUZZ_INPUT='$(INPUT)' $(RUN_TIERS) fuzz

docs: environment  ## the documentation site in build/docs, nothing but files
	@.venv/bin/python tests/tools/docs_site.py

lint: environment  ## only the linters
	@$(RUN_TIERS) lint

sanity: environment  ## ansible-test sanity with every ansible-core of the matrix (make test: the oldest and the newest)
	@$(RUN_TIERS) sanity sanity-matrix

lab: environment  ## a lab of simulated servers in the foreground, and its inventory
	@PYTHONPATH="$(CURDIR)/tests:$(COLLECTIONS)" .venv/bin/python -m lab --scenario $(SCENARIO) --directory build/lab

molecule: environment  ## the scenarios of Molecule: converge, again, harm, repair
	@$(RUN_TIERS) molecule

environment:  ## only .venv, which all the above need
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. On Debian and Ubuntu: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) tests/tools/environments.py main
