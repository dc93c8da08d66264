"""How a number is written: each quantity with the same digits wherever it is shown.

The space before a unit does not break, minus is a minus sign, thousands have commas, and a value
that is no number says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import SupportsFloat

NONE = "–"  # what is not known yet
MINUS, THIN = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_WIDE = 1e5  # from here on a number is written with a power of ten


def percent(share: SupportsFloat | None, decimals: int = 2) -> str:
    """A share of 1: 0.988 is "98.80 %"; a dash for None."""
    if share is None:
        return NONE
    value = float(share)
    return _odd(value) or f"{_fixed(100 * value, decimals)}{THIN}%"


def between(low: SupportsFloat, high: SupportsFloat, decimals: int = 2) -> str:
    """An interval of shares: "97.90 to 98.46 %"."""
    return f"{_fixed(100 * float(low), decimals)} to {percent(high, decimals)}"


def probability(p: float, decimals: int = 2) -> str:
    """As `percent`, and honest at both ends: neither certain nor impossible unless it is exactly
    so, "< 0.01 %" and "> 99.99 %". (A softmax in float32 rounds to 1 itself: that is none.)"""
    least = 10.0**-decimals
    if 100 * p < least / 2:
        return f"< {_fixed(least, decimals)}{THIN}%"
    if 100 * p > 100 - least / 2:
        return f"> {_fixed(100 - least, decimals)}{THIN}%"
    return percent(p, decimals)


def loss(nats: float | None) -> str:
    """A loss with four decimals, "0.0353"; a large one as "2.3 × 10⁹", one that is no number as
    "NaN" or "∞"; a dash for None."""
    if nats is None:
        return NONE
    return _odd(nats) or (_power(nats) if abs(nats) >= _WIDE else _fixed(nats, 4))


def seconds(value: float | None) -> str:
    """A time that was measured: "4.1 s", "1,204.0 s"; a dash for None."""
    if value is None:
        return NONE
    return _odd(value) or f"{_fixed(value, 1)}{THIN}s"


def fixed(given: SupportsFloat, decimals: int) -> str:
    """A number with so many decimals: "1,234.50", "−0.5"."""
    value = float(given)
    return _odd(value) or _fixed(value, decimals)


def signed(value: SupportsFloat, decimals: int) -> str:
    """A difference with its sign: "+0.02", "−0.02", "0.00"."""
    text = _fixed(float(value), decimals)
    return text if text.startswith(MINUS) or not float(text.replace(",", "")) else f"+{text}"


def significant(given: SupportsFloat, digits: int = 3) -> str:
    """A number of any size with so many digits that count: "0.0353", "1,230", "1.2 × 10⁻⁵"."""
    value = float(given)
    if odd := _odd(value):
        return odd
    if value and not 1e-4 <= abs(value) < _WIDE:
        return _power(value, digits - 1)
    text = f"{value:,.{max(0, digits - 1 - _magnitude(value))}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def listed(items: Iterable[object]) -> str:
    """Several things in a sentence: "2", "2 and 7", "2, 7 and 9"."""
    *most, last = map(str, items)
    return f"{', '.join(most)} and {last}" if most else last


def plain(value: float) -> str:
    """A setting without an exponent and without zeros at its end: "0.000001", "10"."""
    return f"{value:.8f}".rstrip("0").rstrip(".").replace("-", MINUS)


def some(count: int, thing: str, things: str = "") -> str:
    """So many of a thing: "1 epoch", "10,000 images", "2 batches"."""
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"


def _odd(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "" if math.isfinite(value) else "∞" if value > 0 else f"{MINUS}∞"


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    if not float(text.replace(",", "")):
        text = text.removeprefix("-")  # "-0.00" is zero
    return text.replace("-", MINUS)


def _power(value: float, decimals: int = 1) -> str:
    digits, _, exponent = f"{value:.{decimals}e}".partition("e")
    return f"{digits} × 10{str(int(exponent)).translate(_RAISED)}".replace("-", MINUS)
