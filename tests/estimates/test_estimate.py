"""The estimate: its arithmetic on figures made by hand, what it must grow with, how it is kept."""

import json
from dataclasses import replace

import pytest

from mnist_core.design.spec import AUGMENTATIONS, OPTIMIZERS, Augment, Conv, Layer, RunSpec
from mnist_core.estimates import estimate
from mnist_core.estimates.estimate import Calibration, Sample, Sizes
from mnist_core.training import events

SIZES = Sizes(1000, 200, 100)
COSTS = {"step": 1e-5, "multiply": 1e-10, "value": 1e-8, "parameter": 1e-9,
         "conv_step": 1e-3, "conv_multiply": 2e-10, "conv_value": 2e-8}  # fmt: skip
HAND = Calibration("this one", COSTS, 0.5, 0.25, 800_000_000, 2_000_000_000)
PLAIN = RunSpec((Layer(20),), "sgd", batch_size=10, epochs=3)
CONV = replace(PLAIN, convolutions=(Conv(8), Conv(8)))
named = pytest.mark.parametrize


def told(spec, sizes=SIZES):
    return estimate.estimate(spec, sizes, HAND)


def test_the_arithmetic_of_a_small_network():
    first, last = 784 * 20, 20 * 10
    parameters = first + 20 + last + 10

    def products(n):
        """The first layer's and the last's, for n images: multiplications, 68 for each float."""
        return (n * first + 68 * (n * 784 + first + n * 20),
                n * last + 68 * (n * 20 + last + n * 10))  # fmt: skip

    once, thrice = products(10)
    step = (1e-5 + (2 * once + 3 * thrice) * 1e-10 + 10 * (784 + 2 * 20) * 1e-8
            + 1.5 * parameters * 1e-9)  # fmt: skip
    image = sum(products(1000)) / 1000 * 1e-10 + 2.4 * 784 * 1e-8
    found = told(PLAIN)
    assert found.seconds_per_epoch == pytest.approx(1.1 * (100 * step + 200 * image))
    assert found.seconds == pytest.approx(3 * found.seconds_per_epoch + 110 * image)
    assert found.compile_seconds == pytest.approx(0.5 * 1.35)
    assert found.peak_bytes == 800_000_000 + estimate.run_bytes(PLAIN, SIZES)


def test_the_arithmetic_of_a_convolution():
    spec = RunSpec((), "sgd", batch_size=10, convolutions=(Conv(8, pool=1),))
    work, inputs = estimate.step_work(spec), 26 * 26 * 8
    assert work["conv_step"] == 1
    assert work["conv_multiply"] == pytest.approx(10 * 2 * inputs * 9 * (1 + 31 / 8))
    assert work["conv_value"] == 10 * inputs
    assert work["multiply"] == 3 * (10 * inputs * 10 + 68 * (10 * inputs + inputs * 10 + 10 * 10))
    assert told(spec).compile_seconds == pytest.approx(0.25 * 1.35)


def test_an_epoch_is_of_whole_batches():
    assert told(PLAIN, Sizes(1009, 200, 100)) == told(PLAIN)
    assert told(PLAIN, Sizes(1010, 200, 100)).seconds > told(PLAIN).seconds


@named("spec", [PLAIN, CONV], ids=["dense", "conv"])
@named("change", [
    {"epochs": 4}, {"layers": (Layer(24),)}, {"layers": (Layer(20), Layer(20))},
    {"layers": (Layer(20, "tanh"),)}, {"layers": (Layer(20, batch_norm=True),)},
    {"layers": (Layer(20, dropout=0.1),)}, {"optimizer": "momentum"}, {"optimizer": "adam"},
    {"batch_size": 5}, *({"augment": Augment(**{name: 0.5})} for name in AUGMENTATIONS),
], ids=str)  # fmt: skip
def test_more_to_do_takes_longer(spec, change):
    more = replace(spec, **change)
    assert told(more).seconds > told(spec).seconds
    assert told(more).compile_seconds >= told(spec).compile_seconds


@named("more", [Conv(12), Conv(8, batch_norm=True), Conv(8, dropout=0.2)], ids=str)
def test_a_larger_convolution_takes_longer(more):
    first = CONV.convolutions[0]
    assert told(replace(CONV, convolutions=(first, more))).seconds > told(CONV).seconds


@named("sizes", [Sizes(1010, 200, 100), Sizes(1000, 201, 100), Sizes(1000, 200, 101)], ids=str)
def test_more_images_take_longer(sizes):
    assert told(PLAIN, sizes).seconds > told(PLAIN).seconds


@named("change", [
    {"layers": (Layer(400),)}, {"optimizer": "adam"}, {"batch_size": 1024},
    {"keep": "val_loss"}, {"convolutions": (Conv(32),)},
], ids=str)  # fmt: skip
def test_a_larger_run_takes_more_memory(change):
    assert told(replace(PLAIN, **change)).peak_bytes > told(PLAIN).peak_bytes


def test_distorting_an_image_in_several_ways_resamples_it_once():
    shifted, turned = (replace(PLAIN, augment=a) for a in (Augment(shift=2), Augment(2, 10, 0.1)))
    assert told(turned) == told(shifted)
    bent = replace(PLAIN, augment=Augment(shift=2, elastic=1))
    assert told(bent).seconds > told(shifted).seconds


def test_every_choice_of_the_design_has_its_weight():
    assert estimate.SLOTS.keys() == OPTIMIZERS.keys()
    assert estimate.DISTORTIONS.keys() == AUGMENTATIONS.keys()


def test_the_images_of_a_run_are_those_that_the_engine_cuts():
    assert Sizes.of(RunSpec(), 60_000, 10_000) == (48_000, 12_000, 10_000)
    assert Sizes.of(RunSpec(validation="test"), 60_000, 10_000) == (60_000, 10_000, 10_000)
    assert Sizes.of(RunSpec(validation_share=0.15), 639, 9) == (543, 96, 9)


# ---- calibration


SAMPLED = [
    RunSpec((), "sgd", batch_size=256), RunSpec((Layer(512),) * 2, "sgd", batch_size=128),
    RunSpec((Layer(128, batch_norm=True),)), RunSpec((), convolutions=(Conv(8),)),
    RunSpec((), convolutions=(Conv(16), Conv(32)), batch_size=64),
]  # fmt: skip


def times(factors):
    """Samples of a machine whose costs are the reference's times `factors`, 1 where not given."""
    costs = {kind: cost * factors.get(kind, 1) for kind, cost in estimate.REFERENCE.items()}
    return [Sample(spec, sum(costs[kind] * x for kind, x in estimate.step_work(spec).items()),
                   0.3 * estimate.compile_work(spec)) for spec in SAMPLED]  # fmt: skip


@named("slower", [0.2, 1, 7])
def test_a_machine_that_is_slower_throughout_is_found(slower):
    found = estimate.calibrated(times(dict.fromkeys(estimate.REFERENCE, slower)), "it", 1)
    for kind, cost in estimate.REFERENCE.items():
        assert found.costs[kind] == pytest.approx(slower * cost, rel=1e-3)
    assert found.compile_dense == pytest.approx(0.3)
    assert found.compile_conv == pytest.approx(0.3)


def test_a_machine_of_another_balance_is_found_in_what_was_measured():
    samples = times({"multiply": 3, "value": 0.7, "conv_multiply": 2})
    found = estimate.calibrated(samples, "it", 1)
    for spec, seconds, _ in samples:
        step = replace(spec, epochs=1)
        one = estimate.estimate(step, Sizes(spec.batch_size, 0, 0), found).seconds
        assert one == pytest.approx(estimate.MARGIN * seconds, rel=0.02)
    assert 2.5 < found.costs["multiply"] / estimate.REFERENCE["multiply"] < 3.5


@named("left", [slice(0, 3), slice(3, 5)])
def test_a_calibration_takes_both_kinds_of_network(left):
    with pytest.raises(ValueError, match="with and without convolutions"):
        estimate.calibrated(times({})[left], "it", 1)


@pytest.mark.parametrize("off", [4.0, 0.25])
def test_runs_that_have_ended_correct_the_estimates(off):
    """A host that is four times slower or faster than it was measured is known so after some."""
    known, spec, sizes = HAND, RunSpec((Layer(512),)), Sizes(48_000, 12_000, 10_000)
    right = off * estimate.estimate(spec, sizes, HAND).seconds
    for _ in range(6):
        told = estimate.estimate(spec, sizes, known).seconds
        known = known.learned(estimate.Outcome(told, right, 0, 0, 0, 0))
    assert estimate.estimate(spec, sizes, known).seconds == pytest.approx(right, rel=0.1)
    assert estimate.Calibration.from_json(known.to_json()) == known


def test_a_run_of_a_moment_corrects_nothing():
    assert HAND.learned(estimate.Outcome(0.2, 3.0, 0, 0, 0, 0)) == HAND


def test_a_calibration_is_kept_for_its_own_host(tmp_path):
    path = tmp_path / "calibration.json"
    assert estimate.kept(path, "this one") is None
    HAND.save(path)
    assert estimate.kept(path, "this one") == HAND
    assert estimate.kept(path, "another") is None
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@named("damage", [
    lambda text: text[:40], lambda text: "", lambda text: "[]", lambda text: '{"host": "this one"}',
    lambda text: text.replace('"step"', '"stop"'), lambda text: text.replace("1e-08", "-1e-08"),
    lambda text: text.replace("1e-08", "NaN"), lambda text: text.replace("1e-08", '"fast"'),
    lambda text: json.dumps(json.loads(text) | {"version": estimate.VERSION + 1}),
])  # fmt: skip
def test_a_damaged_or_later_file_is_ignored(damage, tmp_path):
    path = tmp_path / "calibration.json"
    text = damage(HAND.to_json())
    assert text != HAND.to_json()
    path.write_text(text)
    assert estimate.kept(path, "this one") is None


# ---- afterwards


TOLD = events.Predicted(2.0, 1.0, 6.5, 900_000_000)
BEGUN = [events.Started(10, 3, 100, 20, 99), events.Compiled(1.2)]
EPOCHS = [events.EpochEnded(i, 10 * i, 0.1, 0.9, 0.1, 0.9, 2.5, 0.25) for i in (1, 2)]


def test_the_outcome_compares_what_was_trained():
    stopped = events.Stopped(25, 0.1, 0.9, 6.0, peak_bytes=950_000_000)
    found = estimate.outcome([TOLD, *BEGUN, *EPOCHS, stopped])
    assert found == (5.0, 6.5, 1.0, 1.2, 900_000_000, 950_000_000)


def test_without_a_prediction_or_an_end_there_is_no_outcome():
    assert estimate.outcome([TOLD, *BEGUN, *EPOCHS]) is None
    assert estimate.outcome([*BEGUN, *EPOCHS, events.Finished(30, 0.1, 0.9, 6.0)]) is None
    assert estimate.outcome([TOLD]) is None


def test_numpy_compiles_nothing_and_takes_longer_for_a_step():
    for spec in (RunSpec(), RunSpec((), convolutions=(Conv(8),))):
        by_hand = replace(spec, framework="numpy")
        assert estimate.compile_work(by_hand) == 0 < estimate.compile_work(spec)
        costs = estimate.REFERENCE
        assert estimate._seconds(estimate.step_work(by_hand), costs) > estimate._seconds(
            estimate.step_work(spec), costs
        )
    sizes = estimate.Sizes.of(spec, 60_000, 10_000)
    more = estimate.run_bytes(by_hand, sizes) - estimate.run_bytes(spec, sizes)
    assert more == 8 * spec.batch_size * 26 * 26 * 9
