"""The full set from the network: two addresses, checked by SHA-256, into the cache.

The page never waits for it: `start_download()` is a job that says how far it is.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from mnist_core import storage
from mnist_core.basis import Job, Jobs, in_thread
from mnist_core.basis.jobs import Report

from . import formats
from .formats import DataError

if TYPE_CHECKING:  # 0.07 s that the first page need not wait for: imported where they are used
    import requests

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """An address: the folder's URL, and the SHA-256 of each file in it.

    The files are one .npz, or the four IDX files.
    """

    base: str
    sha256: Mapping[str, str]


SOURCES = (
    Source(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        {"mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"},
    ),
    Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz":
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz":
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz":
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz":
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
)  # fmt: skip
TIMEOUT = (5.0, 20.0)  # seconds to connect, and to wait for the next bytes
CHUNK = 16 * 1024

_one_at_a_time = threading.Lock()


def fetch(
    progress: Progress | None = None,
    sources: Sequence[Source] = SOURCES,
    timeout: tuple[float, float] = TIMEOUT,
) -> Path:
    """Download MNIST into the cache and return the path; at once if it is there and good.

    `progress(received, total)` is called with bytes: total grows with each file of a source and
    is 0 where the server does not say; received starts again with the next source.
    Raises DataError, one sentence with a reason for each address, or for an unwritable cache.
    """
    path = formats.cache_path()
    with _one_at_a_time:
        if _is_good(path):
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _fetch_first(sources, path, progress or (lambda received, total: None), timeout)
        except OSError as error:
            why = storage.unwritable(path, error)
            raise DataError(f"MNIST was not downloaded: {why}") from error
    return path


def _is_good(path: Path) -> bool:
    try:
        return os.path.exists(path) and bool(formats.read(path))
    except formats.UnreachableError:
        return False
    except DataError as error:
        storage.set_aside(path, str(error))
        return False


def _fetch_first(
    sources: Sequence[Source], path: Path, progress: Progress, timeout: tuple[float, float]
) -> None:
    """The first source that works, moved to `path`. Raises DataError, or OSError for the disk."""
    import requests

    reasons = []
    for source in sources:
        try:
            return _fetch_from(source, path, _Bar(progress), timeout)
        except requests.RequestException as error:  # an OSError too, so it comes first
            reasons.append(f"{urlsplit(source.base).netloc} {_reason(error)}")
        except ValueError:  # from pooch, for a wrong SHA-256
            reasons.append(f"{urlsplit(source.base).netloc} sent something other than MNIST")
    raise DataError(
        f"MNIST was not downloaded ({', '.join(reasons)}); set MNIST_DATA to a copy of mnist.npz "
        "or try again later; the sample of 5,000 digits works without it."
    )


def _fetch_from(source: Source, path: Path, bar: "_Bar", timeout: tuple[float, float]) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it would write to stderr; the core never prints
    # Any object with tqdm's methods will do as its bar, which its types do not say.
    get: Any = pooch.HTTPDownloader(progressbar=cast(Any, bar), chunk_size=CHUNK, timeout=timeout)
    with storage.incoming(path) as draft:
        folder = str(draft.parent)
        for name, sha256 in source.sha256.items():
            pooch.retrieve(source.base + name, sha256, name, folder, downloader=get)
        data = formats.read(Path(folder, name))
        if len(source.sha256) == 1:
            os.replace(Path(folder, name), path)
        else:
            formats.write(path, data)


def _reason(error: "requests.RequestException") -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):  # later: no Timeout
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off"
    return "could not be reached"


class _Bar:
    """What pooch drives as a progress bar. It counts whole chunks, so the last is cut to fit."""

    def __init__(self, report: Progress) -> None:
        self.report, self.before, self.received, self.size = report, 0, 0, 0

    @property
    def total(self) -> int:
        return self.size

    @total.setter
    def total(self, size: int) -> None:  # a new file begins
        self.before, self.received, self.size = self.before + self.size, 0, size
        self.update(0)

    def update(self, count: int) -> None:
        self.received = min(self.received + count, self.size or self.received + count)
        self.report(self.before + self.received, self.before + self.size if self.size else 0)

    def reset(self) -> None:
        """Before the last update, which repeats the whole size: nothing to take back."""

    def close(self) -> None:
        """The report needs no end."""


_jobs = Jobs(1)


def download() -> Job | None:
    """The download of this process, which every visitor sees; None before it was begun."""
    return _jobs.look("mnist")


def start_download(
    sources: Sequence[Source] = SOURCES, timeout: tuple[float, float] = TIMEOUT
) -> Job:
    """Begin it, unless it is under way or the file is there; one that failed begins anew. Its share
    stays 0 where no server says how large its file is."""

    def run(report: Report) -> Path:
        return fetch(lambda received, total: report(received / total if total else 0.0),
                     sources, timeout)  # fmt: skip

    last = download()
    if last and last.state == "done" and not os.path.exists(last.result()):
        _jobs.forget("mnist")
    return _jobs.ask("mnist", lambda: in_thread(run, "The download"))
