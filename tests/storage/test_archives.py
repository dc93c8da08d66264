"""Archives that lie: about how they are packed, and about what they unpack to."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from mnist_core.storage import UnusualMember, archives

HUGE = 80 * 2**20


def packed(content: bytes, how: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("a.bin", content)
    return file.getvalue()


def lying(whole: bytes, size: int) -> bytes:
    """The archive with another unpacked size declared, in both of its directories."""
    changed = bytearray(whole)
    local, central = whole.index(b"PK\3\4"), whole.index(b"PK\1\2")
    struct.pack_into("<I", changed, local + 22, size)
    struct.pack_into("<I", changed, central + 24, size)
    return bytes(changed)


@pytest.fixture
def frugally():
    """That nothing takes more than some megabytes, however much it was promised."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20


@pytest.fixture(scope="module")
def zeros():
    return {how: packed(bytes(HUGE), how)
            for how in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)}  # fmt: skip


def opened(whole: bytes):
    archive = zipfile.ZipFile(io.BytesIO(whole))
    return archive, archive.infolist()[0]


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_packed_as_usual_comes_out_whole(how):
    assert archives.content(*opened(packed(b"digits" * 99, how)), 1000) == b"digits" * 99


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_told_where_to_stop_is_not_opened(how):
    with pytest.raises(UnusualMember, match="ordinary ZIP"):
        archives.content(*opened(packed(b"digits", how)), 1000)


def test_a_small_size_in_its_directory_unpacks_no_more(zeros, frugally):
    with pytest.raises(zipfile.BadZipFile):
        archives.content(*opened(lying(zeros[zipfile.ZIP_DEFLATED], 1000)), 2000)


def test_more_than_the_limit_is_not_unpacked(zeros, frugally):
    with pytest.raises(UnusualMember, match="more than 2,000 bytes"):
        archives.content(*opened(zeros[zipfile.ZIP_DEFLATED]), 2000)


def test_a_lie_about_a_bomb_of_another_kind_is_not_believed(zeros, frugally):
    with pytest.raises(UnusualMember):
        archives.content(*opened(lying(zeros[zipfile.ZIP_BZIP2], 1000)), 2000)


def test_what_is_shorter_than_it_says_is_damaged():
    with pytest.raises(zipfile.BadZipFile, match="shorter than it says"):
        archives.content(*opened(lying(packed(b"digits", zipfile.ZIP_DEFLATED), 60)), 1000)
