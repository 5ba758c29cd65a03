"""Photos, folders and videos: every face told, every file accounted for."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ferline.serving.annotate import COLOURS, Annotator, drawn
from ferline.serving.files import asked_for
from ferline.serving.predictor import Predictor
from ferline.serving.recognise import UNSURE, Told, recognise


@pytest.fixture
def predictor(make_model) -> Predictor:
    return Predictor(make_model(), smallest=0.08)


def test_every_face_of_every_picture_is_a_row(predictor, put, photo, group):
    paths = [put("a.png", photo(1)), put("b.png", group)]
    found = recognise(asked_for(paths), predictor)
    assert [told.file for told in found.faces] == [str(paths[0])] + [str(paths[1])] * 12
    assert [told.face for told in found.faces] == [1, *range(1, 13)]
    for told in found.faces:
        assert sum(told.shares.values()) == pytest.approx(1)
        assert told.emotion == max(told.shares, key=told.shares.get)
        assert told.confidence == told.shares[told.emotion]
    table = found.table()
    assert list(table.columns[:4]) == ["file", "frame", "second", "face"]
    assert table[list(predictor.model.emotions)].sum(axis=1).to_numpy() == pytest.approx(np.ones(13))


def test_a_face_is_told_the_same_alone_and_among_others(predictor, put, photo):
    paths = [put(f"{person}.png", photo(person)) for person in range(7)]
    together = recognise(asked_for(paths), predictor, workers=2).faces
    alone = [recognise(asked_for([path]), predictor).faces[0] for path in paths]
    assert [told.box for told in together] == [told.box for told in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.shares == pytest.approx(other.shares, abs=1e-6)


def test_below_the_threshold_it_is_unsure_and_at_it_not(predictor, put, photo):
    asked = asked_for([put("a.png", photo(1))])
    (told,) = recognise(asked, predictor).faces
    (at,) = recognise(asked, predictor, threshold=told.confidence).faces
    (above,) = recognise(asked, predictor, threshold=told.confidence + 1e-9).faces
    assert (at.emotion, above.emotion) == (told.emotion, UNSURE)
    assert above.shares == told.shares


def test_of_a_video_every_nth_frame_with_its_time(predictor, film):
    found = recognise(asked_for([film(frames=12)]), predictor, every=5)
    assert [(told.frame, told.second) for told in found.faces] == [(0, 0.0), (5, 0.5), (10, 1.0)]
    assert found.failed == []
    assert found.files[found.faces[0].file]["pictures"] == 3


def test_a_video_cut_short_gives_what_can_be_read_and_one_line(predictor, film):
    path = film(frames=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = recognise(asked_for([path]), predictor)
    read = len(found.faces)
    assert 0 < read < 20
    assert found.failed == [f"{path}: damaged: {read} of 20 frames can be read"]


def test_what_cannot_be_read_is_a_line_and_the_others_go_on(predictor, tmp_path, put, photo):
    good = put("good.png", photo(1))
    whole = cv2.imencode(".jpg", photo(2))[1].tobytes()
    for name, data in {"cut.jpg": whole[:1500], "text.png": b"hello", "none.jpg": b"", "film.mp4": b"no film"}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "empty").mkdir()
    names = ["cut.jpg", "text.png", "none.jpg", "film.mp4", "empty", "gone.jpg"]
    found = recognise(asked_for([*(tmp_path / name for name in names), good]), predictor)
    assert [told.file for told in found.faces] == [str(good)]
    reasons = [line.removeprefix(f"{tmp_path}/") for line in found.failed]
    assert [line.split(":")[0] for line in reasons] == names
    for line, words in zip(
        reasons,
        ["truncated", "not an image", "empty file", "no video that can", "no image and no video", "not there"],
        strict=True,
    ):
        assert words in line
        assert "\n" not in line


def test_a_phone_s_pictures_are_refused_by_name_and_not_passed_over(predictor, put, photo, tmp_path):
    good = put("in/a.jfif.jpg", photo(1)).rename(tmp_path / "in" / "a.jfif")
    phone = tmp_path / "in" / "IMG_1.HEIC"
    phone.write_bytes(b"\0\0\0\x24ftypheic" + bytes(100))
    found = recognise(asked_for([tmp_path / "in"]), predictor)
    assert [told.file for told in found.faces] == [str(good)]
    told = "HEIC, HEIF or AVIF, as phones write them, is not read here: convert it to JPEG or PNG"
    assert found.failed == [f"{phone}: {told}"]


def test_what_is_wrong_in_a_folder_is_a_line_and_its_pictures_are_told(predictor, put, photo, tmp_path):
    good = put("in/a.png", photo(1))
    named = tmp_path / "in" / os.fsdecode(b"caf\xe9.jpg")
    named.write_bytes(b"x")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    found = recognise(asked_for([tmp_path / "in"]), predictor)
    assert [told.file for told in found.faces] == [str(good)]
    assert found.failed == [
        f"{tmp_path}/in/caf\ufffd.jpg: a name that is not in UTF-8. Rename it",
        f"{tmp_path}/in/again: a link to a folder that it stands in. Remove it",
    ]


def test_a_folder_is_searched_to_the_bottom_and_nothing_is_told_twice(put, photo, tmp_path, film):
    put("in/b.png", photo(1)), put("in/deep/a.jpg", photo(2)), put("in/.hidden/c.png", photo(2))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    film("film.avi").rename(tmp_path / "in" / "film.avi")
    asked = asked_for([tmp_path / "in", tmp_path / "in" / "b.png"])
    assert [each.name for each in asked] == ["b.png", "deep/a.jpg", "film.avi"]
    assert [each.video for each in asked] == [False, False, True]


def test_a_picture_without_faces_is_no_failure(predictor, put):
    found = recognise(asked_for([put("blank.png", np.full((90, 120, 3), 80, np.uint8))]), predictor)
    assert (found.faces, found.failed) == ([], [])
    assert list(found.table().columns[-7:]) == list(predictor.model.emotions)


def test_annotated_copies_keep_their_folders_and_never_meet(predictor, tmp_path, put, photo, film):
    paths = [put("x/a.jpg", photo(1)), put("y/a.jpg", photo(2)), put("z/a.png", photo(2)), film("a.avi", 2)]
    recognise(asked_for(paths), predictor, show=Annotator(tmp_path / "out"))
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.jpg")}
    assert written == {"a.jpg", "_a.jpg", "a.png.jpg", "a.avi/frame-000000.jpg", "a.avi/frame-000001.jpg"}
    assert cv2.imread(str(tmp_path / "out" / "a.jpg")).shape == photo(1).shape


def test_two_files_whose_copies_would_be_one_are_told_apart(predictor, tmp_path, put, photo):
    paths = [put("x/a.png", photo(1)), put("x/a.png.jpg", photo(2))]
    recognise(asked_for(paths), predictor, show=Annotator(tmp_path / "out"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png.jpg", "_a.png.jpg"}


def test_a_grey_picture_of_16_bits_with_a_transparent_value_is_a_picture(predictor, tmp_path, photo):
    grey = photo(3)[..., 0].astype(np.uint16) * 257
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=5)
    found = recognise(asked_for([tmp_path / "a.png"]), predictor)
    assert (len(found.faces), found.failed) == (1, [])


def told_at(box: tuple[int, int, int, int], emotion: str) -> Told:
    return Told("a.png", None, None, 1, box, emotion, 0.9, {})


def test_a_frame_is_drawn_in_the_emotions_colour_and_the_face_is_left_alone():
    rgb = np.full((200, 200, 3), 70, np.uint8)
    picture = drawn(rgb, [told_at((50, 60, 80, 90), "happy")])
    assert tuple(picture[60, 90]) == COLOURS["happy"]
    assert tuple(picture[149, 90]) == COLOURS["happy"]
    assert tuple(picture[100, 50]) == COLOURS["happy"]
    assert (picture[70:140, 60:120] == 70).all()
    assert (rgb == 70).all()


@pytest.mark.parametrize("box", [(0, 0, 200, 200), (150, 0, 50, 50), (0, 160, 40, 40), (-5, -5, 60, 60)])
def test_a_name_stays_within_the_picture(box):
    rgb = np.zeros((200, 200, 3), np.uint8)
    grey = drawn(rgb, [told_at(box, UNSURE)])
    filled = (grey == COLOURS[UNSURE]).all(axis=2)
    rows, columns = np.flatnonzero(filled.mean(axis=1) > 0.1), np.flatnonzero(filled.any(axis=0))
    assert len(rows) >= 10  # the whole height of the label can be seen
    assert columns.max() < 200


def test_a_folder_that_cannot_be_written_is_said(predictor, tmp_path, put, photo):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Exception, match=r"out/a.png.jpg: could not be written"):
        recognise(asked_for([put("a.png", photo(1))]), predictor, show=Annotator(Path(tmp_path / "out")))
