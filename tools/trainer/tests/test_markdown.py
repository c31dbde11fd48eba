"""Markdown: blocks and tables come out as they are read."""

import pytest

from gaitd_train.markdown import Page, Table


def test_a_page_has_a_blank_line_between_its_blocks():
    table = Table(["configuration", "MMACs", "front"], text=["front"])
    table.add(["1.00x-128", "13.06", "*"])
    table.add(["0.10x-96", "0.12", ""])
    page = Page()
    page.heading(2, "Ladder")
    page.paragraph("Two lines,", "one paragraph.")
    page.bullets(["one", "two"])
    page.code(["gaitd-train report", "exit"])
    page.table(table)
    page.image("a plot", "plot.png")
    assert str(page) == (
        "## Ladder\n\nTwo lines,\none paragraph.\n\n- one\n- two\n\n    gaitd-train report\n    exit\n\n"
        "| configuration | MMACs | front |\n| --- | ---: | --- |\n"
        "| 1.00x-128 | 13.06 | * |\n| 0.10x-96 | 0.12 |  |\n\n![a plot](plot.png)\n"
    )


def test_a_row_must_fill_its_columns():
    with pytest.raises(ValueError, match="1 cells for the 2 columns"):
        Table(["a", "b"]).add(["1"])
