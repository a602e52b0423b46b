"""The systemd unit, read by systemd itself where it is installed (gw:Q5)."""

import shutil
import subprocess
import sys

import pytest

from gateway.__main__ import make_parser
from gateway.config import Web
from gateway.configuration import overlay_environment
from tests.deploy.places import read

_ANALYZE = shutil.which("systemd-analyze")
_UNIT = "deploy/systemd/gateway.service"
needs_systemd = pytest.mark.skipif(_ANALYZE is None, reason="systemd-analyze is not installed")


def values_of(name: str) -> list[str]:
    """Give every value of a setting of the unit, in order."""
    pairs = (line.split("=", 1) for line in read(_UNIT).splitlines() if "=" in line and not line.startswith("#"))
    return [value for found, value in pairs if found == name]


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Ask systemd's own checker."""
    return subprocess.run([str(_ANALYZE), *arguments], check=False, capture_output=True, text=True, timeout=30)


@pytest.fixture
def unit(tmp_path):
    """Put the unit, with a program that exists, where systemd can look at it."""
    path = tmp_path / "gateway.service"
    path.write_text(read(_UNIT).replace("/opt/gateway/bin/gateway", sys.executable))
    return path


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit):
    found = analyze("verify", "--man=no", str(unit))
    about_ours = [line for line in found.stderr.splitlines() if "gateway.service" in line]
    assert (found.returncode, about_ours) == (0, [])


@needs_systemd
def test_systemd_calls_the_unit_well_confined(unit):
    """Exposure is rated from 0 (confined) to 10; below 2 it is OK."""
    found = analyze("security", "--offline=yes", "--threshold=20", str(unit))
    if "unrecognized option" in found.stderr:
        pytest.skip("this systemd is too old to rate a file")
    assert found.returncode == 0, found.stdout[-300:]


def test_the_unit_starts_what_the_command_line_takes():
    program, *arguments = values_of("ExecStart")[0].split()
    assert program.endswith("/gateway")
    assert make_parser().parse_args(arguments).command == "run"


def test_the_unit_sets_variables_that_are_settings_or_pythons_own():
    pairs = dict(value.split("=", 1) for value in values_of("Environment"))
    assert overlay_environment({}, pairs) == {
        "artifact": {"cache-dir": "/var/lib/gateway/artifacts"},
        "redis": {"data-dir": "/var/lib/gateway/redis"},
    }
    assert f"/var/lib/{values_of('StateDirectory')[0]}" == values_of("WorkingDirectory")[0]


def test_a_stop_asks_the_gateway_alone_and_waits_longer_than_a_drain_takes():
    assert values_of("KillSignal") == ["SIGTERM"]
    assert values_of("KillMode") == ["mixed"]
    assert int(values_of("TimeoutStopSec")[0]) * 1000 > 2 * Web().drain_ms
