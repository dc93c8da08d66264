"""How long a design will train on this host, and how much memory it will take: before it does.

A step is counted in a few kinds of work that follow from the design alone (`step_work`): products,
values that pass through an activation, parameters that an optimizer rewrites. What each costs is a
property of the host. The engine times a handful of small designs, `calibrated` finds the costs that
explain those times, and `estimate` multiplies.

The weights below (a pixel is one value, a hidden unit two, dropout one more) were fitted on two
cores of an AMD EPYC; there the formula was within 27 % of the measured step for 13 dense and 10
convolution designs. Standard library only.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from mnist_core import storage
from mnist_core.design.spec import IMAGE_SHAPE, Block, RunSpec
from mnist_core.training import events

E = TypeVar("E", bound=events.Event)

VERSION = 2  # of the figures' meaning: older files are measured anew
PIXELS = math.prod(IMAGE_SHAPE)
EVALUATION_BATCH = 1000  # images that the engine evaluates at once
# Optimizer state, in arrays of the size of the parameters.
SLOTS = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2, "adamw": 2, "nadam": 2, "adagrad": 1}
# Values a pixel. The first four are one resampling of the image however many of them are asked for.
DISTORTIONS = {"shift": 10.0, "rotation": 10.0, "zoom": 10.0, "shear": 10.0, "elastic": 12.0,
               "pen": 3.0}  # fmt: skip
AFFINE = ("shift", "rotation", "zoom", "shear")
UNFUSED = 2.3  # how much longer a distortion takes where XLA does not fuse it
CURVED = ("tanh", "sigmoid", "silu", "elu")  # these need an exponential
# A product reads, rearranges and writes its three matrices: multiply-adds for each of their floats.
PACKING = 68
NARROW = 31  # filters; a convolution of so many takes twice the time for each of its multiply-adds
CACHED = 1_500_000  # floats of parameters and state beyond which they no longer stay in the cache

# Seconds for one unit of each kind of work, on the machine that the formula was fitted on.
# Elsewhere they are where `calibrated` starts from.
REFERENCE: dict[str, float] = {
    "step": 3.3e-6,  # what the compiled loop takes for a step that computes nothing
    "multiply": 9.1e-12,  # a multiply-add of a dense product
    "value": 1.15e-9,  # a float that is read, changed and written
    "parameter": 7.6e-11,  # a float of parameters or optimizer state, rewritten
    "conv_step": 7.9e-4,  # what a convolution takes however little it computes
    "conv_multiply": 1.1e-11,
    "conv_value": 8.4e-10,
}
# NumPy's step beside the compiled one: how much more of each kind of work it is, and the steps'
# worth of calls that each layer takes. Fitted to seven designs on the same machine.
BY_HAND = {"multiply": 1.15, "parameter": 9.0, "conv_step": 3.1, "conv_multiply": 1.5,
           "conv_value": 4.0}  # fmt: skip
CALLS, CALLS_A_LAYER = 3.0, 7.0
BALANCE = 3.0  # how far one cost may be from where the others are, compared with REFERENCE
# The samples are the least times of short chunks; an epoch also meets what those happened to miss.
MARGIN = 1.1
LEARNED_SECONDS, LEARNED_SHARE, MOST_OFF = 0.5, 0.4, 20.0
Work = dict[str, float]


class Sizes(NamedTuple):
    """Numbers of images that a run trains on, validates on after each epoch, and is tested on."""

    train: int
    validation: int
    test: int

    @classmethod
    def of(cls, spec: RunSpec, train: int, test: int) -> Sizes:
        """What a design makes of a training and a test set of so many images."""
        if spec.validation == "test":
            return cls(train, test, test)
        kept = int(train * (1 - spec.validation_share))
        return cls(kept, train - kept, test)


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take: `seconds` for all epochs with their validation and the test
    at the end; `compile_seconds` come before, unless the program is still there from a run before.
    `peak_bytes` is the training process's memory."""

    seconds_per_epoch: float
    compile_seconds: float
    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Calibration:
    """What was measured on one host: seconds for a unit of each kind of work in REFERENCE,
    seconds for compiling a unit of `compile_work` (dense and with convolutions), and the memory
    of the training process when it is ready and idle. `factor` is how many times longer runs here
    have taken than their arithmetic tells. `host` names the machine; `memory_limit` is
    what a process may take there (0: unknown)."""

    host: str
    costs: Mapping[str, float]
    compile_dense: float
    compile_conv: float
    base_bytes: int
    memory_limit: int = 0
    factor: float = 1.0  # of the seconds of training, from runs that have ended
    version: int = field(default=VERSION)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What `to_json` wrote. Raises ValueError for anything else."""
        try:
            found = cls(**json.loads(text))
            figures = (*found.costs.values(), found.compile_dense, found.compile_conv, found.factor)
            sound = all(math.isfinite(x) and x > 0 for x in figures) and found.base_bytes >= 0
        except (TypeError, AttributeError) as error:
            raise ValueError("This is no calibration.") from error
        if not sound or found.version != VERSION or found.costs.keys() != REFERENCE.keys():
            raise ValueError("This calibration does not fit this version.")
        return found

    def learned(self, found: Outcome) -> Calibration:
        """Corrected by a run that has ended: by a part of what it was off, and by nothing if it was
        so short that its start and end are most of it."""
        if min(found.seconds, found.predicted_seconds) < LEARNED_SECONDS:
            return self
        off = (found.seconds / found.predicted_seconds) ** LEARNED_SHARE
        return replace(self, factor=min(MOST_OFF, max(1 / MOST_OFF, self.factor * off)))

    def save(self, path: Path) -> None:
        """Keep it for the next start: the file is whole or not there."""
        storage.write(path, self.to_json().encode())


def kept(path: Path, host: str) -> Calibration | None:
    """The calibration in a file, or None if there is none of this host that can be read."""
    with suppress(OSError, ValueError):
        found = Calibration.from_json(path.read_text())
        return found if found.host == host else None
    return None


# ---- the work of a design


def step_work(spec: RunSpec) -> Work:
    """The work of one training step.

    A product is done forward, for the kernel's gradient, and for the input's, which the first layer
    does not need.
    """
    batch = spec.batch_size
    dense = [_product(block, batch) for block in _blocks(spec, "Dense")]
    products = 3 * sum(dense) - (0 if spec.convolutions else dense[0])
    trainable = sum(block.trainable for block in spec.stack())
    moved = trainable * (1.5 + SLOTS[spec.optimizer])
    work = {
        "step": 1.0,
        "multiply": products,
        "value": batch * (PIXELS + _dense_values(spec) + PIXELS * _distortion(spec)),
        "parameter": moved + max(0.0, moved - CACHED),
    }
    if spec.convolutions:
        convolutions = _conv_products(spec)
        work |= {"conv_step": len(convolutions), "conv_value": batch * _conv_values(spec),
                 "conv_multiply": batch * (3 * sum(convolutions) - convolutions[0])}  # fmt: skip
    return _by_hand(work, spec) if spec.framework == "numpy" else work


def _by_hand(work: Work, spec: RunSpec) -> Work:
    """The same step in NumPy."""
    more = {kind: amount * BY_HAND.get(kind, 1.0) for kind, amount in work.items()}
    layers = len(spec.layers) + len(spec.convolutions)
    return more | {"step": CALLS + CALLS_A_LAYER * layers}


def evaluation_work(spec: RunSpec) -> Work:
    """The work of evaluating one image: forward only, a thousand images at a time."""
    dense = sum(_product(block, EVALUATION_BATCH) for block in _blocks(spec, "Dense"))
    work = {"multiply": dense / EVALUATION_BATCH, "value": 2.4 * PIXELS}
    if spec.convolutions:
        work["conv_multiply"] = 0.7 * sum(_conv_products(spec))
        work["conv_value"] = sum(math.prod(b.output) for b in _blocks(spec, "Conv2D"))
    return work


def _product(block: Block, batch: int) -> float:
    """The multiply-adds of a dense layer's product for a batch, and its packing in such."""
    units = block.output[0]
    inputs = block.multiplications // units
    floats = batch * inputs + inputs * units + batch * units
    return batch * block.multiplications + PACKING * floats


def _conv_products(spec: RunSpec) -> list[float]:
    """The multiply-adds of each convolution for one image, dearer where the filters are few."""
    blocks = _blocks(spec, "Conv2D")
    return [
        block.multiplications * (1 + NARROW / layer.filters)
        for block, layer in zip(blocks, spec.convolutions, strict=True)
    ]


def _blocks(spec: RunSpec, kind: str) -> list[Block]:
    return [block for block in spec.stack() if block.kind == kind]


def _dense_values(spec: RunSpec) -> float:
    """Values of the hidden dense layers for one image."""
    return sum(
        x.units * (2 + 0.3 * (x.activation in CURVED) + 0.7 * x.batch_norm + (x.dropout > 0))
        for x in spec.layers
    )


def _conv_values(spec: RunSpec) -> float:
    """Values of the convolutions for one image."""
    total = 0.0
    for block, layer in zip(_blocks(spec, "Conv2D"), spec.convolutions, strict=True):
        values = math.prod(block.output)
        extra = (layer.pool > 1) / 2 + 4 * layer.batch_norm + 2 * (layer.dropout > 0)
        total += values * (1 + extra + 0.3 * (layer.activation in CURVED))
    return total


def _distortion(spec: RunSpec) -> float:
    """Values a pixel that the augmentation takes."""
    costs = {name: DISTORTIONS[name] for name in DISTORTIONS if getattr(spec.augment, name)}
    affine = max((costs.pop(name) for name in AFFINE if name in costs), default=0.0)
    return (affine + sum(costs.values())) * (UNFUSED if spec.convolutions else 1)


def compile_work(spec: RunSpec) -> float:
    """How much there is to build and compile: 1 for a network without hidden layers, nothing for
    NumPy."""
    if spec.framework == "numpy":
        return 0.0
    norms = sum(x.batch_norm for x in (*spec.convolutions, *spec.layers))
    drops = sum(x.dropout > 0 for x in (*spec.convolutions, *spec.layers))
    layers = len(spec.convolutions) + len(spec.layers)
    return 1 + 0.35 * layers + 0.35 * norms + 0.2 * drops + 0.15 * SLOTS[spec.optimizer]


def run_bytes(spec: RunSpec, sizes: Sizes) -> int:
    """What a run takes beyond the idle process that has read the same images.

    The program holds the weights, their gradients, the optimizer's state and its fresh copy; two
    checkpoints and the model file pass through at the end. Activations live until the backward
    pass has used them; evaluation holds a layer's input and output for a thousand images.
    """
    slots = SLOTS[spec.optimizer]
    parameters = 4 * spec.parameters * (6 + 3 * slots + (spec.keep != "last"))
    outputs = [math.prod(block.output) for block in spec.stack()]
    training = 4 * spec.batch_size * 2 * sum(outputs)
    pairs = [a + b for a, b in itertools.pairwise(outputs)]
    evaluating = 4 * min(EVALUATION_BATCH, max(sizes.validation, sizes.test)) * max(pairs)
    program = 12_000_000
    if spec.framework == "numpy":  # the table of a convolution's windows, and its gradient
        program += 8 * spec.batch_size * spec.windows
    return int(program + parameters + max(training, evaluating))


# ---- from work to seconds, and back


def _seconds(work: Work, costs: Mapping[str, float]) -> float:
    """What this work takes at best."""
    return sum(amount * costs[kind] for kind, amount in work.items())


def estimate(spec: RunSpec, sizes: Sizes, calibration: Calibration) -> Estimate:
    """What a valid design will take on so many images, on the host of the calibration."""
    steps = sizes.train // spec.batch_size
    image = MARGIN * _seconds(evaluation_work(spec), calibration.costs)
    step = MARGIN * _seconds(step_work(spec), calibration.costs)
    epoch = steps * step + sizes.validation * image
    unit = calibration.compile_conv if spec.convolutions else calibration.compile_dense
    epoch, image = calibration.factor * epoch, calibration.factor * image
    return Estimate(
        seconds_per_epoch=epoch,
        compile_seconds=unit * compile_work(spec),
        seconds=spec.epochs * epoch + sizes.test * image,
        peak_bytes=calibration.base_bytes + run_bytes(spec, sizes),
    )


class Sample(NamedTuple):
    """A design that was measured: seconds a step, and for compiling it (0: it was there)."""

    spec: RunSpec
    step_seconds: float
    compile_seconds: float


def calibrated(samples: Sequence[Sample], host: str, base_bytes: int, memory_limit: int = 0
               ) -> Calibration:  # fmt: skip
    """The costs that explain the samples, and all else that a Calibration holds.

    Raises ValueError unless there are samples both with and without convolutions, some compiled.
    """
    dense = [s for s in samples if not s.spec.convolutions]
    convolutional = [s for s in samples if s.spec.convolutions]
    if not (dense and convolutional):
        raise ValueError("A calibration takes designs with and without convolutions.")
    conv = [kind for kind in REFERENCE if kind.startswith("conv_")]
    costs = _explain(dense, REFERENCE, [kind for kind in REFERENCE if kind not in conv])
    costs = _explain(convolutional, costs, conv)
    return Calibration(host, costs, _compile_unit(dense), _compile_unit(convolutional),
                       base_bytes, memory_limit)  # fmt: skip


def _explain(samples: Sequence[Sample], start: Mapping[str, float],
             kinds: Sequence[str]) -> dict[str, float]:  # fmt: skip
    """Costs with which the samples come out right, if those of `kinds` are changed from `start`.

    Each cost is scaled again and again by how much too short the samples were estimated, weighted
    by its share in each (the multiplicative update of maximum likelihood). So costs stay positive,
    and one that no sample can tell from another keeps its proportion to it. A busy moment during
    one sample must not turn the balance over: no cost moves further from the others than BALANCE.
    """
    costs = dict(start)
    works = [step_work(sample.spec) for sample in samples]
    common = statistics.geometric_mean(_ratios(samples, works, costs))
    for kind in kinds:
        costs[kind] *= common
    middle = dict(costs)
    for _ in range(200):
        ratios = _ratios(samples, works, costs)
        gains = {kind: _gain(kind, costs, works, ratios) for kind in kinds}
        for kind, gain in gains.items():
            moved = costs[kind] * gain / middle[kind]
            costs[kind] = middle[kind] * min(BALANCE, max(1 / BALANCE, moved))
    return costs


def _ratios(samples: Sequence[Sample], works: Sequence[Work], costs: Mapping[str, float]
            ) -> list[float]:  # fmt: skip
    """How many times longer each sample took than these costs say."""
    return [s.step_seconds / _seconds(w, costs) for s, w in zip(samples, works, strict=True)]


def _gain(kind: str, costs: Mapping[str, float], works: Sequence[Work], ratios: Sequence[float]
          ) -> float:  # fmt: skip
    """The mean of the ratios, by the share that this kind of work has in each sample."""
    shares = [work.get(kind, 0.0) * costs[kind] / _seconds(work, costs) for work in works]
    return sum(x * r for x, r in zip(shares, ratios, strict=True)) / sum(shares)


def _compile_unit(samples: Sequence[Sample]) -> float:
    units = [s.compile_seconds / compile_work(s.spec) for s in samples if s.compile_seconds]
    return statistics.fmean(units)


# ---- afterwards


class Outcome(NamedTuple):
    """What was predicted beside what it took, for as many epochs as were trained: seconds for
    training with validation, seconds for compiling, and bytes at most (0: unknown)."""

    predicted_seconds: float
    seconds: float
    predicted_compile: float
    compile_seconds: float
    predicted_bytes: int
    peak_bytes: int


def outcome(history: Sequence[events.Event]) -> Outcome | None:
    """How an ended run's prediction turned out, by its timeline; None if it had none or no end.

    Time spent paused or in slow motion is not training, so it is on neither side.
    """
    end = _last(history, events.Finished)
    told, started = _last(history, events.Predicted), _last(history, events.Started)
    compiled = _last(history, events.Compiled)
    if not (end and told and started and compiled):
        return None
    epochs = [event for event in history if isinstance(event, events.EpochEnded)]
    return Outcome(
        told.seconds_per_epoch * end.step / started.steps_per_epoch,
        end.seconds + sum(event.validation_seconds for event in epochs),
        told.compile_seconds, compiled.seconds,
        told.peak_bytes, end.peak_bytes,
    )  # fmt: skip


def _last(history: Sequence[events.Event], kind: type[E]) -> E | None:
    return next((event for event in reversed(history) if isinstance(event, kind)), None)
