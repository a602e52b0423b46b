"""For Python callers: `TargetClient`, with an engine of its own or in front of a running gateway.

Code written for Adobe's SDK for Python moves over by importing `TargetClient` from here. Its request objects may stay,
or be imported from `gateway.client.models`; plain dicts do as well.
"""

from gateway.client.attributes import Attributes
from gateway.client.results import AsyncResult
from gateway.client.target_client import TargetClient
from gateway.client.visitor import Visitor

__all__ = ["AsyncResult", "Attributes", "TargetClient", "Visitor"]
