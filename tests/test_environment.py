"""tools/environment.py on machines that are not as expected: it works, or says in a sentence what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import environment
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "Bücher über GANs" if sys.getfilesystemencoding() == "utf-8" else "a folder"
posix = pytest.mark.skipif(os.name == "nt", reason="a shell script stands for a program")


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf8")
    path.chmod(0o755)
    return str(path)


def python(path: Path, version: str, bits: str = "True", fails: str = "0") -> str:
    """A program that answers as a Python of this version does when it is asked whether it is usable."""
    return program(path, f"echo {version}; echo {bits}; exit {fails}")


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, on a machine where a Python too new runs the tool."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("PYTHON", raising=False)
    monkeypatch.setattr(sys, "_base_executable", python(tmp_path / "new" / "python3", "3 15"))
    return tmp_path / "bin"


@posix
def test_a_python_the_pins_are_made_for_is_preferred(alone: Path) -> None:
    python(alone / "python3", "3 15")
    wanted = python(alone / "python3.14", "3 14")
    assert environment.find_python() == wanted
    assert environment.find_python() != python(alone / "python3.12", "3 12"), "3.12 is looked for before 3.14"


@posix
@pytest.mark.parametrize(
    ("version", "bits", "fails", "said"),
    [
        ("3 10", "True", "0", "is 3.10"),
        ("3 15", "True", "0", "is 3.15"),
        ("3 12", "False", "0", "is a 32-bit program"),
        ("3 12", "True", "1", "lacks the modules venv and ensurepip"),
        ("", "", "1", "does not run"),
    ],
)
def test_the_python_that_is_named_is_used_or_refused(
    alone: Path, monkeypatch: pytest.MonkeyPatch, version: str, bits: str, fails: str, said: str
) -> None:
    python(alone / "python3.12", "3 12")
    named = python(alone / "mine", version, bits, fails) if version else program(alone / "mine", "exit 1")
    monkeypatch.setenv("PYTHON", "mine")
    with pytest.raises(SystemExit) as caught:
        environment.find_python()
    assert f"made for Python 3.11 to 3.14, 64-bit and with the modules venv and ensurepip; {named} {said}" in str(
        caught.value
    )


def test_no_python_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.delenv("PYTHON", raising=False)
    with pytest.raises(SystemExit, match=r"none was found\. Install one .*python3-venv"):
        environment.find_python()
    monkeypatch.setenv("PYTHON", "/nowhere/python")
    with pytest.raises(SystemExit, match="PYTHON=/nowhere/python is no program"):
        environment.find_python()


def test_the_python_of_the_environment_does_not_make_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON", raising=False)
    if sys.prefix == sys.base_prefix:
        pytest.skip("this is no environment")
    monkeypatch.setattr(environment, "VENV", sys.prefix)
    assert not environment.find_python().startswith(sys.prefix + os.sep)


def test_the_pythons_are_the_same_everywhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf8")
    assert environment.PYTHONS in text
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf8"))
    tried = workflow["jobs"]["all"]["strategy"]["matrix"]["python"]
    ends = [tuple(map(int, version.split("."))) for version in tried]
    assert ends == sorted(ends) and (ends[0], ends[-1]) == (environment.OLDEST, environment.NEWEST)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a .venv whose stamps are right, in a folder with spaces and letters from elsewhere."""
    root = tmp_path / FOLDER
    programs = root / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("requirements.txt", "pyproject.toml"):
        (root / name).write_text("one", encoding="utf8")
    for name, path in (("ROOT", root), ("VENV", root / ".venv"), ("BIN", programs), ("PYTHON", programs / "python")):
        monkeypatch.setattr(environment, name, str(path))
    program(programs / "python", "exit 0")
    settle(root)
    return root


def settle(root: Path) -> None:
    wanted = environment.digest("requirements.txt") + " in " + environment.VENV
    environment.stamp(str(root / ".venv" / "requirements.stamp"), wanted)
    environment.stamp(str(root / ".venv" / "package.stamp"), environment.digest("pyproject.toml"))


def made(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether `make_python` would make the environment now."""

    class Making(Exception):
        pass

    def find() -> None:
        raise Making

    monkeypatch.setattr(environment, "find_python", find)
    try:
        environment.make_python(False)
    except Making:
        return True
    return False


@posix
def test_an_environment_that_works_is_left_alone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not made(monkeypatch)


@posix
@pytest.mark.parametrize("fault", ["gone", "another machine's", "without torch"])
def test_an_environment_whose_python_is_broken_is_made_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = checkout / ".venv" / "bin" / "python"
    path.unlink()
    if fault == "gone":
        path.symlink_to("/nowhere/python3")
    elif fault == "another machine's":
        path.write_bytes(b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01")
        path.chmod(0o755)
    else:
        program(path, "exit 1")
    assert made(monkeypatch)


@posix
def test_an_environment_that_was_moved_is_made_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.stamp(
        str(checkout / ".venv" / "requirements.stamp"), environment.digest("requirements.txt") + " in /elsewhere/.venv"
    )
    assert made(monkeypatch)


def test_a_stamp_is_the_same_in_every_locale(tmp_path: Path) -> None:
    path = str(tmp_path / "stamp")
    environment.stamp(path, "Bücher")
    assert environment.stamped(path, "B\udcc3\udcbccher"), "as a plain locale reads the folder's name"
    environment.stamp(path, os.fsdecode(b"B\xc3\xbccher \xff"))
    assert environment.stamped(path, os.fsdecode(b"B\xc3\xbccher \xff"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ERROR: Could not find a version of torch==2.14.1 (from versions: none)", "HTTPS_PROXY"),
        (
            "ERROR: Could not find a version of torch==2.14.1 (from versions: 2.2.0, 2.2.1)",
            "3.11 to 3.14 on 64-bit Linux",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("npm error code ECONNREFUSED", "HTTPS_PROXY"),
        ("npm error code ENOSPC", "disk is full"),
    ],
)
def test_what_to_do_follows_from_the_words_of_pip_and_npm(words: str, said: str) -> None:
    assert said in environment.advice(words)


@posix
def test_no_network_is_said_below_the_words_of_pip(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(checkout / ".venv" / "bin" / "python", "echo 'ERROR: torch (from versions: none), ü' >&2; exit 1")
    with pytest.raises(SystemExit, match=r"exit code 1.*\n.*PIP_INDEX_URL.*run the same command again"):
        environment.pip("install", "torch")
    assert "ERROR: torch" in capsys.readouterr().err


@posix
def test_settings_of_the_users_own_pip_and_home_do_not_matter(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    program(checkout / ".venv" / "bin" / "python", 'test "$PIP_USER" = 0')
    environment.pip("install", "torch")


def test_a_folder_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    monkeypatch.setattr(sys, "argv", ["environment.py"])
    with pytest.raises(SystemExit, match="cannot be written.*copy it to a folder of yours"):
        environment.main()


@posix
def test_the_tool_speaks_in_a_plain_locale_from_a_path_with_other_letters(tmp_path: Path) -> None:
    tools = tmp_path / FOLDER / "tools"
    tools.mkdir(parents=True)
    (tools / "environment.py").write_bytes((ROOT / "tools" / "environment.py").read_bytes())
    (tools.parent / "requirements.txt").write_text("torch")
    plain = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PATH": "",
        "PYTHON": python(tmp_path / "old", "3 9"),
    }
    command = [sys.executable, str(tools / "environment.py")]
    result = subprocess.run(command, env=plain, capture_output=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 1 and b" is 3.9. Install one" in result.stderr and b"Traceback" not in result.stderr
    (tools / "go.py").write_text(
        "import sys, environment\nenvironment.pip = lambda *arguments: sys.exit('installing')\nenvironment.main()"
    )
    plain["PYTHON"] = getattr(sys, "_base_executable", sys.executable)
    result = subprocess.run([sys.executable, str(tools / "go.py")], env=plain, capture_output=True)
    assert b"installing" in result.stderr and (tools.parent / ".venv" / "pyvenv.cfg").exists()
