# make demo [STUDY=nucleation]   from nothing to figures and a report in runs/demo-STUDY/
# make test                      format, lint and the test suite
# make slurm                     whole chains on a real Slurm of two nodes, on this machine (Debian's slurm-wlm and munge)
# make check                     types, and the tests that take long, with their coverage: whole chains, a real Slurm, faults, trainings
# make bench                     attempts per second beside the peers'
# make gpu                       on a machine with an NVIDIA GPU: tests, rates and a page to send, in half an hour
# Each makes .venv and installs the pinned packages if they are missing. On a machine with an NVIDIA GPU the cupy that
# fits its driver is installed too; CUDA= (empty) leaves it out, CUDA=cuda12 or cuda13 chooses it.

PYTHON ?= python3
STUDY ?= nucleation
RUN ?= runs/demo-$(STUDY)
DEVICE ?= auto
CUDA_MAJOR := $(shell nvidia-smi 2>/dev/null | sed -n 's/.*CUDA Version: \([0-9]*\).*/\1/p')
CUDA ?= $(if $(CUDA_MAJOR),$(if $(filter 12,$(CUDA_MAJOR)),cuda12,cuda13))
INSTALL = .venv/bin/pip install --quiet --constraint constraints.txt --editable
PACKAGES = setup.cfg pyproject.toml constraints.txt

.PHONY: demo test slurm check bench gpu clean
.DELETE_ON_ERROR:

demo: .venv/installed
	.venv/bin/python -m jobs $(STUDY) all jobs/$(STUDY)/demo.yaml --run $(RUN) --device $(DEVICE)
	.venv/bin/python -m analysis $(STUDY) $(RUN)

test: .venv/installed-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check --quiet .
	.venv/bin/python -m pytest -n auto --dist loadfile -m "not slow"

slurm: .venv/installed-test
	QUENCH_REQUIRE_SLURM=1 .venv/bin/python -m pytest -n 3 --dist loadfile -m "slow and not long" tests/test_slurm_lives.py tests/test_slurm_pipeline.py

check: .venv/installed-test
	.venv/bin/mypy
	.venv/bin/python -m pytest --cov=kernels --cov=jobs --cov=analysis --cov-report=term:skip-covered -n $$(( ($$(nproc) * 3 + 1) / 2 )) --dist loadfile -m "slow and not long"  # they often wait

bench: .venv/installed-test
	.venv/bin/python -m tests.bench

gpu: .venv/installed-test
	.venv/bin/python -m tests.gpu

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Quench needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/pip $(PACKAGES)
	$(INSTALL) '.$(if $(CUDA),[$(CUDA)])'
	@touch $@

.venv/installed-test: .venv/bin/pip $(PACKAGES)
	$(INSTALL) '.[test$(if $(CUDA),$(comma)$(CUDA))]'
	@touch $@ .venv/installed

comma := ,

clean:
	rm -rf .venv build *.egg-info
