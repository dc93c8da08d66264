"""Who trains: the gate that pages knock at, its queue, and the processes behind it.

`service` is what a page calls; `dispatcher` is its thread; `cluster` is Dask; `worker` and
`tapes` are what runs over there. Pages never wait for it and never see a worker. May import
`basis`, `storage`, `network`, `design`, `data`, `statistics`, `lessons`, `training`, `estimates`
and `runs`.
"""

from .errands import Call
from .service import Service

__all__ = ["Call", "Service"]
