"""How numbers are written."""

import math

import pytest

from mnist_core.basis import numbers


@pytest.mark.parametrize(("share", "text"), [
    (0.988, "98.80 %"), (1.0, "100.00 %"), (0.0, "0.00 %"), (None, "–"), (math.nan, "NaN"),
    (-0.00001, "0.00 %"), (-0.05, "−5.00 %"),
])  # fmt: skip
def test_a_share_has_two_decimals_whatever_they_are(share, text):
    assert numbers.percent(share) == text.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(("nats", "text"), [
    (0.0353, "0.0353"), (2.3, "2.3000"), (1234.5, "1,234.5000"), (2.345e25, "2.3 × 10²⁵"),
    (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "NaN"), (None, "–"),
])  # fmt: skip
def test_a_loss_is_short_whatever_it_is(nats, text):
    assert numbers.loss(nats) == text


@pytest.mark.parametrize(("value", "text"), [
    (4.14, "4.1 s"), (9.96, "10.0 s"), (12.44, "12.4 s"), (1204.0, "1,204.0 s"), (None, "–"),
])  # fmt: skip
def test_a_time_has_tenths(value, text):
    assert numbers.seconds(value) == text.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(("value", "text"), [
    (0.02, "+0.02"), (-0.02, "−0.02"), (0.001, "0.00"), (-0.001, "0.00"), (1234.5, "+1,234.50"),
])  # fmt: skip
def test_a_difference_has_its_sign_and_nothing_has_none(value, text):
    assert numbers.signed(value, 2) == text


@pytest.mark.parametrize(("value", "text"), [
    (1e-6, "0.000001"), (10.0, "10"), (0.001, "0.001"), (5 * 10.0**-3, "0.005"), (0.0, "0"),
])  # fmt: skip
def test_a_setting_has_no_exponent(value, text):
    assert numbers.plain(value) == text


def test_one_is_no_plural():
    assert numbers.some(1, "epoch") == "1 epoch"
    assert numbers.some(10_000, "image") == "10,000 images"
    assert numbers.some(0, "epoch") == "0 epochs"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.03534, 3, "0.0353"), (1e-5, 2, "1.0 × 10⁻⁵"), (-1.234e-6, 3, "−1.23 × 10⁻⁶"), (0, 3, "0"),
     (1234.5, 3, "1,234"), (1e6, 2, "1.0 × 10⁶"), (-2.5, 3, "−2.5"), (float("nan"), 3, "NaN"),
     (float("-inf"), 3, "−∞"), (100.0, 2, "100")],
)  # fmt: skip
def test_a_number_of_any_size_has_the_digits_that_count(value, digits, text):
    assert numbers.significant(value, digits) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "> 99.99 %"), (0.0, "< 0.01 %"), (0.99994, "99.99 %"), (0.5, "50.00 %")],
)
def test_a_probability_is_neither_certain_nor_impossible(p, text):
    assert numbers.probability(p).replace(numbers.THIN, " ") == text


def test_an_interval_and_a_list_are_written_one_way():
    assert numbers.between(0.979, 0.98456).replace(numbers.THIN, " ") == "97.90 to 98.46 %"
    assert [numbers.listed("a"), numbers.listed("ab"), numbers.listed("abc")] == [
        "a", "a and b", "a, b and c",
    ]  # fmt: skip
