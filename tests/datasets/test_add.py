"""Adding a downloaded set: all of it or nothing, only what is new, and one clear message where it cannot be."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from ferline.datasets.add import Added, add
from ferline.datasets.raw import RawSet
from ferline.datasets.sources import SOURCES
from ferline.errors import FerlineError

DEFAULTS = {key: {option.name: option.default for option in source.options} for key, source in SOURCES.items()}
Encode = Callable[..., bytes]
Folder = Callable[..., Path]


def added(root: Path, key: str, path: Path, name: str = "mine", skip_bad: bool = False, **options: Any) -> Added:
    return add(root, SOURCES[key], path, name, DEFAULTS[key] | options, skip_bad)


def state(folder: Path) -> dict[str, tuple[int, int, str]]:
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
    }


@pytest.fixture
def make_folder(tmp_path: Path, encode: Encode) -> Folder:
    """Images at these paths below `faces/`, each its own."""

    def make(*paths: str) -> Path:
        for path in paths:
            file = tmp_path / "faces" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(int.from_bytes(path.encode()[-6:])))
        return tmp_path / "faces"

    return make


@pytest.fixture
def mine(tmp_path: Path, make_folder: Folder) -> RawSet:
    """A set of four images that is there already."""
    return added(tmp_path, "folder", make_folder("happy/a.png", "happy/b.png", "sad/a.png", "sad/b.png")).raw


@pytest.mark.parametrize("key", SOURCES)
@pytest.mark.parametrize("there", ["an empty folder", "nothing", "a text file"])
def test_a_source_that_is_not_the_set_is_told_what_it_would_be(tmp_path: Path, key: str, there: str) -> None:
    path = tmp_path / "download"
    found = "nothing; the path does not exist"
    if there == "an empty folder":
        path.mkdir()
        found = "an empty folder"
    elif there == "a text file":
        path = tmp_path / "download.md"
        path.write_text("not images")
        found = "one file of 10 bytes, .md"
    with pytest.raises(FerlineError) as error:
        added(tmp_path, key, path)
    head, second, third, *rest = str(error.value).splitlines()
    assert head == f"{path}: this is not {SOURCES[key].about.title} in a form known here. Nothing was added."
    assert (second, third) == (f"Found: {found}", "Looked for:")
    tree = rest.index("The right tree, for example:")
    assert tree > 0
    assert all(line.startswith("  - ") for line in rest[:tree])
    assert len(rest) > tree + 1
    assert not (tmp_path / "data").exists()


def test_what_was_added_is_counted_and_told(tmp_path: Path, make_folder: Folder) -> None:
    first = added(tmp_path, "folder", make_folder("happy/a.png", "sad/a.png"))
    assert (first.new, first.known, first.bad) == (2, 0, [])
    assert first.told() == "2 new images"
    again = added(tmp_path, "folder", make_folder("sad/b.png"))
    assert again.told() == "1 new images, 2 were there already"
    assert len(again.raw.verify()) == 3


def test_the_same_again_touches_no_file(tmp_path: Path, mine: RawSet) -> None:
    before = state(mine.folder)
    assert added(tmp_path, "folder", tmp_path / "faces").new == 0
    assert state(mine.folder) == before


def test_from_another_place_the_same_images_are_the_same_set(tmp_path: Path, mine: RawSet) -> None:
    before = state(mine.folder)
    (tmp_path / "faces").rename(tmp_path / "moved")
    assert added(tmp_path, "folder", tmp_path / "moved").new == 0
    assert state(mine.folder) == before


def test_more_images_are_new_shards_and_a_line_on_the_card(tmp_path: Path, mine: RawSet, make_folder: Folder) -> None:
    before = state(mine.folder)
    make_folder("fear/a.png", "glad/a.png")
    raw = added(tmp_path, "folder", tmp_path / "faces", map="glad=").raw
    after = state(raw.folder)
    assert set(after) - set(before) == {"shard-00001.parquet"}
    assert after["shard-00000.parquet"] == before["shard-00000.parquet"]
    assert raw.card["added"] == [
        {"from": "faces", "form": "class-named folders", "notes": [], "options": {}},
        {
            "from": "faces",
            "form": "class-named folders",
            "notes": ["1 images of 'glad' left out, as --map says"],
            "options": {"map": "glad="},
        },
    ]
    assert len(raw.verify()) == 5


def test_the_card_has_the_terms_and_no_path_of_anybodys_disk(tmp_path: Path, mine: RawSet) -> None:
    about = SOURCES["folder"].about
    card = mine.card
    assert card["source"] == "folder"
    assert {name: card[name] for name in ("title", "terms", "where", "citation", "cropped")} == vars(about)
    assert str(tmp_path) not in (mine.folder / "manifest.json").read_text()


def test_cropped_is_what_the_user_says(tmp_path: Path, make_folder: Folder) -> None:
    assert added(tmp_path, "folder", make_folder("happy/a.png"), cropped=True).raw.card["cropped"] is True


def test_the_folder_that_one_stands_in_has_its_name_on_the_card(
    tmp_path: Path, make_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_folder("happy/a.png"))
    assert added(tmp_path, "folder", Path()).raw.card["added"][0]["from"] == "faces"


def test_images_that_are_no_whole_ones_are_listed_ten_at_most(tmp_path: Path, mine: RawSet) -> None:
    before = state(mine.folder)
    for number in range(13):
        (tmp_path / "faces" / "sad" / f"empty-{number:02d}.png").write_bytes(b"")
    with pytest.raises(FerlineError) as error:
        added(tmp_path, "folder", tmp_path / "faces")
    lines = str(error.value).splitlines()
    assert lines[0] == "13 of 17 files are no whole images:"
    assert lines[1:11] == [f"  - sad/empty-{number:02d}.png: empty file (0 bytes)" for number in range(10)]
    assert lines[11:] == [
        "  - and 3 more",
        "Nothing was added. Mend or remove them, or write --skip-bad to leave them out",
    ]
    assert state(mine.folder) == before


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("a.png", lambda image: b"", "empty file"),
        ("a.png", lambda image: image[:-20], "truncated"),
        ("a.jpg", lambda image: image[: len(image) // 2], "truncated"),
        ("a.png", lambda image: b"<html>404</html>", "not an image"),
    ],
)
def test_skip_bad_leaves_out_what_is_no_whole_image(
    tmp_path: Path, mine: RawSet, encode: Encode, name: str, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    (tmp_path / "faces" / "fear").mkdir()
    (tmp_path / "faces" / "fear" / name).write_bytes(spoil(encode(1, form=Path(name).suffix)))
    (tmp_path / "faces" / "fear" / "good.png").write_bytes(encode(2))
    with pytest.raises(FerlineError, match=rf"1 of 6 files are no whole images:\n  - fear/{name}: {reason}"):
        added(tmp_path, "folder", tmp_path / "faces")
    done = added(tmp_path, "folder", tmp_path / "faces", skip_bad=True)
    assert done.told() == "1 new images, 4 were there already, 1 left out that are no whole images"
    assert done.raw.card["added"][-1]["notes"] == ["1 files that are no whole images were left out"]
    assert "fear/good.png" in set(done.raw.verify().table["id"])


def test_two_images_with_one_id_are_refused_naming_both(tmp_path: Path, mine: RawSet, encode: Encode) -> None:
    before = state(mine.folder)
    (tmp_path / "faces" / "happy" / "b.png").write_bytes(encode(999))
    (tmp_path / "faces" / "angry").mkdir()
    (tmp_path / "faces" / "angry" / "a.png").write_bytes(encode(998))
    with pytest.raises(FerlineError, match=r"id 'happy/b.png' stands for two images.*Nothing was added"):
        added(tmp_path, "folder", tmp_path / "faces")
    assert state(mine.folder) == before


def test_another_kind_of_set_is_refused(tmp_path: Path, mine: RawSet) -> None:
    before = state(mine.folder)
    (tmp_path / "KA.AN1.39.png").write_bytes((tmp_path / "faces/happy/a.png").read_bytes())
    with pytest.raises(FerlineError, match=r"the kind 'folder' is there already, and 'jaffe' images do not belong"):
        added(tmp_path, "jaffe", tmp_path)
    assert state(mine.folder) == before


def test_a_set_that_no_reader_made_is_refused(tmp_path: Path, make_folder: Folder, encode: Encode) -> None:
    raw = RawSet(tmp_path / "data" / "raw" / "mine")
    raw.append([{"id": "a", "image": encode(1), "label": "sad"}])
    before = state(raw.folder)
    with pytest.raises(FerlineError, match=r"a set without a card is there already.*another --name. Nothing was added"):
        added(tmp_path, "folder", make_folder("happy/a.png"))
    assert state(raw.folder) == before


def table_of(folder: Path, **columns: list[str]) -> Path:
    pd.DataFrame({"path": ["happy/a.png", "happy/b.png"], "label": ["happy", "happy"]} | columns).to_csv(
        folder / "images.csv", index=False
    )
    return folder / "images.csv"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["happy", "sad"]}, "'happy/b.png': label is 'happy' there and 'sad' here"),
        ({"subject": ["anna", "anna"]}, "'happy/b.png': subject is 'ben' there and 'anna' here"),
        ({"split": ["test", "test"]}, "'happy/b.png': split is 'train' there and 'test' here"),
        ({"age": ["30", "41"]}, """'happy/b.png': attributes is '{"age": 40}' there and '{"age": 41}' here"""),
    ],
)
def test_what_a_corrected_table_says_of_known_images_is_not_lost_in_silence(
    tmp_path: Path, make_folder: Folder, columns: dict[str, list[str]], message: str
) -> None:
    folder = make_folder("happy/a.png", "happy/b.png")
    first = {"subject": ["anna", "ben"], "split": ["test", "train"], "age": ["30", "40"]}
    raw = added(tmp_path, "table", table_of(folder, **first)).raw
    before = state(raw.folder)
    assert added(tmp_path, "table", table_of(folder, **first)).told() == "0 new images, 2 were there already"
    with pytest.raises(FerlineError) as error:
        added(tmp_path, "table", table_of(folder, **first | columns))
    assert f"1 of its images are described otherwise now, the first is {message}. A set only grows" in str(error.value)
    assert str(error.value).endswith("Nothing was added")
    assert state(raw.folder) == before


def test_votes_are_part_of_what_is_said(tmp_path: Path) -> None:
    def files(happy: int) -> Path:
        pixels = " ".join(["7"] * 2304)
        (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n3,{pixels},Training\n")
        (tmp_path / "fer2013new.csv").write_text(
            "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
            f"Training,fer0000000.png,{10 - happy},{happy},0,0,0,0,0,0,0,0\n"
        )
        return tmp_path / "fer2013.csv"

    before = state(added(tmp_path, "ferplus", files(9)).raw.folder)
    assert added(tmp_path, "ferplus", files(9)).new == 0
    with pytest.raises(FerlineError, match=r"votes is \(0.0, 0.0, 0.0, 9.0, .* there and \(0.0, 0.0, 0.0, 8.0, "):
        added(tmp_path, "ferplus", files(8))
    assert state(tmp_path / "data" / "raw" / "mine") == before


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "x.dvc", ""])
def test_a_set_is_put_nowhere_but_under_data_raw(tmp_path: Path, make_folder: Folder, name: str) -> None:
    with pytest.raises(FerlineError, match=r"is not allowed; write the name of a set under data/raw/"):
        added(tmp_path, "folder", make_folder("happy/a.png"), name)
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_pixels_of_a_csv_come_out_as_they_are_written(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    rows = [f"{n},{' '.join(map(str, image.ravel()))},Training" for n, image in enumerate(pixels)]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    raw = added(tmp_path, "fer2013", tmp_path / "fer2013.csv").raw
    stored = pd.read_parquet(raw.folder / raw.shards[0])["image"]
    for image, expected in zip(stored, pixels, strict=True):
        assert (cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE) == expected).all()
    assert json.loads((raw.folder / "manifest.json").read_text())["rows"] == {"shard-00000.parquet": 5}
