"""Faults of a file system: the message and the fix for each."""

import errno

_FIXES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "mount it for writing",
    errno.EACCES: "fix its permissions",
    errno.EPERM: "fix its permissions, or use a file system with hard links",
    errno.EIO: "check the disk",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the machine's limit on open files",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ENOTDIR: "a file stands where a folder must be: move it, or use another place",
    errno.EEXIST: "a file stands where a folder must be: move it, or use another place",
    errno.EISDIR: "a folder stands where a file must be: move it, or use another place",
    errno.ELOOP: "remove the circle of links",
    errno.ESTALE: "mount the file system again",
}


def printable(name: str) -> str:
    r"""A name for messages: without characters that move a cursor or cannot be encoded.

    >>> printable("a\0b\x1b[2J")
    'a?b?[2J'
    """
    return "".join(c if c.isprintable() else "?" for c in name)


def disk_fault(verb: str, place: object, error: OSError | ValueError) -> str:
    r"""A message about a failed call: the place, the fault and the fix.

    Args:
        verb: `read` or `write`.
        place: The file or folder.
        error: The exception. A ValueError is one of the name: it holds a NUL, or half a character.

    >>> disk_fault("write", "out/f", OSError(28, "No space left on device"))
    'cannot write out/f: No space left on device; free some space, then run the same command again to resume'
    >>> disk_fault("read", "a\0b", ValueError("embedded null byte"))
    'cannot read a?b: no file can have this name; use another name'
    """
    shown = printable(str(place))
    if isinstance(error, ValueError):
        return f"cannot {verb} {shown}: no file can have this name; use another name"
    fix = _FIXES.get(error.errno or 0)
    return f"cannot {verb} {shown}: {error.strerror or error}" + (
        f"; {fix}, then run the same command again to resume" if fix else ""
    )
