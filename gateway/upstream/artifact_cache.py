"""The last good artifact of a client on disk, so that a gateway starts when nothing else can be reached (P12).

One file: a line of JSON that says what it is, then the bytes as they came. A file that was cut, changed, or belongs
to another source does not fit its own hash or address and is not used.
"""

import os
import tempfile
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from gateway.errors import ArtifactMissing

_LONGEST_HEAD = 4096


class Kept(Struct, frozen=True):
    """An artifact as it came, its version mark (ETag), its SHA-256, and when it came, in seconds since the epoch."""

    raw: bytes
    mark: str
    digest: str
    retrieved_s: float


class _Head(Struct, frozen=True):
    """The first line of a file."""

    source: str
    sha256: str
    mark: str
    retrieved_s: float


class ArtifactCache:
    """The file of one client and source; blocking, for a thread."""

    def __init__(self, folder: str, code: str, source: str, most_bytes: int) -> None:
        """Keep files in `folder`, made when it is needed; nothing longer than `most_bytes` is read back."""
        self._source = sha256(source.encode()).hexdigest()
        self.path = Path(folder) / f"{code}-{self._source[:16]}.artifact"
        self._most_bytes = most_bytes

    def read(self) -> Kept | None:
        """Give what was kept, None when nothing was; raises ArtifactMissing that says why a file cannot be used."""
        try:
            with self.path.open("rb") as file:
                line = file.readline(_LONGEST_HEAD)
                raw = file.read(self._most_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactMissing(f"cannot read the kept artifact {self.path}: {error.strerror}") from error
        try:
            head = msgspec.json.decode(line, type=_Head)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtifactMissing(f"the kept artifact {self.path} is damaged: it has no head") from error
        if head.source != self._source:
            raise ArtifactMissing(f"the kept artifact {self.path} belongs to another source")
        if len(raw) > self._most_bytes or sha256(raw).hexdigest() != head.sha256:
            raise ArtifactMissing(f"the kept artifact {self.path} is damaged: its hash differs")
        return Kept(raw, head.mark, head.sha256, head.retrieved_s)

    def write(self, kept: Kept) -> None:
        """Keep an artifact in place of the last one, whole or not at all; raises ArtifactMissing where it cannot."""
        head = _Head(self._source, kept.digest, kept.mark[:1024], kept.retrieved_s)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".artifact-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(msgspec.json.encode(head) + b"\n")
                    file.write(kept.raw)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ArtifactMissing(f"cannot keep the artifact in {self.path.parent}: {error.strerror}") from error
