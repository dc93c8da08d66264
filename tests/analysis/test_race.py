"""A fair race: what begins alike, what is said of it, and verdicts against textbook numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mnist_core.analysis import race
from mnist_core.design.choices import Conv
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network import initial

BASE = RunSpec((Layer(32), Layer(16)), seed=5)


def right(n, first):
    """n images of which the given ones are right."""
    found = np.zeros(n, bool)
    found[first] = True
    return found


def test_what_two_designs_share_begins_alike():
    other = replace(BASE, layers=(Layer(32, batch_norm=True), Layer(24)))
    a, b = race.initial_weights(BASE), race.initial_weights(other)
    assert np.array_equal(a["dense_1/kernel"], b["dense_1/kernel"])
    assert a["dense_2/kernel"].shape != b["dense_2/kernel"].shape
    again = race.initial_weights(replace(BASE, optimizer="sgd", learning_rate=0.1, batch_size=8))
    assert all(np.array_equal(a[name], again[name]) for name in a)


def test_the_seed_decides_and_layers_of_one_shape_differ():
    twins = RunSpec((Layer(32), Layer(32), Layer(32)))
    a, b = race.initial_weights(twins), race.initial_weights(replace(twins, seed=1))
    assert not np.array_equal(a["dense_2/kernel"], a["dense_3/kernel"])
    assert not np.array_equal(a["dense_2/kernel"], b["dense_2/kernel"])


@pytest.mark.parametrize("spec", [BASE, RunSpec((), convolutions=(Conv(8, batch_norm=True),))])
def test_all_weights_of_a_design_are_there_and_of_its_initializer(spec):
    weights = race.initial_weights(spec)
    assert {n: w.shape for n, w in weights.items()} == initial.weight_shapes(spec)
    assert all(w.dtype == np.float32 for w in weights.values())
    kernel = weights["logits/kernel"]
    assert np.abs(kernel).max() <= np.sqrt(6 / sum(kernel.shape))
    assert kernel.std() == pytest.approx(np.sqrt(2 / sum(kernel.shape)), rel=0.15)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"optimizer": "sgd"}, "All begin with the same weights. They see the same images in the "
         "same order, in the same batches."),
        ({"batch_size": 64}, "cut into batches of different size"),
        ({"seed": 9}, "the seed decides both"),
        ({"initializer": "he_normal"}, "in the way that is compared"),
        ({"validation_share": 0.1}, "They train on different images"),
        ({"layers": (Layer(32), Layer(8))}, "begins with the same weights (dense_1)"),
        ({"layers": (Layer(8), Layer(8))}, "none begins with the same weights"),
    ],
)  # fmt: skip
def test_what_is_fair_is_said(change, says):
    assert says in " ".join(race.fairness([BASE, replace(BASE, **change)]))


def test_holm_as_in_his_paper():
    assert race.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert race.holm([0.5, 0.9]) == [1.0, 1.0]
    assert race.holm([0.02]) == [0.02]


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, n, held = np.random.default_rng(1), 500, 0
    for _ in range(400):
        draws = rng.choice(4, n, p=[0.9, 0.05, 0.02, 0.03])
        low, high = race.interval((draws == 1).sum(), (draws == 2).sum(), n)
        held += low <= 0.03 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_two_racers_that_differ_by_more_than_chance():
    (pair,) = race.verdict({"A": right(1000, range(900)), "B": right(1000, range(940))})
    assert (pair.better, pair.other, pair.ahead, pair.differs) == ("B", "A", 40, True)
    assert pair.low < pair.difference == 0.04 < pair.high and pair.low > 0
    said = race.sentence([pair])
    assert said.startswith("B is better than A: 40 more right out of 1,000 (95 % interval: ")
    assert re.search(r"with probability \d\.\d × 10⁻¹²\.$", said)


def test_two_racers_that_may_differ_by_chance():
    a, b = right(1000, range(900)), right(1000, range(10, 915))
    (pair,) = race.verdict({"A": a, "B": b})
    assert pair.ahead == 5 and not pair.differs and pair.low < 0 < pair.high
    said = race.sentence([pair])
    assert "B did better than A: 5 more right" in said and "would often be chance" in said
    (even,) = race.verdict({"A": a, "B": a})
    assert race.sentence([even]) == "A and B read equally many of 1,000 images right."


def test_of_three_all_pairs_are_compared_and_corrected():
    racers = {"A": right(1000, range(900)), "B": right(1000, range(8, 914)),
              "C": right(1000, range(960))}  # fmt: skip
    pairs = race.verdict(racers)
    assert [(x.better, x.other) for x in pairs] == [("B", "A"), ("C", "A"), ("C", "B")]
    assert [x.differs for x in pairs] == [False, True, True]
    assert all(x.adjusted >= x.p for x in pairs)
    said = race.sentence(pairs)
    assert "Holm's correction for 3 comparisons" in said and "C is better than A" in said
    assert said.endswith("The other 1 pair may differ by chance.")
    same = race.sentence(race.verdict(dict.fromkeys("ABC", racers["A"])))
    assert same.startswith("No two of them can be told apart")


@pytest.mark.parametrize(
    ("accuracies", "winner", "said"),
    [
        ({"Adam": 0.97, "SGD": 0.91}, "Adam", "You guessed Adam, and so it came."),
        ({"Adam": 0.91, "SGD": 0.97}, "SGD",
         "You guessed Adam; SGD read more of the test images right."),
        ({"Adam": 0.97, "SGD": 0.97}, "", "You guessed Adam; several share the first place."),
        ({"Adam": 0.97, "SGD": None}, "", ""),
    ],
)  # fmt: skip
def test_a_guess_stands_beside_who_won(accuracies, winner, said):
    assert race.winner(accuracies) == winner
    assert race.guessed("Adam", accuracies) == said
    assert race.guessed("", accuracies) == ""
