"""A table that fits its terminal: with columns where the terminal is wide enough, else each row as a paragraph."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.app.output import printable
from deploy.app.views.text_layout import wrapped

FOLDS_WELL = 100
"""Width in characters from which on a table keeps its columns and folds cells that are too long."""
_INDENT = 4


@dataclass(slots=True)
class Listing:
    """A table for Rich: title, names of columns, and rows, each with its style. A column may have no name."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def add(self, cells: Sequence[object], style: str) -> None:
        self.rows.append((tuple(printable(str(cell)) for cell in cells), style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        table, width = self._table(), options.max_width
        unlimited = options.update(width=10_000)
        if width >= FOLDS_WELL or console.measure(table, options=unlimited).maximum <= width:
            yield table
            return
        yield Text(self.title, style="bold")
        for cells, style in self.rows:
            for line in wrapped(self._paragraph(cells), width, _INDENT):
                yield Text(line, style=style)

    def _table(self) -> Table:
        table = Table(title=self.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for column in self.columns:
            table.add_column(column, overflow="fold")
        for cells, style in self.rows:
            table.add_row(*(Text(cell, style=style) for cell in cells))
        return table

    def _paragraph(self, cells: tuple[str, ...]) -> str:
        """A row as text: the first cell, then the others that are not empty, each after the name of its column."""
        first, *others = cells
        named = [f"{name} {cell}".strip() for name, cell in zip(self.columns[1:], others, strict=True) if cell]
        return f"{first}: {', '.join(named)}"
