"""A page as a reader gets it: the words, tables and pictures of report.html and report.md."""

from html.parser import HTMLParser
from pathlib import Path

from markdown_it import MarkdownIt

EMPTY = {"meta", "img", "br"}


class Html(HTMLParser):
    """Every tag with its attributes, the words in order, and tables as rows of cells."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            cells = self.tables[-1][-1]
            cells[-1] = f"{cells[-1]} {data}".strip() if "small" in self.open else cells[-1] + data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u00a0", " ").split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def table_with(self, *names: str) -> list[list[str]]:
        """The first table whose head has these columns."""
        return next(rows for rows in self.tables if set(names) <= set(rows[0]))


def read_html(folder: Path) -> Html:
    return Html((folder / "report.html").read_text(encoding="utf-8"))


def read_markdown(folder: Path) -> Html:
    """Rendered as GitHub would: raw HTML in it stays raw, so that what is not escaped shows up as tags."""
    text = (folder / "report.md").read_text(encoding="utf-8")
    return Html(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
