"""A folder of small files that no other user can write, and what is read of it without trust."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import pwd
import re
import stat
from urllib.parse import quote

from ..errors import Refused, printable
from .descriptors import is_same
from .spare import with_spare

LARGEST = 1 << 20  # bytes of one file
LOCK = "lock"
CUT = 120  # characters of a name before its hash
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO would block otherwise
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def default_folder() -> str:
    """Where this user's folders are, if the configuration names no place. Raises Refused.

    By the passwd database: a host that was started by sudo may have another user's HOME.
    """
    user = os.geteuid()
    if user == 0:
        return _private("/run/unicorn-handover")
    with contextlib.suppress(KeyError, Refused):
        home = pwd.getpwuid(user).pw_dir
        return _private(os.path.join(home, ".local/state/unicorn-handover"))
    return _private(f"/tmp/unicorn-handover-{user}")


def file_name(text: str) -> str:
    """A name that can be a file's, readable, and different for every text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    plain = quote(text, safe="@:+,=", errors="surrogateescape").replace("%2F", "-").strip("-.")
    return f"{plain[:CUT]}-{digest}"


class PrivateFolder:
    """One folder below a private one, held by a lock until `release` or this process ends.

    root: "" for the default. name: "" for the root itself, where that is one host's alone. Raises
    Refused, with what to do, if it cannot be had, or another process holds it. A child that has not
    exec'd yet holds it too, and keeps it where a host forks to daemonise.

    Somebody may take it away at any time, and another process make and hold one by its name. What
    is there then is that one's, and is neither listed nor changed.
    """

    def __init__(self, root: str, name: str) -> None:
        self._root = root
        self._name = name
        self._lock = -1
        self.make()

    def make(self) -> None:
        """Make and hold it, for the first time or after it was taken away. Raises Refused."""
        self._let_go()
        above = _private(self._root) if self._root else default_folder()
        self.path = _private(os.path.join(above, file_name(self._name))) if self._name else above
        self._lock = _locked(os.path.join(self.path, LOCK))
        self._held = os.fstat(self._lock)

    @property
    def is_held(self) -> bool:
        """True until it was taken away, or released."""
        try:
            return os.path.samestat(os.fstat(self._lock), os.stat(os.path.join(self.path, LOCK)))
        except OSError:
            return False

    def names(self) -> list[str]:
        """The names of the files in it, but the lock. Raises OSError."""
        if not self.is_held:
            return []
        return sorted(name for name in os.listdir(self.path) if re.fullmatch(r".+\.json", name))

    def read(self, name: str) -> bytes | None:
        """What a file holds, None if there is none. Raises Refused if it is not to be trusted."""
        try:
            descriptor = os.open(os.path.join(self.path, name), _READ)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(error.strerror) from None
        try:
            _refuse_unfit(os.fstat(descriptor))
            return os.read(descriptor, LARGEST)
        except OSError as error:
            raise Refused(error.strerror) from None
        finally:
            os.close(descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Replace a file whole, or not at all. Raises OSError.

        It need not outlive the machine, so nothing is forced to the disk. On a full one, `data`
        that is JSON is written into the blocks that the file has already, if it fits there.
        """
        if not self.is_held:
            raise FileNotFoundError(errno.ENOENT, "it was taken away")
        path = os.path.join(self.path, name)
        try:
            _replace(path, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not _overwrite(path, data):
                raise

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with contextlib.suppress(OSError):
            if self.is_held:
                os.unlink(os.path.join(self.path, name))

    def release(self) -> None:
        """Let another process have it; take it away if nothing is left in it."""
        with contextlib.suppress(OSError):
            if self.is_held and not self.names():
                os.unlink(os.path.join(self.path, LOCK))
                os.rmdir(self.path)
        self._let_go()

    def _let_go(self) -> None:
        """Close the lock, but not what has its number by now."""
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0 and is_same(descriptor, self._held):
            os.close(descriptor)


def _replace(path: str, data: bytes) -> None:
    new = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = with_spare(lambda: os.open(new, _WRITE, 0o600))
    try:
        with open(descriptor, "wb", buffering=0) as file:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, "No space left on device")
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def _overwrite(path: str, data: bytes) -> bool:
    """Write into the file itself; False if it is not there, or has not the blocks for that.

    By one system call, so that a process which is killed has written all or nothing. What is left
    of a longer text before is covered by spaces.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if len(data) <= found.st_blocks * 512:  # stat(2): a block has 512 bytes
                return os.pwrite(descriptor, data.ljust(found.st_size), 0) >= len(data)
        finally:
            os.close(descriptor)
    return False


def _private(path: str) -> str:
    """Make a folder that only this user can write, if it is not there. Raises Refused."""
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        found = os.lstat(path)
    except OSError as error:
        raise Refused(f"{printable(path)}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"{printable(path)} is no folder")
    if found.st_uid != os.geteuid():
        raise Refused(f"{printable(path)} belongs to user {found.st_uid}")
    if found.st_mode & 0o022:
        raise Refused(f"{printable(path)} can be written by others; chmod go-w")
    return path


def _refuse_unfit(found: os.stat_result) -> None:
    """Raise Refused for a file that somebody else may have written, or that is none."""
    if not stat.S_ISREG(found.st_mode):
        raise Refused("it is no regular file")
    if found.st_uid != os.geteuid():
        raise Refused(f"it belongs to user {found.st_uid}")
    if found.st_mode & 0o077:
        raise Refused("others may read or write it")
    if found.st_size > LARGEST:
        raise Refused(f"it has more than {LARGEST} bytes")


def _locked(path: str) -> int:
    while True:
        descriptor = -1
        try:
            descriptor = _opened(path)
            _refuse_unfit(os.fstat(descriptor))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise Refused(f"another process holds {printable(path)}") from None
        except (Refused, OSError) as error:
            if descriptor >= 0:
                os.close(descriptor)
            if not isinstance(error, FileNotFoundError):
                raise Refused(f"{printable(path)}: {error}") from None
            _private(os.path.dirname(path))  # who held the lock has taken the folder away as well
            continue
        os.close(descriptor)  # whoever held it has taken it away and ended


def _opened(path: str) -> int:
    """Open a lock, on a disk that has become read-only too: what is known there counts."""
    try:
        return os.open(path, _LOCK, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, _READ)
