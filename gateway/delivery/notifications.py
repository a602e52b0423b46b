"""What local decisions displayed, as the request that tells Target (spec on-device §13, get-offers §15 point 4)."""

import msgspec

from gateway.delivery.geo import CALLER, is_address
from gateway.delivery.model import Context, JsonObject

# Not the trace: its token may have expired when the call is made, and Target would refuse the call for it.
_CARRIED = ("impressionId", "environmentId", "property", "experienceCloud")


def make_notification_body(
    body: JsonObject, identity: JsonObject, context: Context, notifications: list[JsonObject]
) -> JsonObject:
    """Give the body of the background call: the ids and circumstances of the decided request, and what it displayed.

    The geo values that were looked up for the decision go along; everything else of the context is the caller's own.
    """
    sent: JsonObject = {name: body[name] for name in _CARRIED if body.get(name) is not None}
    own = {name: value for name, value in body["context"].items() if name != "beacon"}
    if context.geo is not None:
        own["geo"] = (own.get("geo") or {}) | {
            name: value for name, value in msgspec.to_builtins(context.geo).items() if value is not None
        }
        address = own["geo"].get("ipAddress")
        if address is not None and address != CALLER and not is_address(address):
            del own["geo"]["ipAddress"]
    return sent | {"id": identity, "context": own} | ({"notifications": notifications} if notifications else {})
