"""The data directory: private, held by one process at a time, with the master key unless that is kept elsewhere."""

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path

from memory.errors import DataDirectoryHeld
from memory.vault import KEY_BYTES


class DataDirectory:
    """A directory that this process holds until `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def hold(cls, path: Path) -> "DataDirectory":
        """Create the directory if need be (mode 0700) and take its lock.

        The lock is the kernel's: it goes with the process, however that ends.

        Raises:
            DataDirectoryHeld: Another process holds it.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, url = _read_holder(lock)
            os.close(lock)
            raise DataDirectoryHeld(path, pid=pid, url=url) from None
        held = cls(path, lock)
        held.announce(None)
        return held

    def announce(self, url: str | None) -> None:
        """Write into the lock file who holds it and where its API listens."""
        content = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, content, 0)

    def master_key(self) -> bytes:
        """The key in `master.key`, made at first use (mode 0600)."""
        return _master_key(self.path)

    @staticmethod
    def shared_master_key(path: Path) -> bytes:
        """The same for a directory that nobody holds, made if it isn't there (mode 0700)."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _master_key(path)

    def release(self) -> None:
        """Let another process in."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)


def _master_key(directory: Path) -> bytes:
    path = directory / "master.key"
    with suppress(FileNotFoundError):
        return path.read_bytes()
    # Written aside and linked into place: a crash leaves either no key or a whole one, and of two processes that make
    # one at once both get the first.
    draft = directory / f"master.key.{os.getpid()}"
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, os.urandom(KEY_BYTES))
        os.fsync(file)
    finally:
        os.close(file)
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    return path.read_bytes()


def _read_holder(lock: int) -> tuple[int | None, str | None]:
    try:
        holder = json.loads(os.pread(lock, 4096, 0))
        return holder["pid"], holder["url"]
    except (ValueError, KeyError, TypeError):
        # The holder is just about to write it.
        return None, None
