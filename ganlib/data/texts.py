"""Real short texts, for models of topics."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextData:
    """Short texts and where each comes from.

    Attributes:
        texts: the texts.
        origins: the name of what each text describes, such as "numpy.linalg.svd".
    """

    texts: tuple[str, ...]
    origins: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


_TEXT_MODULES = {
    "numpy": "fft lib.stride_tricks linalg ma polynomial.polynomial random strings testing",
    "scipy": "cluster.hierarchy cluster.vq fft integrate interpolate io linalg ndimage optimize signal sparse "
    "sparse.csgraph sparse.linalg spatial spatial.distance special stats",
    "": "abc argparse ast asyncio base64 bisect builtins bz2 calendar cmath collections compileall configparser "
    "contextlib copy csv dataclasses datetime decimal difflib dis email.message email.utils enum filecmp "
    "fileinput fnmatch fractions functools gettext glob gzip hashlib heapq hmac html http.client "
    "http.cookiejar http.server imaplib inspect io ipaddress itertools json linecache locale logging "
    "logging.handlers lzma mailbox math mimetypes multiprocessing multiprocessing.pool numbers operator os "
    "os.path pathlib pickle pickletools pkgutil platform plistlib poplib pprint queue quopri random re sched "
    "secrets selectors shelve shlex shutil smtplib socket socketserver sqlite3 ssl stat statistics string "
    "struct subprocess symtable sys tarfile tempfile textwrap threading time timeit tokenize trace traceback "
    "types typing unittest unittest.mock urllib.parse urllib.request urllib.robotparser uuid warnings wave "
    "weakref xml.dom.minidom xml.etree.ElementTree xml.sax.handler xmlrpc.client zipfile zlib zoneinfo",
}


def docstrings() -> TextData:
    """Real short texts: what the docstrings of numpy, scipy and the standard library say in prose.

    Public functions and classes, and the public methods of the standard library's classes; of each docstring the prose
    before the tables of parameters, without examples and markup. Duplicates and texts under 12 words are left out, the
    rest is sorted by name. The texts are those of the installed versions: reproducible on one installation.

    First used in chapter 1.
    """
    found: dict[str, str] = {}
    for package, modules in _TEXT_MODULES.items():
        for module in ([package] if package else []) + [f"{package}.{m}" if package else m for m in modules.split()]:
            for origin, raw in _documented(module):
                found.setdefault(_prose(raw), origin)
    kept = sorted((origin, text) for text, origin in found.items() if len(text.split()) >= 12)
    return TextData(tuple(text for _, text in kept), tuple(origin for origin, _ in kept))


def _documented(module: str) -> Iterator[tuple[str, str]]:
    """(name, docstring) of a module's public functions and classes, and of methods in the standard library."""
    try:
        loaded = importlib.import_module(module)
    except ImportError:  # Python can be built without ssl, sqlite3, lzma, …
        return
    listed = getattr(loaded, "__all__", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated says so when it is touched
        for name in sorted(listed or [name for name in vars(loaded) if not name.startswith("_")]):
            thing: Any = getattr(loaded, name, None)
            home = getattr(thing, "__module__", None)
            if not callable(thing) or (home != module and (listed is None or home == "builtins")):
                continue  # data, or something that lives elsewhere
            if isinstance(thing.__doc__, str):
                yield f"{module}.{name}", thing.__doc__
            if inspect.isclass(thing) and not module.startswith(("numpy", "scipy")):
                for method, member in sorted(vars(thing).items()):
                    if not method.startswith("_") and callable(member) and isinstance(member.__doc__, str):
                        yield f"{module}.{name}.{method}", member.__doc__


def _prose(docstring: str) -> str:
    """The sentences of a docstring, on one line."""
    lines: list[str] = []
    text = inspect.cleandoc(docstring)
    text = re.split(r"\n[^\n]+\n[-=]{3,}", text)[0]  # the first underlined heading opens the tables
    for block in re.split(r"\n\s*\n", text):
        if block.startswith("  ") or re.match(r">>>|\.\.|[:*+|-]|[\w.]+\(|.*->", block):
            continue  # code, examples, directives, lists, tables, signatures
        lines += [line.strip() for line in block.split(">>>")[0].split("\n")]
    prose = re.sub(r":\w+:`~?([^`<]+)[^`]*`", r"\1", " ".join(lines))  # :func:`name` -> name
    prose = re.sub(r"[`*]+|\s*\[\d+\]_|:(?=:)", "", prose)  # emphasis, footnotes, the second colon before code
    return re.sub(r"\s+", " ", prose).strip()
