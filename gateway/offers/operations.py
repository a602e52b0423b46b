"""An asynchronous delete: what is asked, and how it was decided (spec repository §10)."""

from typing import Literal

from msgspec import Struct

from gateway.offers.instances import JsonObject, Referrer

MOST_REFERENCES = 50
"""How many references the outcome of a refused delete lists at most (D4)."""


class Operation(Struct, frozen=True):
    """A delete that is asked for: `receipt` is the receipt (§6.3) that its outcome will show."""

    operation_id: str
    instance_id: str
    receipt: JsonObject


class Outcome(Struct, frozen=True):
    """How far an operation is: pending, deleted (404 from then on), or rejected because of `referrers`.

    Of a container, `referrers` are instances it still holds, with pointer "".
    """

    operation_id: str
    instance_id: str
    state: Literal["pending", "deleted", "rejected"]
    receipt: JsonObject
    referrers: tuple[Referrer, ...] = ()

    def show(self, container: str) -> JsonObject:
        """Give the body of a decided operation (D4)."""
        if self.state != "rejected":
            return self.receipt | {"outcome": self.state, "status": 200}
        problem = {
            "type": "/problems/still-referenced",
            "title": "Instance is still referenced",
            "status": 409,
            "references": [_show_referrer(referrer, container) for referrer in self.referrers],
        }
        return self.receipt | {"outcome": "rejected", "status": 409, "problem": problem}


def _show_referrer(referrer: Referrer, container: str) -> JsonObject:
    shown = {
        "@id": referrer.at_id,
        "href": f"/{container}/instances/{referrer.instance_id}",
        "property": referrer.pointer,
    }
    return {name: value for name, value in shown.items() if value}
