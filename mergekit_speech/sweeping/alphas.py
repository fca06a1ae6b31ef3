"""The α of a sweep, as the command line writes them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from mergekit_speech.errors import SettingsError

MOST = 1000


def read_alphas(text: str) -> tuple[float, ...]:
    """Reads `START:STOP:STEP`, both ends included, or numbers between commas, or both mixed.

    Returns:
        Each α once, in the order in which it comes first.

    Raises:
        SettingsError: There is none, or something is no number, or a range never ends.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = [value for part in parts for value in _read(part, text)]
    if not found:
        raise SettingsError(f"expected alphas such as 0:1:0.25 or 0,0.25,1, came {text!r}: give at least one")
    # Decimals make 0.1 + 0.2 the float that "0.3" is.
    return tuple(dict.fromkeys(map(float, found)))


def _read(part: str, text: str) -> list[Decimal]:
    try:
        numbers = [Decimal(number) for number in part.split(":")]
    except InvalidOperation as fault:
        raise SettingsError(f"expected alphas such as 0:1:0.25 or 0,0.25,1, came {part!r} in {text!r}") from fault
    if not all(number.is_finite() for number in numbers) or len(numbers) not in (1, 3):
        raise SettingsError(f"expected alphas as numbers or START:STOP:STEP, came {part!r} in {text!r}")
    if len(numbers) == 1:
        return numbers
    start, stop, step = numbers
    if step == 0 or not 0 <= (stop - start) / step < MOST:
        raise SettingsError(
            f"expected START:STOP:STEP with a step that leads from one to the other in less than {MOST}, came {part!r}"
        )
    return [start + step * count for count in range(int((stop - start) / step) + 1)]
