"""`TargetClient`: get_offers and friends for Python callers (get-offers §1-§14).

By names, options and answers it stands in for the client of Adobe's SDK for Python. Where an event loop runs its calls
are awaited; elsewhere they wait for the answer; with a `callback` they return at once.
"""

import asyncio
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Self

from gateway.client.attributes import Attributes
from gateway.client.background import Backend, Background
from gateway.client.conversion import to_json, to_objects
from gateway.client.events import Events, find_logger
from gateway.client.in_process import open_in_process
from gateway.client.options import ClientOptions, make_settings, read_client_options
from gateway.client.preparation import Defaults, Prepared, prepare
from gateway.client.remote import check_gateway_url, open_remote
from gateway.client.results import AsyncResult, follow
from gateway.delivery.attributes import add_mboxes
from gateway.delivery.model import JsonObject
from gateway.errors import ArtifactMissing

Finish = Callable[[JsonObject], Any]


class TargetClient:
    """One client of Target; made by `create`, may be used by many threads and event loops at once."""

    def __init__(self, options: ClientOptions, events: Events) -> None:
        """Start in the background; nothing is waited for."""
        self._options = options
        self._events = events
        self._defaults = Defaults(options)
        self._start()

    @classmethod
    def create(cls, options: Any) -> Self:
        """Give a client for the options of get-offers §1; raises ConfigError that says which one is wrong.

        `events` maps names like `client_ready` to functions, `logger` has `debug` and `error`.
        """
        checked = read_client_options(options)
        if checked.gateway_url:
            check_gateway_url(checked.gateway_url)
        else:
            make_settings(checked)
        handlers = options.get("events")
        logger = find_logger(options.get("logger"))
        return cls(checked, Events(handlers if isinstance(handlers, Mapping) else {}, logger))

    def get_offers(self, options: Any) -> Any:
        """Decide; gives the envelope of get-offers §12, an awaitable of it, or with a `callback` an AsyncResult.

        Raises RequestError for a call that is not valid, ArtifactMissing where on-device decisions cannot be made yet,
        UpstreamError where no gateway answers.
        """
        return self._call("get-offers", options, prepare(options, self._defaults), to_objects)

    def send_notifications(self, options: Any) -> Any:
        """Tell Target what was displayed or clicked; gives what `get_offers` gives, with the ids that were taken."""
        return self._call("send-notifications", options, prepare(options, self._defaults, notifies=True), to_objects)

    def get_attributes(self, mbox_names: Sequence[str], options: Any = None) -> Any:
        """Decide, and give the Attributes of the JSON offers; `options` may lack the request."""
        asked = dict(options or {})
        request = to_json(asked.get("request"))
        asked["request"] = add_mboxes(request if isinstance(request, dict) else None, list(mbox_names))
        return self._call("get-offers", asked, prepare(asked, self._defaults), _to_attributes)

    def close(self) -> None:
        """End every call, send what waits to be told, and let go of every connection."""
        self._finalizer()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close, without holding up the event loop."""
        await asyncio.to_thread(self.close)

    def _start(self) -> None:
        opener: Callable[[ClientOptions, Events], AbstractAsyncContextManager[Backend]]
        opener = open_remote if self._options.gateway_url else open_in_process
        self._process_id = os.getpid()
        self._background = Background(partial(opener, self._options, self._events))
        self._finalizer = weakref.finalize(self, _close, self._background, self._events)

    def _call(self, endpoint: str, options: Any, prepared: Prepared, finish: Finish) -> Any:
        if self._process_id != os.getpid():  # a forked child has none of its parent's threads
            self._finalizer.detach()
            self._events = self._events.renew()
            self._start()
        for message in prepared.messages:
            self._events.log_debug(message)
        asked = self._background.ask(endpoint, prepared.given, self._options.timeout / 1000)
        done = follow(asked, partial(self._finish, prepared, finish))
        callback, err_callback = options.get("callback"), options.get("err_callback")
        if callable(callback):
            return AsyncResult(done, partial(self._tell, callback, err_callback))
        return self._give(done)

    def _finish(self, prepared: Prepared, finish: Finish, envelope: JsonObject) -> Any:
        if "artifact" in envelope["meta"].get("degraded", ()):
            raise ArtifactMissing("the decisioning engine is not ready: no artifact has been loaded")
        if hint := envelope.get("target_location_hint_cookie"):
            self._defaults.hint = hint["value"]
        if prepared.visitor is not None:
            envelope["visitor_state"] = prepared.visitor.get_state()
        return finish(envelope)

    def _tell(self, callback: Any, err_callback: Any, done: "Future[Any]") -> None:
        error = None if done.cancelled() else done.exception()
        if error is None and not done.cancelled():
            self._events.run(callback, done.result())
        elif error is not None and callable(err_callback):
            self._events.run(err_callback, error)

    def _give(self, done: "Future[Any]") -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return done.result()
        return done.result() if self._options.blocking else asyncio.wrap_future(done)


def _to_attributes(envelope: JsonObject) -> Attributes:
    return Attributes(to_objects(envelope), envelope["response"])


def _close(background: Background, events: Events) -> None:
    background.stop()
    events.close()
