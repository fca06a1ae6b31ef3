"""Parts of Markdown pages that a program makes."""

from __future__ import annotations


def replaced(text: str, made: str, by: str) -> str:
    """Put what a program makes in place of what it made before.

    Args:
        text: The page.
        made: What belongs there now.
        by: Name of the program, which the lines around its part say.

    Raises:
        ValueError: The page has no place for it.
    """
    opening, closing = f"<!-- made by {by}: begin -->\n", f"<!-- made by {by}: end -->\n"
    before, begin, rest = text.partition(opening)
    _, end, after = rest.partition(closing)
    if not begin or not end:
        raise ValueError(f"expected the lines {opening!r} and {closing!r} in the page, came one without; put them back")
    return f"{before}{begin}\n{made}\n{end}{after}"
