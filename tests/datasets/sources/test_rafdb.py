"""RAF-DB in its official layout and in Kaggle's, made by the test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.rafdb import read
from ferline.datasets.sources.source import Found
from ferline.errors import FerlineError

LISTED = {f"train_0000{n}.jpg": n for n in range(1, 8)} | {"test_0001.jpg": 4, "test_0002.jpg": 7}
ORDER = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")


@pytest.fixture
def official(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    base = tmp_path / "RAF-DB" / "basic"
    (base / "EmoLabel").mkdir(parents=True)
    (base / "Image" / "aligned").mkdir(parents=True)
    lines = "".join(f"{name} {label}\n" for name, label in LISTED.items())
    (base / "EmoLabel" / "list_patition_label.txt").write_text(lines)
    for seed, name in enumerate(LISTED):
        path = base / "Image" / "aligned" / name.replace(".jpg", "_aligned.jpg")
        path.write_bytes(encode(seed, form=".jpg"))
    return base


@pytest.fixture
def kaggle(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    base = tmp_path / "archive"
    for split in ("train", "test"):
        for label in range(1, 8):
            (base / "DATASET" / split / str(label)).mkdir(parents=True)
        listed = {name: label for name, label in LISTED.items() if name.startswith(split)}
        for seed, (name, label) in enumerate(listed.items()):
            path = base / "DATASET" / split / str(label) / name.replace(".jpg", "_aligned.jpg")
            path.write_bytes(encode(seed + 100 * len(split), form=".jpg"))
        lines = [f"{name.replace('.jpg', '_aligned.jpg')},{label}\n" for name, label in listed.items()]
        (base / f"{split}_labels.csv").write_text("image,label\n" + "".join(lines))
    return base


def labels_of(found: Found) -> dict[str, tuple[str, str]]:
    return {Path(row["id"]).name.replace("_aligned", ""): (row["label"], row["split"]) for row in found.rows}


EXPECTED = {name: (ORDER[label - 1], name.split("_")[0]) for name, label in LISTED.items()}


def test_the_official_layout_gives_labels_and_splits(official: Path) -> None:
    found = read(official)
    assert found.total == len(LISTED)
    assert found.cropped is True
    assert labels_of(found) == EXPECTED


def test_a_raw_set_takes_the_rows_as_they_are(official: Path, tmp_path: Path) -> None:
    raw = RawSet(tmp_path / "rafdb")
    assert raw.append(read(official).rows) == len(LISTED)
    assert raw.append(read(official).rows) == 0
    image = next(iter(read(official).rows))
    assert image["image"] == (official / image["source"]).read_bytes()


def test_the_folder_above_gives_the_same_ids(official: Path) -> None:
    assert [row["id"] for row in read(official.parent).rows] == [row["id"] for row in read(official).rows]


def test_the_list_may_be_spelt_right_and_written_on_windows(official: Path) -> None:
    old = official / "EmoLabel" / "list_patition_label.txt"
    text = old.read_text().replace("\n", "\r\n")
    old.unlink()
    (official / "EmoLabel" / "list_partition_label.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert labels_of(read(official)) == EXPECTED


def test_original_photographs_are_read_where_no_aligned_ones_are_and_are_not_cropped(official: Path) -> None:
    (official / "Image" / "aligned").rename(official / "Image" / "original")
    for path in (official / "Image" / "original").iterdir():
        path.rename(path.with_name(path.name.replace("_aligned", "")))
    found = read(official)
    assert found.cropped is False
    assert labels_of(found) == EXPECTED


def test_an_image_that_the_list_names_and_nobody_has_is_refused(official: Path) -> None:
    (official / "Image" / "aligned" / "train_00003_aligned.jpg").unlink()
    with pytest.raises(FerlineError, match=r"1 of 9 images that list_patition.* missing \(train_00003_aligned.jpg\)"):
        read(official)


def test_an_image_that_the_list_does_not_name_is_refused(official: Path, encode: Callable[..., bytes]) -> None:
    (official / "Image" / "aligned" / "train_00099_aligned.jpg").write_bytes(encode(99, form=".jpg"))
    with pytest.raises(FerlineError, match=r"1 of 10 images are not named .*train_00099_aligned.jpg"):
        read(official)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00001.jpg 8", "line 10: label '8' is none of 1, 2"),
        ("train_00001.jpg", "line 10: 'train_00001.jpg' is not an image's name and its label"),
        ("valid_00001.jpg 3", "line 10: 'valid_00001.jpg' begins with neither train_ nor test_"),
        ("train_00001.jpg 1", "line 10: 'train_00001.jpg' is listed a second time"),
    ],
)
def test_a_wrong_line_of_the_list_is_named(official: Path, line: str, message: str) -> None:
    with (official / "EmoLabel" / "list_patition_label.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FerlineError, match=message):
        read(official)


def test_kaggles_folders_give_the_same(kaggle: Path) -> None:
    found = read(kaggle)
    assert found.total == len(LISTED)
    assert labels_of(found) == EXPECTED


@pytest.mark.parametrize("step", ["..", "DATASET"])
def test_kaggles_ids_do_not_depend_on_where_the_source_points(kaggle: Path, step: str) -> None:
    source = kaggle.parent if step == ".." else kaggle / step
    assert [row["id"] for row in read(source).rows] == [row["id"] for row in read(kaggle).rows]


def test_kaggles_folders_without_the_lists_say_so(kaggle: Path) -> None:
    (kaggle / "train_labels.csv").unlink()
    found = read(kaggle)
    assert any("labels are those of the folders" in note for note in found.notes)
    assert labels_of(found) == EXPECTED


def test_a_list_that_disagrees_with_its_folder_is_refused(kaggle: Path) -> None:
    path = kaggle / "train_labels.csv"
    path.write_text(path.read_text().replace("train_00005_aligned.jpg,5", "train_00005_aligned.jpg,6"))
    with pytest.raises(FerlineError, match=r"1 of 7 images another label .*train_00005_aligned.jpg"):
        read(kaggle)


def test_an_image_in_a_folder_that_is_no_label_is_refused(kaggle: Path, encode: Callable[..., bytes]) -> None:
    (kaggle / "DATASET" / "train" / "8").mkdir()
    (kaggle / "DATASET" / "train" / "8" / "train_00020_aligned.jpg").write_bytes(encode(1, form=".jpg"))
    with pytest.raises(FerlineError, match="not in one of the folders 1, 2, 3, 4, 5, 6, 7"):
        read(kaggle)


def test_an_image_in_two_folders_is_refused(kaggle: Path, encode: Callable[..., bytes]) -> None:
    (kaggle / "DATASET" / "train" / "2" / "train_00001_aligned.jpg").write_bytes(encode(1, form=".jpg"))
    with pytest.raises(FerlineError, match=r"2/train_00001_aligned.jpg: is in a second label's folder"):
        read(kaggle)


def test_another_folder_gets_an_example_of_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    with pytest.raises(FerlineError) as caught:
        read(tmp_path)
    text = str(caught.value)
    assert "Found: 1 folders (happy)" in text
    assert "EmoLabel/list_patition_label.txt" in text
    assert "Image/aligned/train_00001_aligned.jpg" in text
