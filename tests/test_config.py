"""TOML and environment to Settings (gw:Q4)."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.config import Client, OfferMbox, Organization, Profile, Settings, StaticToken
from gateway.configuration import check_settings, hide_secrets, load_settings, overlay_environment
from gateway.errors import ConfigError

FOLDER = Path(__file__).parent.parent / "config"
CLIENT = {"client": {"demo": {"organization-id": "DEMO@AdobeOrg"}}}


def check(table: dict[str, Any], **environ: str) -> Settings:
    """Check `table` with a client, under `environ` (names without their prefix)."""
    named = {f"GATEWAY_{name}": value for name, value in environ.items()}
    return check_settings(overlay_environment(CLIENT | table, named), "gateway.toml")


def find_defaults(kind: Any) -> dict[str, Any]:
    """Give the defaults of a table as the file would write them."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            value = field.default
        else:
            value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else None
        found[field.encode_name] = find_defaults(type(value)) if isinstance(value, msgspec.Struct) else value
    return found


def test_the_documented_file_names_every_key_with_its_default() -> None:
    table = tomllib.loads((FOLDER / "gateway.toml").read_text())
    clients = table.pop("client")
    defaults = find_defaults(Settings)
    assert defaults.pop("client") == {}
    for name, kind in (("organization", Organization), ("token", StaticToken), ("profile", Profile)):
        (shown,) = table["access"].pop(name).values()
        assert defaults["access"].pop(name) == {}
        required = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
        assert shown == find_defaults(kind) | {key: shown[key] for key in required}
    (mbox,) = table["offers"].pop("mboxes").values()
    assert defaults["offers"].pop("mboxes") == {}
    assert set(mbox) == {field.encode_name for field in msgspec.structs.fields(OfferMbox)}
    assert table == defaults
    (client,) = clients.values()
    assert client.pop("organization-id")
    assert client == {name: value for name, value in find_defaults(Client).items() if name != "organization-id"}


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.toml")))
def test_every_shipped_file_loads(name: str) -> None:
    assert load_settings(str(FOLDER / name), {}).client


def test_tables_that_are_not_given_have_their_defaults() -> None:
    settings = check({})
    assert (settings.web, settings.redis, settings.upstream.target) == (config.Web(), config.Redis(), config.Target())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown table": ({"webb": {}}, "webb"),
    "an unknown key": ({"web": {"lisen": "x"}}, "web"),
    "an unknown key, told by name": ({"web": {"lisen": "x"}}, "lisen"),
    "an unknown key of a client": ({"client": {"demo": {"organization-id": "x", "polls": 1}}}, "polls"),
    "a key in Python's spelling": ({"web": {"admin_listen": "x"}}, "admin_listen"),
    "a nested unknown key": ({"upstream": {"target": {"uri": "x"}}}, "upstream.target"),
    "a text for a number": ({"web": {"deadline-ms": "soon"}}, "web.deadline-ms"),
    "a list for a number": ({"web": {"deadline-ms": [1]}}, "web.deadline-ms"),
    "a fraction for a whole number": ({"web": {"deadline-ms": 1.5}}, "web.deadline-ms"),
    "a number for a text": ({"web": {"listen": 8080}}, "web.listen"),
    "a negative number": ({"web": {"deadline-ms": -1}}, "web.deadline-ms"),
    "a number too large": ({"web": {"drain-ms": 3_600_001}}, "web.drain-ms"),
    "zero calls at once": ({"upstream": {"target": {"max-in-flight": 0}}}, "upstream.target.max-in-flight"),
    "a batch too large": ({"outbox": {"batch": 51}}, "outbox.batch"),
    "a text for a list": ({"web": {"origins": "*"}}, "web.origins"),
    "a number in a list of texts": ({"web": {"origins": [1]}}, "web.origins"),
    "another choice": ({"client": {"demo": {"organization-id": "x", "method": "fast"}}}, "method"),
    "a table that is a value": ({"web": 5}, "web"),
    "a value that is a table": ({"web": {"listen": {}}}, "web.listen"),
    "more retries than a tenth": ({"upstream": {"target": {"retry-percent": 11}}}, "upstream.target.retry-percent"),
    "a star in the middle": (
        {"client": {"demo": {"organization-id": "x", "secondary": ["a*b"]}}},
        "client.demo.secondary",
    ),
    "no organization": ({"client": {"demo": {}}}, "organization-id"),
    "no client": ({"client": {}}, "no client is configured"),
    "keys over http": ({"access": {"jwt": {"jwks": "http://me:secret@a.example/keys"}}}, "http://a.example/keys"),
    "a token of nobody's organisation": (
        {"access": {"token": {"t": {"sha256": "0" * 64, "account": "a", "organizations": ["X"]}}}},
        "access.token.t.organizations",
    ),
    "a token that is no hash": (
        {"access": {"token": {"t": {"sha256": "secret", "account": "a", "organizations": []}}}},
        "access.token",
    ),
    "a profile of no organisation": (
        {"access": {"profile": {"p": {"organization": "X", "sandboxes": []}}}},
        "access.profile.p.organization",
    ),
    "a client code with a dot": ({"client": {"a.b": {"organization-id": "x"}}}, "a.b"),
    "a client code with a slash": ({"client": {"a/../b": {"organization-id": "x"}}}, "not a Target client code"),
    "an empty client code": ({"client": {"": {"organization-id": "x"}}}, "not a Target client code"),
    "a long client code": ({"client": {"a" * 65: {"organization-id": "x"}}}, "not a Target client code"),
    "a client code with a line break": ({"client": {"a\n": {"organization-id": "x"}}}, "not a Target client code"),
}


@pytest.mark.parametrize(("table", "named"), WRONG.values(), ids=WRONG)
def test_a_mistake_names_the_file_and_the_key(table: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(table)
    assert str(caught.value).startswith("gateway.toml: ")
    assert named in str(caught.value)


OVERLAID: list[tuple[str, str, str, Any]] = [
    ("WEB__LISTEN", "127.0.0.1:0", "web.listen", "127.0.0.1:0"),
    ("WEB__LISTEN", "[::1]:8080", "web.listen", "[::1]:8080"),
    ("WEB__DEADLINE_MS", "1500", "web.deadline_ms", 1500),
    ("WEB__KEEP_CLIENTS", "false", "web.keep_clients", False),
    ("WEB__READ_COOKIES", "true", "web.read_cookies", True),
    ("WEB__PARTIAL_STATUS", "206", "web.partial_status", 206),
    ("WEB__COOKIE_DOMAIN", "", "web.cookie_domain", ""),
    ("WEB__COOKIE_DOMAIN", "shop.example", "web.cookie_domain", "shop.example"),
    (
        "WEB__ORIGINS",
        '["https://a.example", "https://b.example"]',
        "web.origins",
        ["https://a.example", "https://b.example"],
    ),
    ("WEB__ORIGINS", "[]", "web.origins", []),
    ("UPSTREAM__TARGET__MAX_IN_FLIGHT", "7", "upstream.target.max_in_flight", 7),
    ("UPSTREAM__TARGET__URL", "http://127.0.0.1:1", "upstream.target.url", "http://127.0.0.1:1"),
    ("UPSTREAM__TARGET", "{max-in-flight = 7}", "upstream.target.max_in_flight", 7),
    ("REDIS__URL_ENV", "MY_REDIS", "redis.url_env", "MY_REDIS"),
    ("LOG__LEVEL", "debug", "log.level", "debug"),
    ("CLIENT__DEMO__METHOD", "on-device", "client.demo.method", "on-device"),
    ("CLIENT__DEMO__POLL_S", "0", "client.demo.poll_s", 0),
    ("CLIENT__DEMO__TRACES", "1", "client.demo.traces", True),
    ("CLIENT__OTHER__ORGANIZATION_ID", "O@AdobeOrg", "client.other.organization_id", "O@AdobeOrg"),
    ("CLIENT__OTHER", '{organization-id = "O"}', "client.other.organization_id", "O"),
]


@pytest.mark.parametrize(("name", "text", "path", "expected"), OVERLAID, ids=lambda value: str(value)[:30])
def test_a_variable_lies_over_the_file(name: str, text: str, path: str, expected: Any) -> None:
    place: Any = check({}, **{name: text})
    for piece in path.split("."):
        place = place[piece] if isinstance(place, dict) else getattr(place, piece)
    assert place == expected
    assert type(place) is type(expected)


@pytest.mark.parametrize("code", ["My_Shop", "my_shop", "SHOP", "my-shop", "shop2"])
def test_a_client_of_the_file_can_be_named_by_a_variable_whatever_its_spelling(code: str) -> None:
    """Variables know neither case nor hyphens: the client of the file that fits is meant."""
    variable = f"CLIENT__{code.upper().replace('-', '_')}__METHOD"
    settings = check({"client": {code: {"organization-id": "x"}}}, **{variable: "on-device"})
    assert {name: client.method for name, client in settings.client.items()} == {code: "on-device"}


def test_the_file_and_the_tables_given_are_not_changed() -> None:
    table = {"web": {"listen": "a"}, "upstream": {"target": {"url": "u"}}}
    overlay_environment(
        table,
        {"GATEWAY_WEB__LISTEN": "b", "GATEWAY_UPSTREAM__TARGET__URL": "v", "GATEWAY_UPSTREAM__TARGET__EDGE_URL": ""},
    )
    assert table == {"web": {"listen": "a"}, "upstream": {"target": {"url": "u"}}}


BAD_VARIABLES = [
    ("WEB__ORIGINS", '["https://a.example"'),
    ("WEB__ORIGINS", "[https://a.example]"),
    ("WEB__ORIGINS", "*"),
    ("WEB__DEADLINE_MS", "soon"),
    ("WEB__DEADLINE_MS", ""),
    ("WEB__LISTEN__HOST", "x"),
    ("WEB__LISEN", "x"),
    ("WEBB__LISTEN", "x"),
    ("CLIENT__DEMO__POLL_S", "-1"),
]


@pytest.mark.parametrize(("name", "text"), BAD_VARIABLES)
def test_a_mistake_in_a_variable_names_the_variable_or_its_key(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check({"web": {"listen": "127.0.0.1:0"}}, **{name: text})
    key = name.rsplit("__", maxsplit=1)[-1].lower().replace("_", "-")
    assert f"GATEWAY_{name}" in str(caught.value) or key in str(caught.value) or "webb" in str(caught.value)


def test_other_variables_are_passed_over() -> None:
    assert check({}, KEY_SECRET="s", TEST_REDIS_SERVER="x") == check({})
    assert overlay_environment({}, {"OTHER_WEB__LISTEN": "x", "PATH": "__"}) == {}


@given(
    st.dictionaries(
        st.text(alphabet="WEBLISTNC_", max_size=12).map(lambda name: "GATEWAY_" + name),
        st.text(alphabet='[]{}"=a1,. ', max_size=8),
        max_size=3,
    )
)
def test_no_environment_raises_anything_but_config_error(environ: dict[str, str]) -> None:
    try:
        check_settings(overlay_environment(CLIENT, environ), "gateway.toml")
    except ConfigError:
        return


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(str(tmp_path / "none.toml"), {})
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(str(tmp_path), {})
    for raw in (b"[web", b"web = \xff", b"listen = 1\nlisten = 2"):
        (tmp_path / "bad.toml").write_bytes(raw)
        with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
            load_settings(str(tmp_path / "bad.toml"), {})


BAD_URLS = [
    "tt.omtrdc.net",
    "ftp://a.example",
    "http://",
    "http://a.example:99999",
    "http://[::1",
    "https://a.example:0",
]


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("key", ["url", "edge-url"])
def test_an_upstream_that_is_no_web_address_is_refused(url: str, key: str) -> None:
    """gw:Q4: what would fail at every request is said at start."""
    with pytest.raises(ConfigError, match=rf"upstream\.target\.{key}"):
        check_settings({"client": {"a": {"organization-id": "x"}}, "upstream": {"target": {key: url}}}, "file")


def test_secrets_in_addresses_are_not_shown() -> None:
    assert hide_secrets("https://me:secret@a.example/b/c?sig=1") == "https://a.example/b/c?…"
    assert hide_secrets("folder/rules.json") == "folder/rules.json"


def test_a_mistake_in_a_variable_is_blamed_on_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[client.a]\norganization-id = "x"\n')
    with pytest.raises(ConfigError, match="GATEWAY_WEB__DEADLINE_MS"):
        load_settings(str(path), {"GATEWAY_WEB__DEADLINE_MS": "soon"})
