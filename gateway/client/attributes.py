"""What `get_attributes` gives (get-offers §14)."""

from typing import Any

from gateway.delivery.attributes import index_attributes
from gateway.delivery.model import JsonObject
from gateway.errors import AttributeMissing


class Attributes:
    """The JSON offers of mboxes, merged by mbox name."""

    def __init__(self, envelope: JsonObject, response: JsonObject) -> None:
        """Index `response`, the JSON form of the envelope's own."""
        self._envelope = envelope
        self._index = index_attributes(response)

    def get_value(self, mbox_name: str, key: str) -> Any:
        """Give one value; raises AttributeMissing where the mbox or the key is unknown."""
        entry = self._index.get(mbox_name, {})
        if key not in entry:
            raise AttributeMissing(f"Attribute '{key}' does not exist for mbox '{mbox_name}'")
        return entry[key]

    def as_object(self, mbox_name: str | None = None) -> dict[str, Any]:
        """Give a copy of what is known of one mbox ({} where it is unknown), or of all of them."""
        if mbox_name is None:
            return {name: dict(entry) for name, entry in self._index.items()}
        return dict(self._index.get(mbox_name, {}))

    def get_response(self) -> JsonObject:
        """Give the envelope of the call."""
        return self._envelope
