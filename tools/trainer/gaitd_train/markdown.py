"""Markdown pages, put together from blocks: headings, paragraphs, lists, tables, images."""

from collections.abc import Collection, Iterable


class Table:
    """A table whose first column is text and whose other columns are numbers, but for those in `text`."""

    def __init__(self, columns: Iterable[str], text: Collection[str] = ()) -> None:
        self.columns = list(columns)
        self.text = text
        self.rows: list[list[str]] = []

    def add(self, cells: Iterable[str]) -> None:
        """Adds a row with one cell for each column."""
        row = list(cells)
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} cells for the {len(self.columns)} columns {self.columns}")
        self.rows.append(row)

    def __str__(self) -> str:
        first, *others = self.columns
        rules = ["---", *("---" if column in self.text else "---:" for column in others)]
        return "\n".join(f"| {' | '.join(row)} |" for row in ([first, *others], rules, *self.rows))


class Page:
    """Blocks with a blank line between them."""

    def __init__(self) -> None:
        self.blocks: list[str] = []

    def heading(self, level: int, text: str) -> None:
        self.blocks.append(f"{'#' * level} {text}")

    def paragraph(self, *lines: str) -> None:
        self.blocks.append("\n".join(lines))

    def bullets(self, items: Iterable[str]) -> None:
        self.blocks.append("\n".join(f"- {item}" for item in items))

    def code(self, lines: Iterable[str]) -> None:
        self.blocks.append("\n".join(f"    {line}" for line in lines))

    def table(self, table: Table) -> None:
        self.blocks.append(str(table))

    def image(self, description: str, file: str) -> None:
        self.blocks.append(f"![{description}]({file})")

    def __str__(self) -> str:
        return "\n\n".join(self.blocks) + "\n"
