"""What the report shows: matrices against the champion's, faces only where they may be, nothing from anywhere else."""

import base64
import re
import shutil
import subprocess
from dataclasses import replace

import cv2
import pytest
from report_reading import read_html, read_markdown

from ferline.evaluation import figures
from ferline.reporting import difference
from ferline.reporting.report import write


def test_the_difference_is_against_the_leaderboards_first_where_there_is_no_champion(report, three):
    ranked = sorted(three, key=lambda each: -each.scores("validation")["macro_f1"])
    text = read_html(report.folder).text
    assert f"Against the next best, {ranked[1].architecture}:" in text
    assert text.count(f"Against the leaderboard's first, {ranked[0].architecture}:") == 2


def test_the_difference_picture_is_drawn_from_the_two_matrices(report, three, tmp_path):
    ranked = sorted(three, key=lambda each: -each.scores("validation")["macro_f1"])
    last = ranked[2].confusion("test")
    points = difference.points(last, ranked[0].confusion("test"))
    title = f"resnet50_gru minus {ranked[0].architecture}"
    figures.save(difference.figure(points, last.sum(axis=1), ranked[2].emotions, title), tmp_path / "expected.png")
    found = report.folder / "pictures" / "3-resnet50_gru-difference.png"
    assert found.read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_others_are_held_against_the_champion_and_it_against_the_next_best(material, three, tmp_path):
    text = read_html(write(replace(material, champion=three[2]), tmp_path / "report").folder).text
    assert text.count("Against the champion, resnet50_gru:") == 2
    assert text.count("Against the next best, cnn_lstm") == 1
    assert "3. resnet50_gru champion" in text


def test_a_champion_of_an_earlier_run_and_other_faces_is_named_as_such(three, make_evaluation, make_material, tmp_path):
    old = make_evaluation("old", 2.0, prefix="other")
    text = read_html(write(make_material(*three, champion=old), tmp_path / "report").folder).text
    assert text.count("Against the champion, old, of an earlier run:") == 3
    assert text.count("The two were tested on different faces") == 3


def test_a_champion_of_other_emotions_gives_a_sentence_and_no_picture(material, make_evaluation, tmp_path):
    old = make_evaluation("old", 2.0, emotions=("angry", "happy"))
    folder = write(replace(material, champion=old), tmp_path / "report").folder
    assert read_html(folder).text.count("that tells other emotions (angry, happy)") == 3
    assert not list(folder.rglob("*difference.png"))


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        ({"shareable": False}, "those of patterns are not shown, as its terms do not allow it"),
        ({"shareable": None}, "those of patterns are not shown, as nothing says that they may be"),
    ],
)
def test_faces_that_may_not_be_shown_are_nowhere_in_the_report(
    make_evaluation, make_material, tmp_path, card, sentence
):
    private = make_evaluation("cnn_lstm", drawn="faces", card=card)
    folder = write(make_material(private), tmp_path / "report").folder
    page = (folder / "report.html").read_text()
    there = {path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for kind in ("right", "wrong"):
        faces = (private.folder / f"{kind}.png").read_bytes()
        assert faces not in there
        assert base64.b64encode(faces).decode()[200:2000] not in page
        assert f"{kind}.png" not in (folder / "report.md").read_text()
    assert sentence in read_html(folder).text
    assert sentence in read_markdown(folder).text


def test_faces_that_may_be_shown_are_there(report, three):
    page = (report.folder / "report.html").read_text()
    for kind in ("right", "wrong"):
        faces = (three[0].folder / f"{kind}.png").read_bytes()
        assert base64.b64encode(faces).decode() in page
        assert faces in {path.read_bytes() for path in report.folder.rglob(f"*{kind}.png")}


def test_a_set_of_faces_that_may_not_be_shown_does_not_hide_those_of_another(
    three, make_evaluation, make_material, tmp_path
):
    """Each model's own card decides."""
    private = make_evaluation("private", 1.0, drawn="faces", card={"shareable": False})
    folder = write(make_material(*three, private), tmp_path / "report").folder
    assert len(list(folder.rglob("*right.png"))) == 3
    assert not list(folder.rglob("*private-right.png"))


def test_what_is_missing_is_said_and_leaves_no_frame(make_evaluation, make_material, tmp_path):
    bare = [make_evaluation(name, robust=False, sliced=False, known_people=False) for name in ("a", "b")]
    material = make_material(*bare)
    folder = write(material, tmp_path / "report").folder
    read = read_html(folder)
    missing = (
        "Not here: example faces: not drawn; robustness: not measured; slices: the set has no groups to tell apart; "
        "occlusion maps: not drawn."
    )
    assert read.text.count(missing) == 2
    assert len(read.all("img")) == 3  # the leaderboard's, and a difference each
    assert "Accuracy on 70 test faces" not in read.text
    assert [cells[6] for cells in read.table_with("model", "ECE")[1:]] == ["–", "–"]
    assert "where people recur, the intervals are too narrow" in read.text


def test_a_hostile_architecture_and_dataset_are_words_on_both_pages(make_evaluation, make_material, tmp_path):
    name, dataset = "a|b <script>alert(1)</script> ../../x `y`", "<img src=x onerror=alert(2)> | [z](http://evil)"
    hostile = make_evaluation(name, card={"dataset": {"name": dataset}, "model": name, "shareable": False})
    folder = write(make_material(hostile, make_evaluation("plain")), tmp_path / "deep" / "report").folder
    for read in (read_html(folder), read_markdown(folder)):
        assert not read.all("script")
        assert not any("onerror" in attributes for _, attributes in read.tags)
        assert not any("evil" in str(each.get("href")) for each in read.all("a"))
        assert name in read.text
        assert dataset in read.text
    assert {path.parent.name for path in folder.rglob("*.png")} == {"pictures"}
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["report"]


def test_the_page_takes_nothing_from_anywhere(report):
    read = read_html(report.folder)
    linked = [str(value) for _, attributes in read.tags for key, value in attributes.items() if key in ("src", "href")]
    assert linked
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in linked)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in read.tags}
    assert not re.search(r"url\(|@import|https?://", (report.folder / "report.html").read_text())
    policy = next(each for each in read.all("meta") if each.get("http-equiv"))
    assert str(policy["content"]).startswith("default-src 'none'; img-src data:")


def test_every_link_of_the_contents_leads_somewhere_and_every_picture_has_words(report):
    read = read_html(report.folder)
    ids = [each["id"] for _, each in read.tags if each.get("id")]
    assert len(ids) == len(set(ids))
    assert {str(each["href"]).removeprefix("#") for each in read.all("a")} == set(ids)
    assert all(each["alt"] for each in read.all("img"))


def test_markdowns_pictures_lie_beside_it_whole_and_are_those_of_the_html(report):
    named = [str(each["src"]) for each in read_markdown(report.folder).all("img")]
    assert len(named) == len(set(named)) == 1 + 3 * 7
    inside = {str(each["src"]).partition(",")[2] for each in read_html(report.folder).all("img")}
    assert {base64.b64encode((report.folder / name).read_bytes()).decode() for name in named} == inside
    assert all(cv2.imread(str(report.folder / name)) is not None for name in named)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser here; the parser's tests are run everywhere")
def test_the_page_opens_in_a_browser_without_a_word_of_complaint(report, tmp_path):
    def opened(path):
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
        command += [f"--user-data-dir={tmp_path / 'browser'}", path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]

    (tmp_path / "bad.html").write_text("<script>nothing.there()</script>")
    assert opened(tmp_path / "bad.html")[1], "complaints are not heard"
    page, complaints = opened(report.page)
    assert complaints == []
    assert page.count("<img") == 22
