"""Measures the local decisioning of Adobe's SDK for Python, in its own environment; speaks as peer_node.js does.

The request is made of the SDK's own objects before the clock starts; what it would tell Target is dropped.
"""

import json
import sys
import time
import warnings
from typing import Any

warnings.simplefilter("ignore")

from delivery_api_client import ApiClient  # noqa: E402 - the SDK warns while it is imported
from target_decisioning_engine import TargetDecisioningEngine  # noqa: E402
from target_decisioning_engine.types.decisioning_config import DecisioningConfig  # noqa: E402
from target_decisioning_engine.types.target_delivery_request import TargetDeliveryRequest  # noqa: E402

WARM_UP_S = 0.3


class Wire:
    """What the SDK's own reader wants to be given."""

    def __init__(self, body: Any) -> None:
        self.data = json.dumps(body)


def rate(engine: Any, options: TargetDeliveryRequest, seconds: float) -> float:
    done, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        engine.get_offers(options)
        done += 1
    return done / elapsed


def main() -> None:
    told = json.load(sys.stdin)
    rates = {}
    for name, case in told["cases"].items():
        config = DecisioningConfig(
            client="bench",
            organization_id="BENCH@AdobeOrg",
            polling_interval=0,
            telemetry_enabled=False,
            artifact_payload=case["artifact"],
            send_notification_func=lambda *_args, **_more: None,
        )
        engine = TargetDecisioningEngine(config)
        engine.initialize()
        request = ApiClient().deserialize(Wire(case["request"]), "DeliveryRequest")
        options = TargetDeliveryRequest(request=request)
        rate(engine, options, WARM_UP_S)
        rates[name] = [rate(engine, options, told["seconds"]) for _ in range(told["rounds"])]
    print(json.dumps({"rates": rates}))


if __name__ == "__main__":
    main()
