"""Attributes: the JSON offers of mboxes, merged by mbox name (get-offers §14)."""

from collections.abc import Sequence
from typing import Any

from gateway.delivery.model import JsonObject

Attributes = dict[str, JsonObject]


def add_mboxes(request: JsonObject | None, names: Sequence[str]) -> JsonObject:
    """Give `request` with every mbox of `names` that it does not ask for yet, in `execute`."""
    asked: JsonObject = dict(request) if request else {"context": {"channel": "web"}}
    known = {name for part in ("execute", "prefetch") for name in _names(asked.get(part))}
    wanted = [name for name in dict.fromkeys(names) if name not in known]
    execute = asked.get("execute")
    if not wanted or (execute is not None and not isinstance(execute, dict)):
        return asked
    own = (execute or {}).get("mboxes")
    if own is not None and not isinstance(own, list):
        return asked  # refused later, by name
    numbers = [mbox["index"] for mbox in own or () if isinstance(mbox, dict) and _is_number(mbox.get("index"))]
    first = int(max([0, *numbers])) + 1
    added: list[JsonObject] = [{"index": first + at, "name": name} for at, name in enumerate(wanted)]
    asked["execute"] = (execute or {}) | {"mboxes": [*(own or ()), *added]}
    return asked


def _names(part: Any) -> list[str]:
    mboxes = part.get("mboxes") if isinstance(part, dict) else None
    known = [mbox.get("name") for mbox in mboxes if isinstance(mbox, dict)] if isinstance(mboxes, list) else []
    return [name for name in known if isinstance(name, str)]


def _is_number(index: Any) -> bool:
    return isinstance(index, int | float) and not isinstance(index, bool)


def index_attributes(response: JsonObject) -> Attributes:
    """Give the merged content of each mbox's JSON options by mbox name: prefetch, then execute; a later one wins."""
    index: Attributes = {}
    for part in ("prefetch", "execute"):
        for mbox in (response.get(part) or {}).get("mboxes") or ():
            entry = index.setdefault(mbox["name"], {}) if isinstance(mbox.get("name"), str) else {}
            for option in mbox.get("options") or ():
                if (
                    isinstance(option, dict)
                    and option.get("type") == "json"
                    and isinstance(option.get("content"), dict)
                ):
                    entry |= option["content"]
    return index
