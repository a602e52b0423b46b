"""TOML and environment in, one frozen `Settings` out; every unknown key is an error.

`config/gateway.toml` documents each key beside its default. A key `listen` of table `web` can also be given as
`GATEWAY_WEB__LISTEN`: upper case, two underscores between tables, one underscore for a hyphen. Keys that end in
`-env` name an environment variable that holds a secret, so that no secret is ever written into a file.
"""

import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway.config import Access, Settings
from gateway.errors import ConfigError

CLIENT_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII | re.IGNORECASE)
_PREFIX = "GATEWAY_"
_BLAMED = re.compile(r"- at `([a-z0-9._-]+)`$", re.IGNORECASE)


def load_settings(path: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the TOML file at `path`, lay `GATEWAY_…__…` variables over it and check everything.

    Raises ConfigError that names the file, the key and what was expected.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    try:
        return check_settings(overlay_environment(table, environ), path)
    except ConfigError as error:
        if variable := _find_variable(str(error), environ):
            raise ConfigError(f"environment variable {variable} (over {error})") from error
        raise


def _find_variable(message: str, environ: Mapping[str, str]) -> str:
    """Give the variable that set the key which `message` is about, or ""."""
    key = _BLAMED.search(message)
    if key is None:
        return ""
    name = _PREFIX + key[1].replace(".", "__").replace("-", "_").upper()
    return next((variable for variable in environ if variable.upper() == name), "")


def check_settings(table: dict[str, Any], source: str) -> Settings:
    """Turn plain tables into Settings, or raise ConfigError naming `source` and the key."""
    try:
        settings = msgspec.convert(table, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}".replace("`$.", "`")) from error
    if not settings.client:
        raise ConfigError(f"{source}: no client is configured; add a table [client.<your Target client code>]")
    for address in (settings.web.listen, settings.web.admin_listen):
        split_address(address)
    for code in settings.client:
        _check_urls(settings, code)
        for pattern in settings.client[code].secondary:
            if "*" in pattern[:-1]:
                raise ConfigError(f"{source}: client.{code}.secondary: `{pattern}` may have a * at its end only")
        if not CLIENT_CODE.fullmatch(code):
            raise ConfigError(f"{source}: `{code}` is not a Target client code (letters, digits, - and _)")
    _check_access(settings.access, source)
    return settings


def _check_access(access: Access, source: str) -> None:
    """Refuse names that nothing defines: a grant or a token with a slip of the pen would silently give nothing."""
    scheme, mark, _ = access.jwt.jwks.partition("://")
    if mark and scheme not in ("https", "file"):
        raise ConfigError(f"{source}: access.jwt.jwks = {hide_secrets(access.jwt.jwks)} is not a file or an https URL")
    for name, profile in access.profile.items():
        _check_known(f"{source}: access.profile.{name}.organization", profile.organization, access.organization)
        for sandbox in profile.sandboxes:
            known = ["*", *access.organization[profile.organization].sandboxes]
            _check_known(f"{source}: access.profile.{name}.sandboxes", sandbox, known)
    for name, token in access.token.items():
        for organization in token.organizations:
            _check_known(f"{source}: access.token.{name}.organizations", organization, access.organization)
        for profile_name in token.profiles:
            _check_known(f"{source}: access.token.{name}.profiles", profile_name, access.profile)


def _check_known(place: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ConfigError(f"{place}: `{name}` is not configured")


def _check_urls(settings: Settings, code: str) -> None:
    target, artifact = settings.upstream.target, settings.artifact
    for key, text in (
        ("web.public-url", settings.web.public_url),
        ("upstream.target.url", target.url.replace("{client}", code)),
        ("upstream.target.edge-url", target.edge_url.replace("{client}", code).replace("{cluster}", "1")),
        ("artifact.geo-url", artifact.geo_url),
        ("artifact.url", artifact.url),
        (f"client.{code}.artifact-location", settings.client[code].artifact_location),
    ):
        is_file = key.endswith("artifact-location") and ("://" not in text or text.startswith("file://"))
        if text and not is_file and not is_web_address(text):
            raise ConfigError(f"{key} = {hide_secrets(text)} is not a web address like https://host:port")


def is_web_address(text: str) -> bool:
    """Whether `text` is an http or https URL with a host and a valid port."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def hide_secrets(url: str) -> str:
    """Give a URL as it may be shown: without user, password and query."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    place, mark, _ = rest.partition("?")
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?…' if mark else ''}"


def overlay_environment(table: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Lay every `GATEWAY_TABLE__KEY` variable over `table`; lists and tables are given as TOML values."""
    result = {name: dict(value) if isinstance(value, dict) else value for name, value in table.items()}
    for name, text in sorted(environ.items()):
        if name.startswith(_PREFIX) and "__" in name:
            *tables, key = name.removeprefix(_PREFIX).lower().replace("_", "-").split("--")
            place = result
            for part in tables:
                known = _find_spelling(place, part)
                inner = place.get(known, {})
                if not isinstance(inner, dict):
                    raise ConfigError(f"environment variable {name}: {part} is a value, not a table")
                place[known] = place = dict(inner)
            place[_find_spelling(place, key)] = _read_value(text)
    return result


def _find_spelling(place: Mapping[str, Any], part: str) -> str:
    """Give the key of the file that `part` of a variable means: variables know neither case nor hyphens."""
    return next((name for name in place if name.lower().replace("_", "-") == part), part)


def _read_value(text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # an IPv6 address, for one; where a list is wanted the check says so


def split_address(text: str) -> tuple[str, int]:
    """Give host and port of `host:port`; raises ConfigError when it is neither."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ConfigError(f"`{text}` is not host:port, for example 127.0.0.1:8080 (port 0 takes any free one)")
    return host.strip("[]"), int(port)


def read_schemas(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Read the JSON Schema documents of `repository.schemas`: files, or folders of `.json` files.

    Raises ConfigError that names the file.
    """
    files = [file for path in map(Path, paths) for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    return [_read_schema(file) for file in files]


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ConfigError(f"repository.schemas: cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"repository.schemas: {path} is not a JSON object: {error}") from error
