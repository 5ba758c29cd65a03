"""Class-named folders: whatever people call their classes, splits and files, and what is refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.folder import read
from ferline.errors import FerlineError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, encode: Callable[..., bytes]) -> Write:
    """Images at these paths below `faces/`, each different, in the form its ending says."""

    def make(*paths: str) -> Path:
        source = tmp_path / "faces"
        source.mkdir(exist_ok=True)
        for number, path in enumerate(paths):
            file = source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(number, 24, "." + path.rsplit(".", 1)[1].lower()))
        return source

    return make


def rows_of(source: Path, **options: Any) -> dict[str, dict[str, Any]]:
    found = read(source, **options)
    rows = {row["id"]: dict(row) for row in found.rows}
    assert found.total == len(rows)
    return rows


def test_class_folders_become_labels_whatever_their_case(write: Write) -> None:
    rows = rows_of(write("Happy/a.jpg", "SADNESS/a.png", "neutral/b.JPG", "Disgusted/c.tiff", "contempt/d.bmp"))
    assert {path: row["label"] for path, row in rows.items()} == {
        "Disgusted/c.tiff": "disgust",
        "Happy/a.jpg": "happy",
        "SADNESS/a.png": "sad",
        "contempt/d.bmp": "contempt",
        "neutral/b.JPG": "neutral",
    }
    assert all(row["split"] is None and row["subject"] is None for row in rows.values())


def test_the_bytes_are_those_of_the_file(write: Write) -> None:
    source = write("happy/a.jpg")
    assert rows_of(source)["happy/a.jpg"]["image"] == (source / "happy/a.jpg").read_bytes()


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("VALID", "validation"),
        ("validation", "validation"),
        ("test", "test"),
        ("Testing", "test"),
    ],
)
def test_split_folders_become_splits(write: Write, word: str, split: str) -> None:
    rows = rows_of(write(f"{word}/happy/a.jpg"))
    assert rows[f"{word}/happy/a.jpg"]["split"] == split
    assert rows[f"{word}/happy/a.jpg"]["label"] == "happy"


def test_folders_below_a_class_are_part_of_the_id(write: Write) -> None:
    rows = rows_of(write("happy/2024/may/a.jpg", "happy/a.jpg"))
    assert {row["label"] for row in rows.values()} == {"happy"}
    assert set(rows) == {"happy/2024/may/a.jpg", "happy/a.jpg"}


def test_two_spellings_of_one_class_are_one_class(write: Write) -> None:
    rows = rows_of(write("train/Happy/a.jpg", "train/happy/a.jpg", "train/JOY/a.jpg"))
    assert len(rows) == 3
    assert {row["label"] for row in rows.values()} == {"happy"}


def test_what_is_no_image_and_what_systems_leave_behind_is_passed_over(write: Write) -> None:
    source = write("happy/a.jpg", "happy/.hidden.jpg", "__MACOSX/happy/._a.jpg", ".cache/x.png")
    (source / "happy" / "Thumbs.db").write_bytes(b"x")
    (source / "readme.txt").write_text("mine")
    assert set(rows_of(source)) == {"happy/a.jpg"}


def test_ids_do_not_depend_on_where_the_folder_is(write: Write, tmp_path: Path) -> None:
    before = rows_of(write("happy/a.jpg", "sad/b.jpg"))
    (tmp_path / "faces").rename(tmp_path / "elsewhere")
    assert rows_of(tmp_path / "elsewhere") == before


def test_a_linked_class_folder_is_followed(write: Write, tmp_path: Path) -> None:
    source = write("happy/a.jpg", "../store/b.jpg")
    (source / "sad").symlink_to(tmp_path / "store")
    assert rows_of(source)["sad/b.jpg"]["label"] == "sad"


def test_a_link_to_a_folder_above_is_refused(write: Write) -> None:
    source = write("happy/a.jpg")
    (source / "happy" / "again").symlink_to(source)
    with pytest.raises(FerlineError, match=r"again: a link to a folder that it stands in.*Nothing was added"):
        read(source)


def test_unknown_classes_are_all_named_with_the_option_to_write(write: Write) -> None:
    source = write("happy/a.jpg", "blank/a.jpg", "blank/b.jpg", "joyous/a.jpg")
    with pytest.raises(FerlineError) as error:
        read(source)
    message = str(error.value)
    assert "2 names that are no known emotion: 'blank' (2 images), 'joyous' (1 images)" in message
    assert "angry, disgust, fear, happy, sad, surprise, neutral, contempt" in message
    assert "--map 'blank=...,joyous=...'" in message
    assert message.endswith("Nothing was added")


def test_map_names_what_is_not_known_and_leaves_out_what_has_no_emotion(write: Write) -> None:
    source = write("happy/a.jpg", "blank/a.jpg", "blank/b.jpg", "Joyous/a.jpg")
    rows = rows_of(source, map="joyous=happiness, BLANK=")
    assert {path: row["label"] for path, row in rows.items()} == {"happy/a.jpg": "happy", "Joyous/a.jpg": "happy"}
    assert read(source, map="joyous=happiness,blank=").notes == ["2 images of 'blank' left out, as --map says"]


def test_what_map_says_already_stays_in_the_option_to_write(write: Write) -> None:
    source = write("blank/a.jpg", "odd, very/a.jpg", "joyous/a.jpg")
    with pytest.raises(FerlineError, match=r"""--map 'joyous=happy,blank=\.\.\.,"odd, very=\.\.\."'"""):
        read(source, map="joyous=happy")
    assert rows_of(source, map='joyous=happy,blank=,"odd, very=fear"')["odd, very/a.jpg"]["label"] == "fear"


def test_a_map_that_speaks_of_no_class_there_is_refused(write: Write) -> None:
    with pytest.raises(FerlineError, match=r"--map speaks of 'joyus'.*classes here: happy\. Nothing was added"):
        read(write("happy/a.jpg"), map="joyus=happy")


@pytest.mark.parametrize("text", ["happy", "blank=glad", "blank=..."])
def test_a_map_that_cannot_be_read_is_refused(write: Write, text: str) -> None:
    with pytest.raises(FerlineError, match=r"--map: .* is not NAME=EMOTION.*Nothing was added"):
        read(write("blank/a.jpg"), map=text)


def test_a_map_that_says_two_things_of_one_class_is_refused(write: Write) -> None:
    with pytest.raises(FerlineError, match="names something twice"):
        read(write("blank/a.jpg"), map="blank=happy,Blank=")


def test_a_map_that_leaves_out_everything_is_refused(write: Write) -> None:
    with pytest.raises(FerlineError, match="leaves out every image"):
        read(write("happy/a.jpg"), map="happy=")


def test_subject_finds_the_person_in_the_path_and_counts_who_is_not_found(write: Write) -> None:
    source = write("happy/S01_a.jpg", "happy/S02_a.jpg", "sad/S01_b.jpg", "sad/stranger.jpg")
    found = read(source, subject=r"(S\d+)_")
    assert {row["id"]: row["subject"] for row in found.rows} == {
        "happy/S01_a.jpg": "S01",
        "happy/S02_a.jpg": "S02",
        "sad/S01_b.jpg": "S01",
        "sad/stranger.jpg": None,
    }
    assert found.notes == [
        "2 people by --subject: S01, S02",
        "1 images whose path does not tell the subject, such as sad/stranger.jpg",
    ]


@pytest.mark.parametrize("top", ["", "train/"])
def test_neither_the_class_folder_nor_what_is_above_it_is_taken_for_a_person(write: Write, top: str) -> None:
    source = write(f"{top}very_happy/anna_01.jpg", f"{top}very_happy/may_trip/ben_01.jpg")
    found = read(source, subject="([a-z]+)_", map="very_happy=happy")
    assert {row["id"]: row["subject"] for row in found.rows} == {
        f"{top}very_happy/anna_01.jpg": "anna",
        f"{top}very_happy/may_trip/ben_01.jpg": "may",
    }
    assert found.notes == ["2 people by --subject: anna, may"]


def test_a_pattern_may_ask_for_the_start_of_the_path_below_the_class_folder(write: Write) -> None:
    source = write("test/Happy/anna/01.jpg", "train/Sad/ben/party/02.jpg")
    assert {row["subject"] for row in read(source, subject="^([^/]+)/").rows} == {"anna", "ben"}


def test_of_many_people_the_first_are_named(write: Write) -> None:
    source = write(*(f"happy/p{number}_a.jpg" for number in range(8)))
    assert read(source, subject=r"(p\d)_").notes == ["8 people by --subject: p0, p1, p2, p3, p4 and 3 more"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(P\d+)_", r"finds nobody in .* 1 paths below the class folders, such as 'S01_a\.jpg' of happy/S01_a\.jpg"),
        ("(happy)", "finds nobody in any of the 1 paths below the class folders"),
        (r"S\d+_", "has 0 groups"),
        (r"(S)(\d+)_", "has 2 groups"),
        (r"(S\d+_", "is no regular expression"),
    ],
)
def test_a_subject_pattern_that_cannot_work_is_refused(write: Write, pattern: str, message: str) -> None:
    with pytest.raises(FerlineError, match=message) as error:
        read(write("happy/S01_a.jpg"), subject=pattern)
    assert str(error.value).endswith("Nothing was added")


def test_cropped_reaches_what_was_found(write: Write) -> None:
    source = write("happy/a.jpg")
    assert read(source).cropped is False
    assert read(source, cropped=True).cropped is True


def test_images_beside_split_folders_are_refused(write: Write) -> None:
    source = write("train/happy/a.jpg", "happy/a.jpg", "loose.jpg")
    with pytest.raises(FerlineError, match=r"split folders \(train\) and images beside them \(happy, loose\.jpg\)"):
        read(source)


@pytest.mark.parametrize("path", ["loose.jpg", "../faces/other.png"])
def test_images_in_no_class_folder_are_refused(write: Write, path: str) -> None:
    with pytest.raises(FerlineError, match=r"1 images stand in no class folder: (loose\.jpg|other\.png)"):
        read(write("happy/a.jpg", path))


def test_images_directly_in_a_split_folder_are_refused(write: Write) -> None:
    with pytest.raises(FerlineError, match=r"1 images stand in no class folder: train/loose\.jpg"):
        read(write("train/happy/a.jpg", "train/loose.jpg"))


def test_a_folder_without_images_says_what_is_there_and_what_should_be(write: Write) -> None:
    source = write()
    (source / "happy").mkdir()
    (source / "notes.txt").write_text("none yet")
    with pytest.raises(FerlineError) as error:
        read(source)
    message = str(error.value)
    assert "Found: 1 folders (happy), 1 files (.txt)" in message
    assert "Looked for:\n  - a folder for each emotion with images in it" in message
    assert "my_faces/" in message


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FerlineError, match="the path does not exist"):
        read(tmp_path / "nowhere")


def test_a_name_in_an_old_code_page_is_refused(write: Write) -> None:
    source = write("happy/a.jpg")
    (source / "happy" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    with pytest.raises(FerlineError, match=r"caf�\.jpg: a name that is not in UTF-8\. Rename it\. Nothing was added"):
        read(source)


def test_a_broken_link_is_an_error_and_not_an_image_less(write: Write) -> None:
    source = write("happy/a.jpg")
    (source / "happy" / "b.jpg").symlink_to(source / "gone.jpg")
    found = read(source)
    with pytest.raises(FerlineError, match=r"b\.jpg: cannot be read \(No such file or directory\)\. Nothing was added"):
        list(found.rows)


def test_what_is_read_goes_into_a_raw_set_and_only_new_images_do_again(write: Write, tmp_path: Path) -> None:
    source = write("train/Happy/S1_a.jpg", "test/sad/S2_a.png")
    raw = RawSet(tmp_path / "raw" / "mine")
    assert raw.append(read(source, subject=r"(S\d)_").rows) == 2
    assert raw.append(read(source, subject=r"(S\d)_").rows) == 0
    write("train/Happy/S1_a.jpg", "test/sad/S2_a.png", "test/sad/S2_b.png")
    assert raw.append(read(source, subject=r"(S\d)_").rows) == 1
    table = raw.table.set_index("id")
    assert table.loc["test/sad/S2_b.png", ["label", "split", "subject"]].tolist() == ["sad", "test", "S2"]
