"""A part of a page is made anew, and nothing else of it."""

from __future__ import annotations

import pytest

from benchmarks.page import replaced

BEGIN, END = "<!-- made by me: begin -->\n", "<!-- made by me: end -->\n"


def test_only_its_own_part_is_replaced() -> None:
    other = "<!-- made by you: begin -->\n\nyours\n\n<!-- made by you: end -->\n"
    assert replaced(f"{other}a\n{BEGIN}old{END}b\n", "new\n", "me") == f"{other}a\n{BEGIN}\nnew\n\n{END}b\n"


@pytest.mark.parametrize("page", ["a page", BEGIN, END, END + BEGIN])
def test_a_page_without_a_place(page: str) -> None:
    with pytest.raises(ValueError, match=r"expected the lines .* in the page, came one without; put them back"):
        replaced(page, "tables", "me")
