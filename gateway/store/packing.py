"""Parts of commands as Redis takes them (RESP2), for those that are the same with every call."""

from gateway.store.scripts import Script


def pack(*parts: bytes) -> bytes:
    """Give some parts of a command, to be joined with others."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])


def pack_head(count: int) -> bytes:
    """Give what a command of `count` parts begins with."""
    return b"*%d\r\n" % count


def pack_script(script: Script, keys: int, parts: int) -> bytes:
    """Give what running a script begins with; `parts` keys and arguments follow, the first `keys` of them keys."""
    return pack_head(3 + parts) + pack(b"EVALSHA", script.sha, b"%d" % keys)
