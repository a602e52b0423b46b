"""Lua files in, ready scripts out: includes resolved, each placed once, named by the hash that EVALSHA takes.

A line `--- @include "include/slide"` is replaced by the text of `lua/include/slide.lua` where it first appears; a file
that was already placed is not placed again.
"""

import hashlib
import re
from pathlib import Path

from msgspec import Struct

from gateway.errors import StoreError

LUA = Path(__file__).parent / "lua"
_MARK = "--- @include"
_INCLUDE = re.compile(r'--- @include "([a-z0-9_/]+)"')


class Script(Struct, frozen=True):
    """One Lua script: its file's name, its whole text, and the hex SHA-1 by which Redis knows it."""

    name: str
    text: bytes
    sha: bytes


def load_scripts(folder: Path) -> dict[str, Script]:
    """Read every `*.lua` of `folder`, by name; raises StoreError that names the include stack of a bad include."""
    return {path.stem: load_script(path.stem, folder) for path in sorted(folder.glob("*.lua"))}


def load_script(name: str, folder: Path = LUA) -> Script:
    """Read one script of `folder` with its includes; raises StoreError that names the include stack."""
    text = "\n".join(_resolve(name, folder, (), set())).encode() + b"\n"
    return Script(name=name, text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


def _resolve(name: str, folder: Path, stack: tuple[str, ...], placed: set[str]) -> list[str]:
    path = " -> ".join((*stack, name))
    if name in stack:
        raise StoreError(f"A Lua script includes itself: {path}")
    if name in placed:
        return []
    placed.add(name)
    try:
        text = (folder / f"{name}.lua").read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"A Lua script cannot be read ({error.strerror}): {path}") from error
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith(_MARK):
            lines.append(line)
        elif match := _INCLUDE.fullmatch(line.rstrip()):
            lines.extend(_resolve(match[1], folder, (*stack, name), placed))
        else:
            raise StoreError(f'A Lua script has an include that is not {_MARK} "folder/name": {path}: {line}')
    return lines


SCRIPTS: dict[str, Script] = load_scripts(LUA)
