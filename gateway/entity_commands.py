"""`gateway entities export` and `gateway entities import`: a catalogue moved or backed up from the command line."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

from tqdm import tqdm

from gateway.config import Settings
from gateway.configuration import read_schemas
from gateway.errors import ConfigError, StoreError
from gateway.offers.instances import Space
from gateway.offers.registry import Registry
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.store.repository import open_repository
from gateway.transfer import Header, Taken, check_lines, read_container, read_lines, write_container, write_lines

ABOUT = """\
Moves all business objects of a container through a file: one JSON document a line, with revisions, ids, dates and
authors as they are. `export` reads the container as of one moment while the gateway goes on; `import` makes the same
container on this or another Redis. Importing a file twice changes nothing the second time; what is newer than in the
file stays as it is and is named; nothing is ever removed.

  gateway entities export --container 018f7a52-6c1d-7b0e-8f7e-2b0d9f3f5a10 --output offers.ndjson
  gateway entities import --input offers.ndjson
  gateway entities export --container 018f… | ssh other gateway entities import
  gateway entities import --input offers.ndjson --sandbox staging

Both use the Redis that the configuration names. With a private server they use the one of a running gateway, or start
it. The exit status is 0 when everything is done, 1 when something was left out, 2 when nothing could be done.
"""
_CONTAINER = "the container's id, as the home document tells it"
_MOST_NAMED = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the two commands."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="export|import")
    for name, brief in (("export", "write a container to a file"), ("import", "make a container of a file")):
        command = commands.add_parser(
            name, help=brief, description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("--config", default="config/gateway.toml", metavar="FILE", help="(default: %(default)s)")
        command.add_argument("--organization", default="", metavar="ID", help="needed where several are configured")
        command.add_argument("--sandbox", default="", metavar="NAME", help="needed where several are configured")
        if name == "export":
            command.add_argument("--container", required=True, metavar="ID", help=_CONTAINER)
            command.add_argument("--output", default="-", metavar="FILE", help="(default: standard output)")
        else:
            command.add_argument("--input", default="-", metavar="FILE", help="(default: standard input)")


async def run(settings: Settings, options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Run one of the two; gives the exit status."""
    return await (_export if options.action == "export" else _import)(settings, options, environ)


async def _export(settings: Settings, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    space = find_space(settings, options.organization, options.sandbox)
    async with open_entities(settings, environ) as entities:
        with tqdm(unit=" instances", desc="read", disable=None) as bar:
            record, instances = await read_container(entities, space, options.container, bar.update)
    header = Header(
        organization=space.organization,
        sandbox=space.sandbox,
        container=options.container,
        instances=len(instances),
    )
    if options.output == "-":
        write_lines(sys.stdout.buffer, header, record, instances)
        sys.stdout.buffer.flush()
        return 0
    path = Path(options.output)
    unfinished = path.with_name(f"{path.name}.part")  # what has the name of a backup is a whole one
    try:
        with unfinished.open("wb") as file:
            write_lines(file, header, record, instances)
        unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    print(f"{len(instances)} instances written to {path}", file=sys.stderr)
    return 0


async def _import(settings: Settings, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    header, record, instances = await asyncio.to_thread(_read_file, options.input)
    space = find_space(settings, options.organization or header.organization, options.sandbox or header.sandbox)
    kept = settings.repository
    registry = Registry(read_schemas(kept.schemas), unique_offer_names=kept.unique_offer_names)
    container, changes = check_lines(registry, record, instances)
    async with open_entities(settings, environ) as entities:
        with tqdm(total=len(changes), unit=" instances", desc="written", disable=None) as bar:
            taken = await write_container(entities, space, container, changes, bar.update)
    print(describe(taken), file=sys.stderr)
    return 1 if taken.newer or taken.refused else 0


def _read_file(name: str) -> tuple[Header, bytes, list[bytes]]:
    if name == "-":
        return read_lines(sys.stdin.buffer)
    try:
        with Path(name).open("rb") as file:
            return read_lines(file)
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}") from error


def describe(taken: Taken) -> str:
    """Say what became of a file."""
    lines = [f"{taken.saved} are as the file says, the container's own record included"]
    for names, what in ((taken.newer, "are newer here and were left as they are"), (taken.refused, "were refused")):
        if names:
            more = f", and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            lines.append(f"{len(names)} {what}: {', '.join(names[:_MOST_NAMED])}{more}")
    return "\n".join(lines)


def find_space(settings: Settings, organization: str, sandbox: str) -> Space:
    """Give the sandbox that is meant; raises ConfigError when it is not configured, or not clear."""
    known = {name: table.sandboxes for name, table in settings.access.organization.items()}
    organization = organization or _only("organization", list(known))
    if organization not in known:
        raise ConfigError(f"the organization {organization} is not configured in [access.organization]")
    sandbox = sandbox or _only("sandbox", known[organization])
    if sandbox not in known[organization]:
        raise ConfigError(f"the sandbox {sandbox} is not configured for {organization}")
    return Space(organization, sandbox)


def _only(what: str, names: list[str]) -> str:
    if len(names) != 1:
        raise ConfigError(f"say which {what} is meant with --{what}: {', '.join(names) or 'none is configured'}")
    return names[0]


@asynccontextmanager
async def open_entities(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Entities]:
    """Open the repository's store: of the configured Redis, else of the private server."""
    with _find_redis(settings, environ) as url:
        async with open_repository(url, settings.redis, settings.repository) as entities:
            if not entities.connected:
                raise StoreError("there is no connection to the repository's Redis; see the log line above")
            yield entities


@contextmanager
def _find_redis(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Give a Redis URL: the configured one, that of a gateway's private server, or of one started for this command."""
    url = environ.get(settings.repository.url_env) or environ.get(settings.redis.url_env)
    if url:
        yield url
        return
    folder = Path(settings.redis.data_dir).resolve()
    server = EmbeddedServer(folder, settings.redis.server, fsync=settings.repository.durability == "fsync")
    try:
        url = server.start()
    except StoreError:
        if not (folder / "redis.sock").is_socket():
            raise
        url = f"unix://{quote(str(folder / 'redis.sock'))}"
    try:
        yield url
    finally:
        server.stop()
