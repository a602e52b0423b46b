"""Lua files in, scripts out: includes resolved, placed once, bad ones refused by name."""

import hashlib

import pytest

from gateway.errors import StoreError
from gateway.store.scripts import SCRIPTS, load_script, load_scripts


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "include").mkdir()
    return tmp_path


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name.replace('__', '/')}.lua").write_text(text)


def test_an_include_is_placed_where_it_is_asked_for(folder):
    write(folder, main='local a = 1\n--- @include "include/two"\nreturn two()', include__two="local function two() end")
    assert load_script("main", folder).text == b"local a = 1\nlocal function two() end\nreturn two()\n"


def test_a_file_included_twice_is_placed_once(folder):
    write(
        folder,
        main='--- @include "include/a"\n--- @include "include/b"\n--- @include "include/a"\nreturn 1',
        include__a='--- @include "include/b"\n-- a',
        include__b="-- b",
    )
    assert load_script("main", folder).text == b"-- b\n-- a\nreturn 1\n"


def test_a_cycle_is_refused_with_its_include_stack(folder):
    write(folder, main='--- @include "include/a"', include__a='--- @include "include/b"')
    write(folder, include__b='--- @include "include/a"')
    with pytest.raises(StoreError, match="main -> include/a -> include/b -> include/a"):
        load_script("main", folder)


def test_a_missing_file_is_refused_with_its_include_stack(folder):
    write(folder, main='--- @include "include/a"', include__a='--- @include "include/gone"')
    with pytest.raises(StoreError, match="main -> include/a -> include/gone"):
        load_script("main", folder)


@pytest.mark.parametrize("line", ["--- @include 'include/a'", '--- @include "../a"', "--- @include include/a"])
def test_an_include_that_cannot_be_read_is_refused_rather_than_left_out(folder, line):
    write(folder, main=line, include__a="-- a")
    with pytest.raises(StoreError, match="main"):
        load_script("main", folder)


def test_a_script_is_known_by_the_sha1_of_its_resolved_text(folder):
    write(folder, main="return 1")
    script = load_scripts(folder)["main"]
    assert script.name == "main"
    assert script.sha == hashlib.sha1(script.text).hexdigest().encode()


async def test_redis_compiles_every_script_and_agrees_on_its_sha(store):
    for script in SCRIPTS.values():
        assert await store.call("SCRIPT", "LOAD", script.text) == script.sha
