"""A run's history as TensorBoard logs.

The names are those of Keras's own TensorBoard callback, so that one chart shows the curves of both.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mnist_core.training import events


class Point(NamedTuple):
    """One value of one curve: `part` is its folder ("train", "validation" or "test"), `seconds`
    how long the run had been training."""

    part: str
    tag: str
    step: int
    seconds: float
    value: float


def points(history: Sequence[events.Event]) -> Iterator[Point]:
    """Every value of a timeline: of chunks by their batch, of epochs by their number from 0."""
    seconds, epoch = 0.0, 0
    for event in history:
        match event:
            case events.Progress():
                values = {"batch_loss": event.loss, "batch_accuracy": event.accuracy,
                          "images_per_second": event.images_per_second}  # fmt: skip
                yield from (Point("train", tag, event.step, event.seconds, value)
                            for tag, value in values.items())  # fmt: skip
            case events.EpochEnded():
                seconds, epoch = seconds + event.seconds, event.epoch - 1
                yield Point("train", "epoch_loss", epoch, seconds, event.loss)
                yield Point("train", "epoch_accuracy", epoch, seconds, event.accuracy)
                yield Point("validation", "epoch_loss", epoch, seconds, event.val_loss)
                yield Point("validation", "epoch_accuracy", epoch, seconds, event.val_accuracy)
            case events.Finished():
                yield Point("test", "epoch_loss", epoch, event.seconds, event.test_loss)
                yield Point("test", "epoch_accuracy", epoch, event.seconds, event.test_accuracy)


def tensorboard(history: Sequence[events.Event], name: str, began: float) -> bytes:
    """A ZIP of event files under a folder `name`, for `tensorboard --logdir`. `began` is in seconds
    since 1970."""
    parts: dict[str, list[Point]] = {}
    for point in points(history):
        parts.setdefault(point.part, []).append(point)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, found in parts.items():
            path = f"{name}/{part}/events.out.tfevents.{began:.0f}.mnist-lab"
            archive.writestr(path, _event_file(found, began))
    return packed.getvalue()


def _event_file(found: Sequence[Point], began: float) -> bytes:
    # TensorBoard's own writer of files would import TensorFlow where it is installed.
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    records = RecordWriter(buffer)
    event_of = getattr(event_pb2, "Event")  # noqa: B009  made by protobuf as it is imported
    records.write(event_of(wall_time=began, file_version="brain.Event:2").SerializeToString())
    for point in found:
        event = event_of(wall_time=began + point.seconds, step=point.step)
        event.summary.value.add(tag=point.tag, simple_value=point.value)
        records.write(event.SerializeToString())
    return buffer.getvalue()
