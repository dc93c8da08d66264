"""ZIP archives that strangers have made: no member unpacks to more than it may."""

from __future__ import annotations

import zipfile
from typing import IO

PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class UnusualMember(Exception):
    """A member that is not opened; the message says why, as the end of a sentence about it."""


def opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """A member to be read a given number of bytes at a time: so asked, it gives no more than it
    declares, and takes no more memory. Raises UnusualMember for what is neither stored nor
    deflated: Python's other decompressors cannot be told where to stop."""
    if member.compress_type not in PLAIN:
        raise UnusualMember("is packed in a way that is not opened here; use an ordinary ZIP")
    return archive.open(member)


def content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    """All of a member, of at most `limit` bytes, whatever it declares. Raises UnusualMember, and
    BadZipFile if it is not what it declares."""
    with opened(archive, member) as file:
        found = file.read(limit + 1)  # all at once, without a number, would be unpacked first
    if len(found) > limit:
        raise UnusualMember(f"unpacks to more than {limit:,} bytes")
    if len(found) < member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} is shorter than it says")
    return found
