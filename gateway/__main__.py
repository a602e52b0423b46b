"""The command line: `gateway run`, `check-config`, `demo`, `decide`, `entities`, `caps`, `events`."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from gateway import __version__, entity_commands, offline
from gateway.config import Settings
from gateway.configuration import hide_secrets, load_settings
from gateway.errors import GatewayError
from gateway.operating import caps, events
from gateway.server import serve
from gateway.telemetry import set_up_logs

_CONFIG = "config/gateway.toml"
_ABOUT = """\
The decisioning gateway answers Adobe Target delivery requests: what it can decide on device from the decisioning
artifact at once, the rest from Target in parallel, one answer in time.
"""
_RUN = """\
Starts the gateway. Every key of the file can be overridden by an environment variable: key `listen` of table [web] is
GATEWAY_WEB__LISTEN. Without a Redis URL (see [redis] url-env) a private server is started beside it.

  gateway run --config config/gateway.toml
  GATEWAY_WEB__LISTEN=127.0.0.1:0 gateway run --config config/demo.toml

Signals: SIGTERM and SIGINT finish what is under way and stop; SIGHUP looks at every artifact at once.
"""
_CHECK = """\
Reads the configuration as `run` would and prints what came out of it, every default included, as JSON; secrets are
named, never shown. A mistake is reported with file, key and what was expected, with exit status 2.
"""
_DEMO = """\
Starts a stand-in for Adobe Target and the gateway in front of it, with a small shop to decide for. Nothing leaves
this machine. Then try, in another terminal:

  curl -s 'http://127.0.0.1:8080/rest/v1/delivery?client=demo&sessionId=s1' -d \\
    '{"context":{"channel":"web"},"execute":{"mboxes":[{"index":1,"name":"homepage-hero"},{"index":2,"name":"recommendations"}]}}'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status: 0, or 2 when the configuration cannot be used."""
    options = make_parser().parse_args(arguments)
    try:
        if options.command == "decide":
            return offline.run(options)
        settings = load_settings(options.config)
        set_up_logs(settings.log.level)
        return int(_COMMANDS[options.command](settings, options))
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2


def make_parser() -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    parser = argparse.ArgumentParser(prog="gateway", description=_ABOUT)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, brief, text, config in (
        ("run", "run the gateway", _RUN, _CONFIG),
        ("check-config", "print the resolved configuration, or what is wrong with it", _CHECK, _CONFIG),
        ("demo", "run the gateway with a stand-in Target, to try it", _DEMO, "config/demo.toml"),
    ):
        command = commands.add_parser(
            name, help=brief, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("--config", default=config, metavar="FILE", help=f"TOML file (default: {config})")
    for name, brief, module in (
        ("caps", "show, reset or audit what caps have counted", caps),
        ("events", "print decision events", events),
    ):
        command = commands.add_parser(
            name, help=brief, description=module.ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"TOML file (default: {_CONFIG})")
        module.add_options(command)
    decide = commands.add_parser(
        "decide",
        help="decide one request by an artifact, without any server, and say why",
        description=offline.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    offline.add_options(decide)
    entities = commands.add_parser(
        "entities",
        help="move or back up a container of business objects",
        description=entity_commands.ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    entity_commands.add_options(entities)
    return parser


def _run(settings: Settings, _options: argparse.Namespace) -> int:
    return run_loop(serve(settings))


def _check_config(settings: Settings, _options: argparse.Namespace) -> int:
    shown = msgspec.to_builtins(settings)
    for client in shown["client"].values():
        client["artifact-location"] = hide_secrets(client["artifact-location"])
    for token in shown["access"]["token"].values():  # a short token could be found from its hash
        token["sha256"] = "…"
    shown["access"]["jwt"]["jwks"] = hide_secrets(settings.access.jwt.jwks)
    shown["artifact"]["url"] = hide_secrets(settings.artifact.url)
    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
    return 0


def _demo(settings: Settings, _options: argparse.Namespace) -> int:
    from gateway.demo.trial import run_demo  # noqa: PLC0415 - nothing but this command needs the stand-in

    return run_loop(run_demo(settings))


def _entities(settings: Settings, options: argparse.Namespace) -> int:
    return run_loop(entity_commands.run(settings, options))


def run_loop(work: Coroutine[Any, Any, int | None]) -> int:
    """Run `work` on uvloop where there is one; gives its exit status, 0 where it has none."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.run(work) or 0
    return uvloop.run(work) or 0


def _run_caps(settings: Settings, options: argparse.Namespace) -> int:
    return asyncio.run(caps.run(settings, options))


def _run_events(settings: Settings, options: argparse.Namespace) -> int:
    return asyncio.run(events.run(settings, options))


_COMMANDS = {
    "run": _run,
    "check-config": _check_config,
    "demo": _demo,
    "entities": _entities,
    "caps": _run_caps,
    "events": _run_events,
}

if __name__ == "__main__":
    raise SystemExit(main())
