# Two targets to know: `make book` and `make test`. Each sets up everything from nothing.
# The commands are plain: CONTRIBUTING.md lists them for machines without make.
PYTHON ?= python3
VENV := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python

.PHONY: book test test-slow test-colab test-lab lint links results processors benchmark zip teachers book-modern address environment clean

book: environment  ## run every notebook, build the pages, test them
	$(VENV) tools/build.py full

test: environment  ## library, notebooks (quick), solutions, pages of a quick build
	$(VENV) tools/check.py

test-slow: environment  ## what takes too long for every day
	$(VENV) -m pytest -q -m slow tests

test-colab: environment  ## run two chapters where nothing is installed but what Colab has; needs the network
	$(VENV) tools/colab.py $(CHAPTERS)

test-lab: environment  ## open two chapters in JupyterLab, in a browser, and use the widgets with a live kernel; pictures in _build/lab/screens
	$(VENV) tools/lab.py $(CHAPTERS)

lint: environment
	$(VENV) -m pytest -q tests/test_style.py tests/test_notebooks.py tests/test_plain.py

links: environment  ## ask every external link whether it is still there; needs the network
	$(VENV) tools/linkcheck.py

zip: environment  ## the pages of the last `make book` as a zip that opens from any folder
	$(VENV) tools/pack.py site

teachers: environment  ## the notebooks without their solutions
	$(VENV) tools/pack.py teachers

book-modern: environment  ## the pages once more, on today's Sphinx without Jupyter Book
	$(VENV) tools/modern/run.py

results: environment  ## the chapters' tables over seeds that their cells have outgrown; an hour if all have
	$(VENV) tools/results.py

processors: environment  ## every chapter as other processors would run it, and with other seeds: an hour if all have changed
	$(VENV) tools/processors.py

benchmark: environment  ## beside vegans, torchgan and a textbook loop; half an hour, on a machine with nothing else to do
	$(VENV) benchmarks/run.py

address:  ## write the repository's address wherever it stands: make address URL=https://github.com/someone/gan-book [BRANCH=main]
	@test -n "$(URL)" || { echo "which address? make address URL=https://github.com/someone/gan-book [BRANCH=main]"; exit 2; }
	$(PYTHON) tools/stamp.py "$(URL)" $(BRANCH)

environment:
	$(PYTHON) tools/environment.py

clean:  ## all that was built, but for .venv
	rm -rf _build node_modules web/vendor build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
