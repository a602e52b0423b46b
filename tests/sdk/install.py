"""Installs Adobe's SDKs once, into build/sdk, with the versions that the package lists beside this file name."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

INSTALL_S = 180
_HERE = Path(__file__).parent
_BUILD = _HERE.parent.parent / "build" / "sdk"


class NotInstallableError(Exception):
    """An SDK cannot be had on this machine; the message says why."""


class Program(Struct, frozen=True):
    """How to start the program that makes an SDK's calls."""

    command: list[str]
    environment: dict[str, str]


def install_node_sdk() -> Program:
    """Give the Node program, with its packages installed; raises NotInstallableError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise NotInstallableError("node and npm are not on the PATH")
    folder = _BUILD / "node"
    packages = _read_packages("node_packages.txt")
    install = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--fetch-retries=1",
    ]
    install_once(folder, packages, [[*install, "--no-save", "--no-package-lock", *packages]])
    return Program([node, str(_HERE / "node_client.js")], {"NODE_PATH": str(folder / "node_modules")})


def install_python_sdk() -> Program:
    """Give the Python program, with a virtual environment of its own; raises NotInstallableError."""
    folder = _BUILD / "python"
    packages = _read_packages("python_packages.txt")
    python = str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *packages],
    ]
    install_once(folder, [sys.version, *packages], steps)
    return Program([python, str(_HERE / "python_client.py")], {})


def _read_packages(name: str) -> list[str]:
    return (_HERE / name).read_text().split()


def install_once(folder: Path, wanted: Sequence[str], steps: Sequence[Sequence[str]]) -> None:
    """Run `steps` unless the folder already holds what is wanted; a step cut short leaves no stamp behind."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "installed.txt"
    content = "\n".join(wanted)
    if stamp.exists() and stamp.read_text() == content:
        return
    stamp.unlink(missing_ok=True)
    for step in steps:
        _run(step)
    stamp.write_text(content)


def _run(step: Sequence[str]) -> None:
    try:
        done = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotInstallableError(f"`{Path(step[0]).name}` did not finish within {INSTALL_S} s") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise NotInstallableError(f"`{Path(step[0]).name}` failed and said: {said}")
