"""What can be seen of files, and of the files that a process has open. A part of `System`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from .descriptors import open_files
from .files import KeptFile, chunks_of, keep_file, written_files
from .pid_file import pid_in
from .procfs import list_directory, look_into, read_bytes


class FileFacts:
    """What can be seen of files, and of the files that a process has open.

    What is gone is None or empty, never an error.
    """

    def real_path(self, path: str) -> str:
        """The path without links, as far as it is there."""
        return os.path.realpath(path)

    def is_directory(self, path: str) -> bool:
        """True if a directory is there."""
        return os.path.isdir(path)

    def names_in(self, directory: str) -> list[str]:
        """What is in a directory, in no order."""
        return list_directory(directory)

    def is_file(self, path: str) -> bool:
        """True if a file is there."""
        return os.path.isfile(path)

    def may_execute(self, path: str) -> bool:
        """True if this user may execute a file, or go into a directory."""
        return os.access(path, os.X_OK)

    def find_command(self, word: str, path: str | None) -> str:
        """Where a command is that is looked for in PATH, or in the default one; "" if nowhere."""
        return shutil.which(word, path=path or os.defpath) or ""

    def pid_in(self, path: str) -> int:
        """The pid in a pid file, 0 if it holds none or is none."""
        return pid_in(path)

    def text_of(self, path: str) -> str:
        """The text of a small file, "" if it cannot be read."""
        return read_bytes(path).decode("utf-8", "replace")

    def written_files(self, pid: int) -> dict[str, int]:
        """The paths and sizes of the regular files that a process has open for writing.

        Standard error first, then by descriptor.
        """
        return look_into(pid, lambda: written_files(pid)) or {}

    def size_of(self, path: str) -> int:
        """How many bytes a file has, 0 if there is none that we may see."""
        try:
            return os.stat(path).st_size
        except OSError:
            return 0

    def chunks_of(self, path: str, start: int) -> Iterator[bytes]:
        """What a regular file holds from `start` on, in pieces; the last megabytes of it."""
        return chunks_of(path, start)

    def open_files(self, pid: int, name_part: str) -> list[os.stat_result]:
        """The status of each open file, deleted or not, whose path holds `name_part`.

        Raises PermissionError if this user may not read it.
        """
        return look_into(pid, lambda: open_files(pid, name_part), denied=True) or []

    def keep_file(self, pid: int, name_part: str, identity: tuple[int, int]) -> KeptFile | None:
        """Hold an open file whose path has `name_part`, by device and inode; the caller closes it.

        None if a process has no such file, is gone, or is not ours to read.
        """
        return look_into(pid, lambda: keep_file(pid, name_part, identity))

    def file_id(self, path: str) -> tuple[int, int] | None:
        """What is the same in all names of one file; None if there is none that we may see."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_dev, found.st_ino
