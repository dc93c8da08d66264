"""Scores, intervals and tests against scikit-learn, SciPy and worked examples."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from mnist_core.analysis import evaluation

ALL = np.arange(10)


@pytest.fixture
def answers():
    """Labels and probabilities of a mediocre model; digit 7 never occurs and 3 is never said."""
    rng = np.random.default_rng(5)
    labels = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9], 700)
    logits = rng.normal(size=(700, 10)) + 2.0 * np.eye(10)[labels]
    logits[:, 3] = -20
    e = np.exp(logits)
    return labels.astype(np.uint8), (e / e.sum(axis=1, keepdims=True)).astype(np.float32)


# -------------------------------------------------------------- against scikit-learn


def test_the_scores_are_those_of_scikit_learn(answers):
    labels, p = answers
    found = evaluation.scores(labels, p)
    exact = p.astype(np.float64) / p.astype(np.float64).sum(axis=1, keepdims=True)
    assert found.accuracy == metrics.accuracy_score(labels, p.argmax(axis=1))
    assert found.top2_accuracy == metrics.top_k_accuracy_score(labels, p, k=2, labels=ALL)
    assert found.loss == pytest.approx(metrics.log_loss(labels, exact, labels=ALL), rel=1e-5)


def test_the_confusion_is_that_of_scikit_learn(answers):
    labels, p = answers
    counts = evaluation.confusion(labels, p.argmax(axis=1))
    assert np.array_equal(counts, metrics.confusion_matrix(labels, p.argmax(axis=1), labels=ALL))
    expected = counts[:7] / counts[:7].sum(axis=1, keepdims=True)
    assert np.allclose(evaluation.rates(counts)[:7], expected)
    assert np.isnan(evaluation.rates(counts)[7]).all()


def test_the_scores_of_each_digit_are_those_of_scikit_learn(answers):
    labels, p = answers
    found = evaluation.per_class(evaluation.confusion(labels, p.argmax(axis=1)))
    expected = metrics.precision_recall_fscore_support(
        labels, p.argmax(axis=1), labels=ALL, zero_division=np.nan
    )
    for mine, theirs in zip(
        (found.precision, found.recall, found.f1, found.support), expected, strict=True
    ):
        np.testing.assert_allclose(mine, theirs)
    assert np.isnan(found.recall[7]) and np.isnan(found.precision[3]) and found.f1[3] == 0


# -------------------------------------------------------- intervals and paired tests


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (1, 3), (9854, 10_000), (81, 263)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilsons_interval_is_that_of_scipy(right, n, confidence):
    expected = stats.binomtest(right, n).proportion_ci(confidence, method="wilson")
    found = evaluation.wilson(right, n, confidence)
    assert np.allclose(found, (expected.low, expected.high), atol=1e-12)


def test_wilsons_interval_as_newcombe_prints_it():
    """Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    found = evaluation.wilson(np.array([81, 15, 0, 1]), np.array([263, 148, 20, 29]))
    assert np.round(found[0], 4).tolist() == [0.2553, 0.0624, 0, 0.0061]
    assert np.round(found[1], 4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


def test_no_images_have_no_interval():
    assert np.isnan(evaluation.wilson(0, 0)).all()


@pytest.mark.parametrize(("ahead", "behind"), [(0, 1), (5, 5), (3, 12), (40, 18), (0, 30), (21, 1)])
def test_mcnemars_test_is_the_exact_binomial_of_scipy(ahead, behind):
    both = np.zeros(4, bool)
    first = np.r_[np.ones(ahead, bool), np.zeros(behind, bool), both]
    second = np.r_[np.zeros(ahead, bool), np.ones(behind, bool), both]
    found = evaluation.mcnemar(first, second)
    assert (found.only_first, found.only_second) == (ahead, behind)
    assert found.p == pytest.approx(stats.binomtest(ahead, ahead + behind).pvalue, rel=1e-9)


def test_models_that_never_differ_cannot_be_told_apart():
    same = np.array([True, False, True])
    paired = evaluation.mcnemar(same, same)
    assert paired.p == 1 and "same images" in evaluation.verdict(paired, "A", "B")


@pytest.mark.parametrize(
    ("paired", "says"),
    [
        (evaluation.Paired(40, 18, 0.0051), "A reads better"),
        (evaluation.Paired(18, 40, 0.0051), "B reads better"),
        (evaluation.Paired(3, 12, 0.035), "B reads better"),
        (evaluation.Paired(5, 6, 1.0), "no evidence that either reads better"),
        (evaluation.Paired(0, 60, 1e-9), "1.0 × 10⁻⁹"),
    ],
)
def test_the_verdict_names_the_better_model_only_when_there_is_evidence(paired, says):
    assert says in evaluation.verdict(paired, "A", "B")


# ------------------------------------------------------------- ranking and calibration


def test_errors_come_surest_first(answers):
    labels, p = answers
    ranked = evaluation.errors(labels, p)
    assert set(ranked) == set(np.flatnonzero(p.argmax(axis=1) != labels)) and len(ranked) > 50
    assert (np.diff(p.max(axis=1)[ranked]) <= 0).all()


def test_ties_are_ranked_as_argmax_breaks_them():
    even = np.full((10, 10), 0.1)
    assert evaluation.rank(ALL, even).tolist() == list(range(10))


def test_calibration_against_a_loop_over_bins(answers):
    labels, p = answers
    curve = evaluation.calibration(labels, p, bins=10)
    sure, right, error = p.max(axis=1), p.argmax(axis=1) == labels, 0.0
    for b in range(10):
        inside = (sure > b / 10) & (sure <= (b + 1) / 10)
        assert curve.count[b] == inside.sum()
        if inside.any():
            assert curve.accuracy[b] == right[inside].mean()
            assert curve.mean[b] == pytest.approx(sure[inside].mean())
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
        else:
            assert np.isnan([curve.mean[b], curve.accuracy[b], curve.low[b]]).all()
    assert evaluation.calibration_error(curve) == pytest.approx(error)


def test_a_calibrated_model_has_no_error_and_a_boaster_has_one():
    """Half of its answers are right: said with 50 %, no error; said with 100 %, one of ½."""
    labels = np.array([0, 1] * 50)
    honest = np.zeros((100, 10))
    honest[:, 0], honest[:, 1:] = 0.5, 0.5 / 9
    boast = np.eye(10)[np.zeros(100, int)]
    curves = [evaluation.calibration(labels, p) for p in (honest, boast)]
    assert [round(evaluation.calibration_error(c), 9) for c in curves] == [0, 0.5]


def test_a_trend_splits_evenly_and_keeps_equal_values_together():
    values = np.r_[np.zeros(30), np.arange(1, 71), [np.nan] * 5].astype(np.float32)
    right = np.r_[np.ones(30, bool), np.arange(1, 71) % 2 == 0, np.zeros(5, bool)]
    found = evaluation.trend(values, right, bins=4)
    assert found.count.tolist() == [50, 25, 25]  # no NaN; zeros stay together
    assert found.accuracy.tolist() == [40 / 50, 12 / 25, 13 / 25]
    assert np.allclose(evaluation.wilson(found.accuracy * found.count, found.count),
                       (found.low, found.high))  # fmt: skip


def test_a_trend_of_one_value_is_one_bin():
    found = evaluation.trend(np.full(8, 2.5), np.arange(8) < 6)
    assert found.count.tolist() == [8] and found.accuracy.tolist() == [0.75]


# ----------------------------------------------------------------------- bad input

EVEN = np.full((3, 10), 0.1)


@pytest.mark.parametrize(
    ("labels", "p", "says"),
    [
        (np.array([0, 1, 10]), EVEN, "0 to 9"),
        (np.array([0, -1, 1]), EVEN, "0 to 9"),
        (np.array([0.0, 1.0, 2.0]), EVEN, "whole numbers"),
        (np.array([0, 1]), EVEN, "(2, 10)"),
        (np.array([0, 1, 2]), EVEN[:, :9], "(3, 10)"),
        (np.array([0, 1, 2]), 2 * EVEN, "sum to 1"),
        (np.array([0, 1, 2]), EVEN * np.nan, "sum to 1"),
        (np.array([], int), EVEN[:0], "no images"),
    ],
)
def test_bad_answers_are_refused_with_a_sentence(labels, p, says):
    with pytest.raises(ValueError, match=r"\.$") as refusal:
        evaluation.scores(labels, p)
    assert says in str(refusal.value)


def test_other_mismatches_are_refused():
    with pytest.raises(ValueError, match="2 labels cannot go with 3"):
        evaluation.confusion(np.array([0, 1]), np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="same images"):
        evaluation.mcnemar(np.array([True]), np.array([True, False]))
    with pytest.raises(ValueError, match="None of these images"):
        evaluation.trend(np.array([np.nan]), np.array([True]))
