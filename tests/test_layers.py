"""The house: who may import whom, and what the pure rooms must not know."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent / "gateway"
PURE = ("pql", "delivery", "offers")
FORBIDDEN_IN_PURE = {"asyncio", "aiohttp", "redis", "structlog", "os", "time", "random", "uuid", "socket", "threading"}
FORBIDDEN_IN_PURE |= {"secrets", "subprocess", "pathlib", "urllib.request", "http"}
BELOW = {
    "errors": (),
    "config": ("errors",),
    "configuration": ("errors", "config"),
    "telemetry": (),
    "ids": (),
    "garbage": (),
    "pql": ("errors",),
    "delivery": ("errors",),
    "offers": ("errors", "pql"),
    "store": ("errors", "config", "configuration", "telemetry", "ids", "pql", "delivery", "offers"),
    "upstream": ("errors", "config", "configuration", "garbage", "telemetry", "pql", "delivery", "offers"),
}
BELOW["access"] = ("errors", "config", "configuration", "telemetry", "offers", "upstream")
BELOW["decisioning"] = (*BELOW["store"], "garbage", "store")
BELOW["tenants"] = (*BELOW["upstream"], "upstream", "store")
BELOW["engine"] = BELOW["services"] = (*BELOW["tenants"], "tenants")
BELOW["gauges"] = ("telemetry", "store")
BELOW["business"] = ("gauges", *BELOW["decisioning"], "upstream", "access", "decisioning")
BELOW["services"] = (*BELOW["services"], "gauges", "ids", "access", "decisioning", "business")
BELOW["walk"] = (*BELOW["services"], "services", "engine")
BELOW["web"] = BELOW["client"] = (*BELOW["walk"], "walk")
BELOW["server"] = (*BELOW["web"], "web")
BELOW["demo"] = (*BELOW["server"], "server", "transfer")
BELOW["offline"] = BELOW["operating"] = BELOW["server"]
BELOW["transfer"] = ("errors", "offers", "store")
BELOW["entity_commands"] = (*BELOW["transfer"], "config", "configuration", "transfer")
BELOW["__main__"] = (*BELOW["demo"], "demo", "offline", "operating", "entity_commands")
BELOW["__init__"] = ()


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def test_rooms_import_only_what_stands_below_them() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for line, module in imports_of(path):
            target = module.split(".")[1] if module.startswith("gateway.") else room
            if target != room and target not in BELOW[room]:
                wrong.append(f"{path}:{line}: {room} imports {module}")
            if module.split(".")[0] == "redis" and path != ROOT / "store" / "connection.py":
                wrong.append(f"{path}:{line}: only store/connection.py imports redis")
        if "aiohttp.ClientSession" in path.read_text() and room != "upstream":
            wrong.append(f"{path}: only upstream/ uses aiohttp's client")
    assert not wrong, "\n".join(wrong)


def test_pure_rooms_know_no_io_clock_or_chance() -> None:
    wrong = []
    for path in [path for room in PURE for path in sorted((ROOT / room).rglob("*.py"))]:
        modules = [(line, name) for line, name in imports_of(path) if name.split(".")[0] in FORBIDDEN_IN_PURE]
        wrong += [f"{path}:{line}: a pure room imports {name}" for line, name in modules]
        nodes = ast.walk(ast.parse(path.read_text()))
        wrong += [
            f"{path}:{node.lineno}: async in a pure room" for node in nodes if isinstance(node, ast.AsyncFunctionDef)
        ]
    assert not wrong, "\n".join(wrong)
