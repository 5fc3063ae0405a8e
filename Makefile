# make run, make test, make lab: each sets up what it needs first.
PROMPT ?= a yellow star moving right on a gray background
SEED   ?= 0
PYTHON ?= python3
export PROMPT

BIN := .venv/bin
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: run test lab notebooks html colab test-colab test-browser setup clean
.DEFAULT_GOAL := run

run: setup
	@$(BIN)/python -m cogkit generate "$$PROMPT" --seed $(SEED)

# One file per worker at a time, one thread per worker: small tensors gain nothing from a second one.
test: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lab: setup
	@$(BIN)/jupyter lab notebooks

# Run every notebook from top to bottom and store what it shows.
notebooks: setup
	@$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.store_widget_state=False \
	  --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

# The notebooks as pages to read without Jupyter, in outputs/html.
html: setup
	@$(BIN)/jupyter nbconvert --to html --output-dir outputs/html notebooks/*.ipynb

# make colab REPO=owner/name TAG=v0.1.0: the address and the version in every notebook.
colab: setup
	@$(BIN)/python -m cogkit.colab "$(REPO)" "$(TAG)"

# Every notebook in an environment like Colab's, installed by its own first cell, without a network. NOTEBOOKS=02 for one.
test-colab: setup
	@$(BIN)/python -m pytest tests/colab/job.py -k "$(NOTEBOOKS)"

# Every explorer in JupyterLab in Chromium, with ipywidgets 8 and 7.7, by keyboard and by mouse. Pictures: outputs/browser.
test-browser: setup
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[browser]"
	@npm install --silent --no-save --prefix outputs/axe axe-core@4.14.1
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target outputs/ipywidgets-7.7 \
	  "ipywidgets==7.7.*" "jupyterlab_widgets==1.1.*" "widgetsnbextension==3.6.*" ipython_genutils
	@$(BIN)/python -m pytest tests/browser/job.py

setup: .venv/ready

# constraints.txt pins every package; pyproject.toml says which ranges are meant to work.
.venv/ready: pyproject.toml setup.py constraints.txt
	@echo "setting up .venv (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cogkit needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[lab,test]"
	@touch $@

clean:
	rm -rf .venv outputs runs
