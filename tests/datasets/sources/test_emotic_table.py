"""From EMOTIC's 26 categories to the emotions: our table, and one of the user's own."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from emotic_files import labels_of, write_mat, write_photographs

from ferline.datasets.sources.emotic import read
from ferline.datasets.sources.emotic_table import CATEGORIES, OURS, load_table
from ferline.errors import FerlineError


@pytest.fixture
def official(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "EMOTIC")
    write_mat(tmp_path / "EMOTIC" / "Annotations" / "Annotations.mat")
    return tmp_path / "EMOTIC"


def test_a_table_of_ones_own_replaces_ours(official: Path, tmp_path: Path) -> None:
    table = yaml.safe_load(OURS.read_text()) | {"Engagement": "neutral", "Anger": "none", "Annoyance": "none"}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(table))
    labels = labels_of(read(official, mapping=path))
    assert labels["mscoco/images/COCO_val2014_000000562243.jpg#3"] == ("neutral", "train")
    assert "mscoco/images/COCO_val2014_000000562243.jpg#1" not in labels  # happy and neutral now
    assert "mscoco/images/COCO_val2014_000000562243.jpg#2" not in labels


def test_our_table_has_every_category_and_every_emotion() -> None:
    table = load_table()
    assert tuple(table) == CATEGORIES
    assert {emotion for emotion in table.values() if emotion} == {
        *("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Joy": "happy"}, "Joy: no category of EMOTIC's"),
        ({"Anger": "furious"}, "Anger: 'furious' is none of angry"),
        ({"Anger": ["angry"]}, r"Anger: \['angry'\] is none of angry"),
    ],
)
def test_a_wrong_table_is_refused(official: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(OURS.read_text()) | change))
    with pytest.raises(FerlineError, match=rf"mine.yaml: {message}.*Nothing was added"):
        read(official, mapping=path)


def test_a_table_with_a_category_missing_is_refused(tmp_path: Path) -> None:
    table = yaml.safe_load(OURS.read_text())
    del table["Peace"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(table))
    with pytest.raises(FerlineError, match="Peace: missing"):
        load_table(tmp_path / "mine.yaml")
