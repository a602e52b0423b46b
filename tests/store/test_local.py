"""What stands in for Redis in a process that decides alone."""

import json

from gateway.store.local import LocalSessions, LocalStream


async def test_a_session_has_the_device_it_is_given() -> None:
    sessions = LocalSessions()
    sessions.refresh("demo", "s", "other")
    sessions.save("demo", "s", "other", "35")
    opened = await sessions.open("demo", "s", "candidate")
    assert (opened.device_id, opened.location_hint) == ("candidate", "")


async def test_entries_are_taken_once_and_again_until_they_are_finished() -> None:
    """gw:F8, as far as one process can: what was taken and not finished comes again, in order."""
    stream = LocalStream(10)
    for number in range(3):
        stream.put(json.dumps(number).encode())
    first = await stream.take(2)
    assert [entry.content for entry in first] == [b"0", b"1"]
    assert [entry.content for entry in await stream.take(5)] == [b"2"]
    assert [entry.content for entry in await stream.take(5, after=b"0")] == [b"0", b"1", b"2"]
    assert [entry.content for entry in await stream.take(5, after=first[0].id)] == [b"1", b"2"]
    await stream.finish(first)
    assert [entry.content for entry in await stream.take(5, after=b"0")] == [b"2"]
    assert await stream.count() == 1
    assert await stream.take_over(0, 5) == []
    assert first[0].added_ms > 1_700_000_000_000


async def test_the_oldest_give_way_and_no_more_are_taken_than_it_may_hold() -> None:
    stream = LocalStream(3)
    for number in range(5):
        stream.put(str(number).encode())
    assert [entry.content for entry in await stream.take(2)] == [b"2", b"3"]
    for number in range(5, 9):
        stream.put(str(number).encode())
    assert [entry.content for entry in await stream.take(9)] == [b"6"]
    assert await stream.take(9) == []
