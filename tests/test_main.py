"""The command line (gw:Q4)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway import __version__
from gateway.__main__ import main

ROOT = Path(__file__).parent.parent
LEAST = '[client.demo]\norganization-id = "DEMO@AdobeOrg"\nmethod = "server-side"\n'


def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "REDIS_"))}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env=clean | environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start without our variables, and give back the logger that a command sets up."""
    before = structlog.get_config()
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    yield
    structlog.configure(**before)


def test_the_module_runs_as_a_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for word in ("run", "check-config", "demo", "--version"):
        assert word in done.stdout


HELPS = {
    "run": ["--config", "GATEWAY_WEB__LISTEN", "SIGTERM", "SIGHUP", "Redis"],
    "check-config": ["--config", "JSON", "exit status 2"],
    "demo": ["--config", "curl", "/rest/v1/delivery"],
}


@pytest.mark.parametrize(("command", "words"), HELPS.items(), ids=HELPS)
def test_the_help_of_each_command_teaches(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"gateway {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--fast"], ["run", "config.toml"]], ids=str)
def test_a_command_line_that_is_none_is_refused_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: gateway" in capsys.readouterr().err


def test_check_config_prints_everything_as_json_and_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(LEAST)
    monkeypatch.setenv("GATEWAY_KEY_SECRET", "canary-secret")
    monkeypatch.setenv("REDIS_URL", "redis://:canary-password@redis.example/0")
    monkeypatch.setenv("GATEWAY_WEB__DEADLINE_MS", "777")
    assert main(["check-config", "--config", str(path)]) == 0
    shown = capsys.readouterr()
    settings = json.loads(shown.out)
    assert settings["web"]["deadline-ms"] == 777
    assert settings["client"]["demo"]["poll-s"] == 300
    assert settings["redis"]["key-secret-env"] == "GATEWAY_KEY_SECRET"
    assert "canary" not in shown.out + shown.err


BAD = {
    "an unknown key": ("[web]\nlisen = 1\n" + LEAST, "lisen"),
    "no client": ("", "no client is configured"),
    "not TOML": ("[web\n", "not valid TOML"),
    "an address that is none": ('[web]\nlisten = "8080"\n' + LEAST, "8080"),
    "a port that is none": ('[web]\nlisten = "127.0.0.1:99999"\n' + LEAST, "127.0.0.1:99999"),
    "a port in other digits": ('[web]\nadmin-listen = "127.0.0.1:²"\n' + LEAST, "127.0.0.1:²"),
}


@pytest.mark.parametrize(("text", "named"), BAD.values(), ids=BAD)
def test_a_mistake_in_the_configuration_is_one_clear_line_and_2(
    text: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """gw:Q4: check-config says whatever `run` would refuse."""
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    assert main(["check-config", "--config", str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("gateway: ")
    assert named in line


@pytest.mark.parametrize("title", ["an unknown key", "an address that is none", "a port in other digits"])
def test_run_refuses_it_too(title: str, tmp_path: Path) -> None:
    text, named = BAD[title]
    (tmp_path / "gateway.toml").write_text(text + f'[redis]\ndata-dir = "{tmp_path / "data"}"\n')
    done = run("run", "--config", str(tmp_path / "gateway.toml"))
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    assert [named in line for line in done.stderr.splitlines() if line.startswith("gateway: ")] == [True]


def test_a_file_that_is_not_there_is_one_clear_line_and_2() -> None:
    done = run("run", "--config", "nowhere.toml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "gateway: cannot read the configuration file nowhere.toml: No such file or directory\n"


def test_a_redis_url_without_a_secret_is_refused(tmp_path: Path) -> None:
    """gw:S6: keys would not hide who the visitor is."""
    (tmp_path / "gateway.toml").write_text(LEAST)
    done = run("run", "--config", str(tmp_path / "gateway.toml"), REDIS_URL="redis://:canary@127.0.0.1:9/0")
    assert done.returncode == 2
    assert "GATEWAY_KEY_SECRET" in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://h:port", "nonsense"])
def test_a_redis_url_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(LEAST)
    done = run("run", "--config", str(tmp_path / "gateway.toml"), REDIS_URL=url, GATEWAY_KEY_SECRET="s")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("gateway: The Redis URL must be")


def test_a_data_folder_that_cannot_be_made_is_one_clear_line_and_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "gateway.toml").write_text(LEAST + f'[redis]\ndata-dir = "{tmp_path / "file" / "data"}"\n')
    done = run("run", "--config", str(tmp_path / "gateway.toml"))
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    assert "data-dir" in done.stderr
