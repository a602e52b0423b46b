"""The Dockerfile and the compose file, as far as they can be read without an engine."""

import json
import re
import shlex

import pytest

from gateway.__main__ import make_parser
from gateway.config import Web
from gateway.configuration import load_settings, overlay_environment
from tests.deploy.places import DEPLOY, ROOT, read


def read_instructions() -> list[tuple[str, str]]:
    """Give name and text of each instruction, continued lines joined."""
    lines = [line for line in read("deploy/Dockerfile").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


INSTRUCTIONS = read_instructions()


def all_of(name: str) -> list[str]:
    return [text for found, text in INSTRUCTIONS if found == name]


def test_every_copied_file_exists_and_is_let_through():
    let_through = {line[1:] for line in read("deploy/Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    sources = [part for text in all_of("COPY") if "--from" not in text for part in text.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in let_through, source


def test_every_stage_that_is_copied_from_was_made():
    made = re.findall(r"\bAS (\w+)", "\n".join(all_of("FROM")))
    used = re.findall(r"--from=(\w+)", "\n".join(all_of("COPY")))
    assert used
    assert set(used) <= set(made)


def test_nothing_is_installed_without_a_hash_or_from_a_list():
    installs = [text for text in all_of("RUN") if "pip install" in text]
    assert installs
    for text in installs:
        assert "--require-hashes -r requirements/" in text or "--no-deps /wheel/*.whl" in text, text


def test_the_image_runs_as_nobody_special_and_stops_by_sigterm():
    assert all_of("USER") == ["10001:10001"]
    assert all_of("STOPSIGNAL") == ["SIGTERM"]
    last = max(number for number, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
    assert "USER" in [name for name, _ in INSTRUCTIONS[last:]]


def test_the_command_line_is_one_the_gateway_takes():
    program, arguments = (eval_list(all_of(name)[0]) for name in ("ENTRYPOINT", "CMD"))
    assert program == ["gateway"]
    options = make_parser().parse_args(arguments)
    assert (options.command, options.config) == ("run", "/etc/gateway/gateway.toml")


def test_the_health_check_asks_the_admin_listener_for_a_page_it_has():
    """gw:Q1."""
    check = all_of("HEALTHCHECK")[0]
    url = re.search(r"http://(127\.0\.0\.1:\d+)(/[a-z/]+)", check)
    assert url is not None
    assert url[1] == Web().admin_listen
    assert url[2] in re.findall(r'"(/health/\w+)"', read("gateway/web/routes.py"))
    program = eval_list(check[check.index("CMD ") + 4 :])
    compile(program[2], "the health check", "exec")


def test_every_variable_of_the_image_is_a_setting():
    pairs = dict(part.split("=", 1) for part in shlex.split(" ".join(all_of("ENV"))))
    table = overlay_environment({}, pairs)
    assert table == {
        "artifact": {"cache-dir": "/var/lib/gateway/artifacts"},
        "redis": {"data-dir": "/var/lib/gateway/redis"},
    }


def eval_list(text: str) -> list[str]:
    """Read the exec form of an instruction, a JSON array."""
    return [str(part) for part in json.loads(text)]


@pytest.fixture(scope="module")
def compose():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(read("deploy/compose.yaml"))


def test_compose_mounts_files_that_exist_or_that_its_head_tells_how_to_make(compose):
    named = {"./gateway.toml"}
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source in named or (DEPLOY / source).exists(), source
    assert "cp ../config/gateway.toml gateway.toml" in read("deploy/compose.yaml")


def test_compose_has_every_gateway_that_nginx_names(compose):
    """gw:M7."""
    named = set(re.findall(r"server (\S+):8080", read("deploy/nginx/gateway.conf")))
    assert named == {name for name, service in compose["services"].items() if service["image"] == "decisioning-gateway"}
    assert named <= set(compose["services"]["nginx"]["depends_on"])


def test_compose_shows_nothing_but_nginx_to_the_outside(compose):
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["nginx"]
    assert compose["networks"]["store"] == {"internal": True}
    assert compose["services"]["redis"]["networks"] == ["store"]


def test_compose_gives_variables_that_the_gateway_takes(compose):
    environ = compose["services"]["gateway-1"]["environment"]
    settings = load_settings(str(ROOT / "config" / "gateway.toml"), environ)
    assert {settings.redis.url_env, settings.redis.key_secret_env} <= set(environ)
    assert settings.web.visitor_address == "forwarded"


def test_compose_waits_longer_than_a_drain_takes(compose):
    for name in ("gateway-1", "gateway-2"):
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) * 1000 > Web().drain_ms


def test_no_secret_is_written_into_the_compose_file(compose):
    text = read("deploy/compose.yaml")
    for name in ("REDIS_PASSWORD", "GATEWAY_KEY_SECRET"):
        assert f"${{{name}:?" in text
