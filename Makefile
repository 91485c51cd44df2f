# `make lab` opens the course, `make test` checks everything, `make help` lists the rest.
# What they do stands in make.py, which also runs where there is no make: `py make.py lab`. Here is
# only the way to a Python that runs it; PYTHON=…, WORKERS=… and the like reach it by themselves, as
# make puts them into the environment.
# Written for POSIX sh and for GNU make from 3.81 on, the one that macOS brings.

PYTHONS := $(if $(PYTHON),"$(PYTHON)") python3 python3.14 python3.13 python3.12 python3.11 python

.PHONY: help setup lab page site test quick lint notebooks browser colab clean
.NOTPARALLEL:

help setup lab page site test quick lint notebooks browser colab clean:
	@for python in $(PYTHONS); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then \
	        exec "$$python" make.py $@; \
	    fi; \
	done; \
	echo "colorlab needs Python 3.11 to 3.14: found none;" \
	    "install one (python.org), or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 1
