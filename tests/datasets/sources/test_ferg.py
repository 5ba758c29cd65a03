"""FERG-DB's folders of characters and their emotions."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ferline.datasets.sources.ferg import ABOUT, CHARACTERS, EMOTIONS, read
from ferline.errors import FerlineError


@pytest.fixture
def ferg(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    """Two images of every character's every emotion."""
    root = tmp_path / "FERG_DB_256"
    for character in CHARACTERS:
        for emotion in EMOTIONS:
            folder = root / character / f"{character}_{emotion}"
            folder.mkdir(parents=True)
            for number in (1, 2):
                (folder / f"{character}_{emotion}_{number}.png").write_bytes(encode(number, 16))
    (root / "README.txt").write_text("please cite")
    return root


def test_characters_are_subjects_and_folders_tell_the_emotion(ferg: Path) -> None:
    found = read(ferg)
    rows = {row["id"]: row for row in found.rows}
    assert len(rows) == found.total == 84
    joy = rows["bonnie/bonnie_joy/bonnie_joy_2.png"]
    assert (joy["subject"], joy["label"]) == ("bonnie", "happy")
    assert Counter(row["subject"] for row in rows.values()) == dict.fromkeys(CHARACTERS, 14)
    labels = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert Counter(row["label"] for row in rows.values()) == dict.fromkeys(labels, 12)
    assert found.notes == ["84 images; the whole set has 55,767"]
    assert ABOUT.cropped


def test_one_level_deeper_is_the_same_set(ferg: Path) -> None:
    assert list(read(ferg.parent).rows) == list(read(ferg).rows)


def test_missing_characters_are_said(ferg: Path, tmp_path: Path) -> None:
    (ferg / "ray").rename(tmp_path / "ray")
    assert read(ferg).notes[1] == "5 of the 6 characters: aia, bonnie, jules, malcolm, mery"


@pytest.mark.parametrize(
    "path", ["aia/aia_rage/1.png", "bob/bob_joy/1.png", "aia/ray_joy/1.png", "aia/1.png", "aia/aia_joy/more/1.png"]
)
def test_images_in_other_folders_are_refused_by_name(ferg: Path, encode: Callable[..., bytes], path: str) -> None:
    (ferg / path).parent.mkdir(parents=True, exist_ok=True)
    (ferg / path).write_bytes(encode(1))
    with pytest.raises(FerlineError, match=rf"1 images stand in no folder CHARACTER/CHARACTER_EMOTION.*: {path}"):
        read(ferg)


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "aia" / "aia_joy").mkdir(parents=True)
    with pytest.raises(FerlineError, match="Looked for:\n  - PNG images in CHARACTER/CHARACTER_EMOTION"):
        read(tmp_path)


def test_another_place_gets_the_right_tree_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(FerlineError, match=r"(?s)this is not FERG-DB.*Found: an empty folder.*aia/  aia_anger/"):
        read(tmp_path)
