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
