"""The page: whole by itself, everything on it, and nobody's face unless it is asked for."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest
from drift_pictures import face, png

from ferline.drift import charts, page
from ferline.drift.batches import find
from ferline.drift.compare import Drift, Settings, compare
from ferline.errors import FerlineError
from ferline.evaluation import figures
from ferline.params import DatasetParams, FaceParams


@pytest.fixture
def drift(make_set, make_folder, tmp_path, make_model) -> Drift:
    """A darker folder, whose files have names that would be markup, against a set."""
    make_set("mine", [png(face(number)) for number in range(40)])
    folder = make_folder("new", [png(face(number, 0.6)) for number in range(100, 140)])
    for path in list(folder.iterdir()):
        path.rename(folder / f"<script>{path.name}<")
    sides = [find(where, tmp_path, DatasetParams("mine")) for where in ("mine", str(folder))]
    return compare(sides[0], sides[1], make_model(), FaceParams(), Settings())


def test_every_line_is_on_the_page_and_the_drifts_come_first(drift):
    html = page.render(drift)
    cards = re.findall(r'<div class="card (\w+)">\s*<h3>([^<]+?) <span>', html)
    assert {title for _, title in cards} == {line.quantity.title for line in drift.verdict.lines}
    kinds = [kind for kind, _ in cards]
    assert kinds == sorted(kinds, key=["drift", "small", "none"].index)
    assert "drift" in kinds
    assert html.count('<tr class="drift">') == kinds.count("drift")
    assert "<b>Drift</b> in" in html
    assert all(note.split(":")[0] in html for note in drift.notes)


def test_the_page_needs_no_network_and_no_other_file(drift):
    html = page.render(drift, show=True)
    assert not re.findall(r"https?:|url\(|<script|<link|@import", html)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)', html))


def test_names_are_text_and_never_markup(drift):
    html = page.render(drift)
    assert html.count("&lt;script&gt;p") >= 12
    assert "<script>" not in html


def test_no_picture_is_on_the_page_unless_it_is_asked_for(drift):
    assert "<img" not in page.render(drift)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page.render(drift, show=True))
    assert len(pictures) == len(drift.unusual) == 12
    first = cv2.imdecode(np.frombuffer(base64.b64decode(pictures[0]), np.uint8), cv2.IMREAD_COLOR)
    own = cv2.imread(str(drift.new.batch.folder / drift.unusual[0]["id"]))
    expected = cv2.resize(own, (page.PICTURE, page.PICTURE), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(first, expected)


def test_an_image_that_went_away_leaves_its_row(drift):
    before = page.render(drift, show=True)
    (drift.new.batch.folder / drift.unusual[0]["id"]).unlink()
    html = page.render(drift, show=True)
    assert (before.count("<img"), html.count("<img")) == (12, 11)
    assert html.count('<td class="id">') == 12


def test_charts_are_well_formed_and_hold_all_images(drift):
    for drawn in re.findall(r"<svg.*?</svg>", page.render(drift), flags=re.DOTALL):
        ElementTree.fromstring(drawn)
    values = np.concatenate([np.zeros(500), [1e6]])  # one image does not set the scale, and is not left out
    drawn = charts.histogram(values, values + 1, False, "{:.0f}")
    heights = [float(top) for top in re.findall(r"V([\d.]+)H\d", drawn)[: charts.BINS]]
    shares = [(charts.HEIGHT - top) / (charts.HEIGHT - 6) for top in heights]
    assert len(shares) == charts.BINS
    assert [place for place, share in enumerate(shares) if share > 1e-9] == [0, charts.BINS - 1]


def test_a_histogram_of_one_value_can_be_drawn():
    drawn = charts.histogram(np.full(30, 48.0), np.full(30, 48.0), True, "{:.0f}")
    assert re.findall(r">(\d+)</text>", drawn)[1] == "48"
    ElementTree.fromstring(drawn)


def test_bars_say_how_much_a_share_changed():
    drawn = charts.bars({"happy": 0.5, "sad": 0.5}, {"happy": 0.7, "angry": 0.3}, ["angry", "happy", "sad"])
    texts = re.findall(r">([^<]+)</text>", drawn)
    assert texts == ["angry", "+30%", "happy", "+20%", "sad", "-50%"]


def test_the_colours_are_those_of_all_figures():
    styles = (Path(page.__file__).parent / "page.html").read_text()
    for name in ("INK", "MUTED", "RULE", "PAPER", "PALE", "DEEP", "ACCENT"):
        assert f"--{name.lower()}: {getattr(figures, name)}" in styles


def test_the_page_is_written_whole_or_not_at_all(drift, tmp_path):
    written = page.write(drift, tmp_path / "some" / "where" / "index.html", False)
    assert written.read_text().rstrip().endswith("</html>")
    assert [path.name for path in written.parent.iterdir()] == ["index.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(FerlineError, match=r"file/index.html: the page could not be written \(File exists"):
        page.write(drift, tmp_path / "file" / "index.html", False)
