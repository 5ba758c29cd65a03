"""The same blocks as HTML and as Markdown: the same words, tables and pictures, and no text that becomes markup."""

import pytest
from report_reading import read_html, read_markdown

from ferline.reporting import html, markdown
from ferline.reporting.blocks import (
    bullets,
    cell,
    code,
    facts,
    group,
    joined,
    part,
    picture,
    section,
    strong,
    table,
    text,
)

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a | b",
    "`tick` and ``two``",
    "*stars* _lines_ [link](http://evil) ![x](y)",
    "# no heading",
    "- no list",
    "1. no list either",
    "&lt;b&gt; &amp; {{ 7 * 7 }} {% raw %}",
    "back\\slash \\| bar",
    "two\nlines",
]


def page_of(*blocks, parts=()):
    sections = [section("The one section", blocks, parts)]
    return {"title": ["A title"], "subtitle": ["below it"], "lead": [], "sections": sections}


def both(page, folder):
    (folder / "report.html").write_text(html.render(page, folder), encoding="utf-8")
    (folder / "report.md").write_text(markdown.render(page), encoding="utf-8")
    return read_html(folder), read_markdown(folder)


def test_both_say_the_same_words_in_the_same_order(tmp_path):
    page = page_of(
        text("A sentence with ", code("code"), " and ", strong("weight"), "."),
        bullets([["first"], ["second, ", code("x_y")]]),
        facts([("Name", ["value"]), ("Other", [code("v")])]),
        table(["name", "number"], [group("of a group"), [cell("row"), cell("1.5", small="1–2", best=True)]]),
        parts=[part(["A part"], "a-part", [text("inside")])],
    )
    page["lead"] = [text("Watch out", tone="warning")]
    for read in both(page, tmp_path):
        order = ["A title", "Watch out", "A sentence with code and weight.", "first"]
        order += ["second, x_y", "Name", "value", "of a group", "row", "1.5", "1–2", "A part", "inside"]
        at = 0
        for words in order:
            at = read.text.index(words, at)
    contents = read_html(tmp_path).all("a")
    assert [link["href"] for link in contents] == ["#the-one-section", "#a-part"]


def named(name):
    """A page with the name at every place where a text may stand."""
    page = page_of(
        text(name, " ", code(name), " ", strong(name)),
        bullets([[name]]),
        facts([(name, [name, code(name)])]),
        table([name], [group(name), [cell(name, code(name), small=name, best=True)]], caption=name),
        parts=[part([name, code(name)], "x", [text(name)])],
    )
    return page | {"title": [name, code(name)], "subtitle": [name], "lead": [text(name, tone="lead")]}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_name_wherever_it_stands(tmp_path, name):
    """The page has exactly the elements that it has with a harmless name."""
    harmless = [[tag for tag, _ in read.tags] for read in both(named("harmless"), tmp_path)]
    for read, tags in zip(both(named(name), tmp_path), harmless, strict=True):
        assert [tag for tag, _ in read.tags] == tags
        assert not any(key.startswith("on") for _, attributes in read.tags for key in attributes)
        assert read.text.count(" ".join(name.split())) >= 12


def test_a_cell_across_columns_fills_them_in_both(tmp_path):
    rows = [[cell("side"), cell("not run", tone="muted", across=3)], [cell("other"), cell("1"), cell("2"), cell("3")]]
    page_html, page_markdown = both(page_of(table(["", "a", "b", "c"], rows)), tmp_path)
    assert page_html.tables[0][1] == ["side", "not run"]
    assert {"class": "right muted", "colspan": "3"} in page_html.all("td")
    assert page_markdown.tables[0][1] == ["side", "not run", "not run", "not run"]


def test_pictures_are_inside_the_html_and_beside_the_markdown(tmp_path):
    (tmp_path / "one.png").write_bytes(b"\x89PNG bytes")
    page_html, page_markdown = both(page_of(picture("one.png", 'What "it" shows', "Below it.")), tmp_path)
    assert page_html.all("img") == [{"src": "data:image/png;base64,iVBORyBieXRlcw==", "alt": 'What "it" shows'}]
    assert [image["src"] for image in page_markdown.all("img")] == ["one.png"]
    assert "Below it." in page_html.text
    assert "Below it." in page_markdown.text


def test_a_picture_without_a_caption_has_no_empty_line_of_stars():
    page = page_of(picture("one.png", "alt"))
    assert "**" not in markdown.render(page)


def test_a_shaded_cell_is_tinted_and_says_its_number(tmp_path):
    page_html, _ = both(page_of(table(["a", "b"], [[cell("x"), cell("0.5", shade=0.25)]])), tmp_path)
    assert page_html.all("td")[1]["style"] == "--shade: 25%"


def test_enumerations_read_as_sentences():
    assert joined([["a"]]) == ["a"]
    assert joined([["a"], ["b"]]) == ["a", " and ", "b"]
    assert joined([["a"], [code("b")], ["c"]], " or ") == ["a", ", ", code("b"), " or ", "c"]
