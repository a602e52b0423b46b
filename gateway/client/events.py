"""Events of a client and messages for its logger, told outside the event loop (get-offers §10.4)."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.client.options import Handler, Logger

TAG = "AT:"
_THREADS = 4


def find_logger(given: Any) -> Logger:
    """Give the logger of the options, else the one named `gateway.client`, which is silent until it is set up."""
    if given is not None and callable(getattr(given, "debug", None)) and callable(getattr(given, "error", None)):
        chosen: Logger = given
        return chosen
    logger = logging.getLogger("gateway.client")
    logger.addHandler(logging.NullHandler())
    return logger


class Events:
    """Tells the caller's own code, in threads of its own: it may take its time and make further calls."""

    def __init__(self, handlers: Mapping[str, Handler], logger: Logger) -> None:
        """Know whom to tell."""
        self._handlers = handlers
        self._logger = logger
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway.client.callback")

    def emit(self, name: str, **payload: Any) -> None:
        """Tell the handler of the event `name`, if there is one."""
        handler = self._handlers.get(name)
        if callable(handler):
            self.run(handler, {"type": name} | payload)

    def run(self, told: Callable[[Any], Any], value: Any) -> None:
        """Call `told` with `value`; what it raises is logged, for there is nobody to catch it."""
        try:
            self._threads.submit(self._run, told, value)
        except RuntimeError:  # the interpreter, or the client, is on its way out
            self.log_error("a callback was not called: the client has been closed")

    def _run(self, told: Callable[[Any], Any], value: Any) -> None:
        try:
            told(value)
        except Exception as error:  # noqa: BLE001 - the caller's own code may raise anything
            self.log_error(f"a callback failed: {type(error).__name__}: {error}")

    def log_debug(self, message: str) -> None:
        """Tell the logger."""
        self._logger.debug(f"{TAG} {message}")

    def log_error(self, message: str) -> None:
        """Tell the logger."""
        self._logger.error(f"{TAG} {message}")

    def renew(self) -> "Events":
        """Give the same with threads of its own, for a forked process."""
        return Events(self._handlers, self._logger)

    def close(self) -> None:
        """Begin no further callback."""
        self._threads.shutdown(wait=False)
