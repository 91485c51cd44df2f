# `make lab` opens the course, `make test` checks everything, `make help` lists the rest.
# Written for POSIX sh and for GNU make from 3.81 on, the one that macOS brings.

# PYTHON=… names the Python that makes .venv; without it the first one of these that is new enough.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
LESSON := notebooks/00_first_colors.ipynb
# More arguments for JupyterLab: make lab LAB_ARGS="--no-browser --port 9999"
LAB_ARGS :=
WORKERS := 2

VENV := .venv
RUN := $(VENV)/bin/python
# Written when all is installed, with the folder that it was installed for: an environment holds
# absolute paths, so a checkout that was moved needs a new one.
READY := $(VENV)/.ready
# There while an install is on the way. Found at the start, it means that one was cut short.
UNFINISHED := $(VENV)/.unfinished
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
AGAIN := $(shell test "$$(cat $(READY) 2>/dev/null)" = "$$(pwd -P)" && $(RUN) -c "" 2>/dev/null || echo again)

# Colab's versions have an environment of their own. Its stamp names the Python too.
COLAB_PYTHON ?= python3.13
COLAB := .venv-colab
COLAB_READY := $(COLAB)/.ready
COLAB_FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
COLAB_AGAIN := $(shell test "$$(cat $(COLAB_READY) 2>/dev/null)" = "$$(pwd -P) $(COLAB_PYTHON)" && $(COLAB)/bin/python -c "" 2>/dev/null || echo again)

# onnxruntime-web, which the page in the browser runs: npm fetches it.
RUNTIME := colorlab/page/vendor/ort.wasm.bundle.min.mjs

.PHONY: help setup lab page site test quick lint notebooks browser colab clean again
.NOTPARALLEL:

help:
	@echo "make lab        set up, then open the course in JupyterLab"
	@echo "make page       set up, then build the page that colors in the browser, in site-page/"
	@echo "make site       set up, then build the course as a web site, in site-html/"
	@echo "make test       set up, then lint, all tests and all notebooks, these in a browser too"
	@echo "make quick      set up, then lint and the tests that take no patience: under two minutes"
	@echo "make setup      the set-up alone: everything into $(VENV)"
	@echo "make lint       ruff"
	@echo "make notebooks  run every notebook from top to bottom"
	@echo "make browser    run every lesson in JupyterLab in Chromium, and move its widgets"
	@echo "make colab      run every lesson with Colab's versions, set up in $(COLAB)"
	@echo "make clean      remove $(VENV), $(COLAB) and all caches"
	@echo ""
	@echo 'PYTHON=/path/to/python3 makes $(VENV) with that Python (3.11 or newer).'
	@echo 'COLAB_PYTHON=python3.12 makes $(COLAB) with that Python (3.11 to 3.13; Colab has 3.13).'
	@echo 'CHROMIUM=/path/to/chrome names the browser to test with.'
	@echo 'LAB_ARGS="--no-browser --port 9999" goes to JupyterLab.'

setup: $(READY)
	@echo "$(VENV) is ready."

$(READY): pyproject.toml constraints.txt $(AGAIN)
	@if test -e $(UNFINISHED) || { test -e $(READY) && test -n "$(AGAIN)"; } || \
	    ! $(RUN) -c '$(NEW_ENOUGH)' 2>/dev/null; then \
	    found=; old=; \
	    for python in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	        if "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then found=$$python; break; fi; \
	        version=$$("$$python" --version 2>&1) && old="$$old $$python is $$version;"; \
	    done; \
	    if test -z "$$found"; then \
	        echo "colorlab needs Python 3.11 or newer:$${old:- found none;}" \
	            "install one (python.org), or name it: make setup PYTHON=/path/to/python3" >&2; \
	        exit 1; \
	    fi; \
	    if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	        echo "$$found can't make virtual environments (no venv or ensurepip):" \
	            "on Debian and Ubuntu run: sudo apt install python3-venv" >&2; \
	        exit 1; \
	    fi; \
	    echo "Setting up $(VENV) with $$("$$found" --version): some minutes, once."; \
	    rm -rf $(VENV) && mkdir $(VENV) && touch $(UNFINISHED) && "$$found" -m venv $(VENV); \
	fi
	@rm -f $(READY) && touch $(UNFINISHED)
# The pinned setuptools builds the package too, so that nothing unpinned takes part.
	$(RUN) -m pip install --disable-pip-version-check -q -c constraints.txt setuptools
	$(RUN) -m pip install --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	@rm $(UNFINISHED) && pwd -P > $(READY)

# .jupyter switches JupyterLab's news pop-up off.
lab: $(READY)
	JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
	    $(RUN) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" \
	    --LabApp.default_url=/lab/tree/$(LESSON) $(LAB_ARGS)

page: $(READY) $(RUNTIME)
	$(RUN) -m colorlab page -o site-page --overwrite

# A folder of files that can be put on the web as it is.
site: $(READY) $(RUNTIME)
	$(RUN) site/build.py -o site-html

# Without npm, or without a connection, only a line says so: what needs it tells more.
$(RUNTIME): colorlab/page/package-lock.json | $(READY)
	@$(RUN) -c "from colorlab.page import fetch_runtime as f; f()" 2>/dev/null || \
	    echo "onnxruntime-web is not here: the page can't be built or tested (npm fetches it)."

lint: $(READY)
	$(RUN) -m ruff check .

test: lint
	$(RUN) -m pytest -n $(WORKERS) tests
	@$(MAKE) --no-print-directory notebooks
	@$(MAKE) --no-print-directory browser

# Without what trains, starts processes or servers, or plays a whole lesson.
quick: lint
	$(RUN) -m pytest -n $(WORKERS) -m "not slow" tests

# One thread a notebook: several notebooks whose threads share the processors wait for each other.
# Offline: who has an account at Kaggle must not download its sets in a test. Fewer steps: lesson 06
# trains for minutes to show something, and for seconds to be tested.
IN_TESTS := COLORLAB_OFFLINE=1 COLORLAB_STEPS=60 OMP_NUM_THREADS=1
notebooks: $(READY) $(RUNTIME)
	$(if $(wildcard notebooks/*.ipynb),,$(error notebooks/ holds no lesson to run))
	$(IN_TESTS) $(RUN) -m pytest --nbval-lax --nbval-current-env \
	    --nbval-cell-timeout=900 -n $(WORKERS) --dist loadscope notebooks

# In one process: two browsers at once would measure each other. Without Chromium these tests are
# skipped, with CI=true they fail; CHROMIUM=/path/to/it names one that is not found by itself.
browser: $(READY) $(RUNTIME)
	$(IN_TESTS) $(RUN) -m pytest tests/browser

# Errors fail. Outputs are not compared: other versions may print other digits.
colab: $(COLAB_READY)
	$(if $(wildcard notebooks/*.ipynb),,$(error notebooks/ holds no lesson to run))
	@passed=0; failed=0; \
	for notebook in notebooks/*.ipynb; do \
	    start=$$(date +%s); \
	    if $(IN_TESTS) PYDEVD_DISABLE_FILE_VALIDATION=1 $(COLAB)/bin/jupyter-execute --timeout=900 \
	        "$$notebook"; then word=passed; passed=$$((passed + 1)); else word=FAILED; failed=$$((failed + 1)); fi; \
	    echo "$$notebook $$word in $$(($$(date +%s) - start)) s"; \
	done; \
	echo "colab: $$passed passed, $$failed failed"; test $$failed = 0

# Made anew whenever what it stands on has changed: pip would keep what is no longer asked for.
$(COLAB_READY): pyproject.toml constraints-colab.txt $(COLAB_AGAIN)
	@if ! "$(COLAB_PYTHON)" -c '$(COLAB_FITS)' 2>/dev/null; then \
	    echo "Colab's versions need Python 3.13, or 3.11 or 3.12 in its place: $(COLAB_PYTHON) does not" \
	        "run here or is none of them; install one (python.org), or name it:" \
	        "make colab COLAB_PYTHON=python3.12" >&2; \
	    exit 1; \
	fi
	@echo "Setting up $(COLAB) with $$("$(COLAB_PYTHON)" --version): some minutes, once."
	@rm -rf $(COLAB)
	"$(COLAB_PYTHON)" -m venv $(COLAB)
	$(COLAB)/bin/python -m pip install --disable-pip-version-check -q -c constraints-colab.txt setuptools
	$(COLAB)/bin/python -m pip install --disable-pip-version-check -q --no-build-isolation \
	    -c constraints-colab.txt -e '.[onnx]' ipykernel nbclient scikit-image
	@echo "$$(pwd -P) $(COLAB_PYTHON)" > $(COLAB_READY)

clean:
	rm -rf $(VENV) $(COLAB) site-page site-html colorlab/page/vendor site/vendor tests/browser/artifacts build dist colorlab.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +
