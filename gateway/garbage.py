"""Work that the garbage collector must not look at: with a million new objects a look takes a tenth of a second."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections(*, large: bool) -> Iterator[None]:
    """Keep the collector off while something `large` grows, and from looking at it ever after.

    What is made meanwhile must have no cycles: when it is let go, counting references frees it.
    """
    if not large or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
