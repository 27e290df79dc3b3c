"""Sphinx's settings for the second build, read from `_config.yml`: that stays the one place where they are written.

What stands here is what Jupyter Book 1 adds to them, under Sphinx's names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_book: dict[str, Any] = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
_sphinx, _html, _execute, _repository = (_book[name] for name in ("sphinx", "html", "execute", "repository"))
_settings: dict[str, Any] = dict(_sphinx["config"])
sys.path[:0] = [str(ROOT), *(str(ROOT / folder) for folder in set(_sphinx["local_extensions"].values()))]

project, html_title = _book["project"], _book["title"]
author, copyright = _book["author"], _book["copyright"]
exclude_patterns = _book["exclude_patterns"]
external_toc_exclude_missing = _book["only_build_toc_files"]
myst_enable_extensions = _book["parse"]["myst_enable_extensions"]
myst_url_schemes = ["mailto", "http", "https"]
suppress_warnings = ["myst.domains"]
numfig = True

nb_execution_mode = _execute["execute_notebooks"]
nb_execution_timeout = _execute["timeout"]
nb_execution_allow_errors = _execute["allow_errors"]
nb_execution_cache_path = os.environ["GANLIB_NOTEBOOK_CACHE"]

#: The wrapper itself, and what only serves it.
extensions = [name for name in _settings.pop("extensions") if name not in ("jupyter_book", "sphinx_comments")]
pygments_style = "sphinx"
html_theme = extensions.pop(extensions.index("sphinx_book_theme"))
html_favicon = str(ROOT / _html["favicon"])
html_sourcelink_suffix = ""
html_static_path = [str(ROOT / folder) for folder in _settings.pop("html_static_path")]
html_theme_options = {
    "search_bar_text": "Search this book...",
    "home_page_in_toc": True,
    "path_to_docs": _repository["path_to_book"],
    "repository_url": _repository["url"],
    "repository_branch": _repository["branch"],
    "launch_buttons": _book["launch_buttons"],
    **{name: value for name, value in _html.items() if name.startswith("use_") or name == "extra_footer"},
    **_settings.pop("html_theme_options"),
}
globals().update(_settings)
