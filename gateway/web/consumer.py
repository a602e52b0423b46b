"""Which consumer of the page's SDID a request is (gw:M2, spec get-offers §8)."""

from collections.abc import Mapping

from gateway.delivery.stitching import LONGEST_CONSUMER
from gateway.errors import RequestError

HEADER = "X-Consumer-Id"
PARAMETER = "consumerId"


def read_consumer(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Give the consumer that the caller names in `x-consumer-id`, else in `consumerId`; "" where it names none."""
    consumer = headers.get(HEADER) or query.get(PARAMETER) or ""
    if consumer and (len(consumer) > LONGEST_CONSUMER or not consumer.isprintable()):
        raise RequestError(
            f"Invalid request: a consumer id has at most {LONGEST_CONSUMER} printable characters",
            path=HEADER.lower() if headers.get(HEADER) else PARAMETER,
        )
    return consumer
