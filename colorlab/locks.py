"""A lock file that the system takes back from a process that dies, by ``filelock``."""

from __future__ import annotations

import errno
import os

from filelock import FileLock, Timeout

__all__ = ["Timeout", "take"]

# What a file system that knows no locks reports.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


def take(path: str | os.PathLike[str], timeout: float) -> FileLock | None:
    """Lock the file, which is made if need be. Any thread may release what is returned.

    Args:
        timeout: seconds to wait for another process to release it; -1 waits without end.

    Returns:
        The lock; None where the file system knows no locks.

    Raises:
        Timeout: another holds it.
        OSError: the file can't be opened.
    """
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=timeout, poll_interval=0.5)
    except Timeout:
        raise
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in _NO_LOCKS:
            raise
        return None
    return lock
