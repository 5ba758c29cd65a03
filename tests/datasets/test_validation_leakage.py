"""Copies on two sides of the split: what is said of them, what is set aside, and what stops the run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from gate import outcomes, reasons, stopped

from ferline.datasets.expectations import LEAKS
from ferline.datasets.samples import Samples
from ferline.datasets.validation import validate
from ferline.emotions import EMOTIONS
from ferline.params import PAPERS, DatasetParams, LeakageParams, ValidationParams

MakeRows = Callable[..., list[dict[str, Any]]]
MakeSamples = Callable[..., Samples]
TINY = DatasetParams("tiny")
REPORT = LeakageParams("report", "report", "report")


def gate(**policy: Any) -> ValidationParams:
    return ValidationParams(max_bad_share=0, leakage=LeakageParams(**policy))


def pixels_of(row: dict[str, Any]) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(row["image"], np.uint8), cv2.IMREAD_GRAYSCALE)


def again(row: dict[str, Any], form: str, change: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels) -> bytes:
    """The row's picture in another file."""
    return cv2.imencode(form, change(pixels_of(row)))[1].tobytes()


def darker(pixels: np.ndarray) -> np.ndarray:
    return (pixels * 0.8).astype(np.uint8)


def splits_of(samples: Samples) -> dict[str, str]:
    return dict(samples.table[["id", "split"]].itertuples(index=False))


@pytest.fixture
def copied(make_rows: MakeRows, make_samples: MakeSamples) -> Samples:
    """face-00000 (train) is also in validation and test, face-00022 (validation) also in train, and a train pair.

    The labels are those of the originals; one copy is the same file, the others hold the same pixels otherwise.
    """
    rows = make_rows()
    for copy, original, form in ((21, 0, ".bmp"), (28, 0, ".pgm"), (2, 22, ".tiff"), (3, 4, ".png")):
        rows[copy] |= {"image": again(rows[original], form), "label": rows[original]["label"]}
    return make_samples(rows)


def test_copies_in_whatever_encoding_are_dropped_by_default_from_training_first(copied: Samples) -> None:
    assert copied.table["sha256"].duplicated().sum() == 1  # by their bytes only the pair in train is one
    kept, report = validate(copied, ValidationParams(max_bad_share=0), TINY)
    assert reasons(report) == {
        "face-00000": "exact copy of an image in test: face-00028",
        "face-00002": "exact copy of an image in validation: face-00022",
        "face-00021": "exact copy of an image in test: face-00028",
    }
    assert report.quarantine["source"].tolist() == ["faces/00000.png", "faces/00002.png", "faces/00021.png"]
    found = report.read_json("report.json")
    assert (found["bad_share"], found["quarantined"], len(kept)) == (0, 3, 207)
    assert found["reasons"] == {"exact copy of an image in test": 2, "exact copy of an image in validation": 1}
    assert outcomes(found)[LEAKS["exact"]] is True  # of the set that goes on
    again_kept, nothing = validate(kept, gate(exact="fail"), TINY)
    assert again_kept.digest == kept.digest
    assert len(nothing.quarantine) == 0


def test_copies_can_stop_the_run(tmp_path: Path, copied: Samples) -> None:
    message, found = stopped(copied, gate(exact="fail"), TINY, tmp_path / "kept")
    assert (
        f"{LEAKS['exact']}: 3 fail: "
        "face-00000 (faces/00000.png): exact copy of an image in test: face-00028, face-00002" in message
    )
    assert len(found["stopped_by"]) == 1
    assert (found["bad_share"], found["quarantined"]) == (0, 0)


def test_copies_can_be_reported_only(copied: Samples) -> None:
    kept, report = validate(copied, gate(exact="report"), TINY)
    assert kept.table.equals(copied.table)
    assert outcomes(report.read_json("report.json"))[LEAKS["exact"]] is False
    assert "exact copy of an image in test: face-00028" in report.page.read_text()


def test_empty_files_are_unreadable_not_copies_of_each_other(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    rows = make_rows()
    rows[0]["image"] = rows[28]["image"] = b""
    _, report = validate(make_samples(rows), ValidationParams(max_bad_share=0.2), TINY)
    assert set(reasons(report).values()) == {"unreadable: empty file (0 bytes)"}


def test_a_copy_of_which_the_other_is_set_aside_stays(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    """The test image has no label and is not measured on, so the one in training is no leak."""
    rows = make_rows()
    rows[28] |= {"image": rows[0]["image"], "label": None}
    _, report = validate(make_samples(rows), ValidationParams(), TINY)
    assert reasons(report) == {"face-00028": "no label"}


@pytest.fixture
def alike(make_rows: MakeRows, make_samples: MakeSamples) -> Samples:
    """face-00028 (test) is face-00000 (train) darker, face-00021 (validation) is face-00001 (train) mirrored."""
    rows = make_rows()
    rows[28] |= {"image": again(rows[0], ".png", darker), "label": rows[0]["label"]}
    rows[21] |= {"image": again(rows[1], ".jpg", lambda p: p[:, ::-1]), "label": rows[1]["label"]}
    return make_samples(rows)


def test_near_duplicates_are_reported_by_default(alike: Samples) -> None:
    kept, report = validate(alike, ValidationParams(), TINY)
    assert kept.table.equals(alike.table)
    found = report.read_json("report.json")
    assert outcomes(found)[LEAKS["near"]] is False
    assert found["leakage"]["near_in"] == {
        "train": {"validation": 1, "test": 1},
        "validation": {"train": 1},
        "test": {"train": 1},
    }
    (each,) = (each for each in found["expectations"] if each["expectation"] == LEAKS["near"])
    assert (each["otherwise"], each["unexpected"]) == ("reports", 2)


def test_near_duplicates_can_be_dropped_or_stop_the_run(tmp_path: Path, alike: Samples) -> None:
    kept, report = validate(alike, gate(near="drop"), TINY)
    assert reasons(report) == {
        "face-00000": "near-duplicate of an image in test: face-00028",
        "face-00001": "near-duplicate of an image in validation: face-00021",
    }
    assert len(kept) == 208
    message, _ = stopped(alike, gate(near="fail"), TINY, tmp_path / "kept")
    assert f"{LEAKS['near']}: 2 fail: face-00000 (faces/00000.png): near-duplicate of an image in test" in message


@pytest.fixture
def contradicting(make_rows: MakeRows, make_samples: MakeSamples) -> Samples:
    """face-00000 and face-00001 (both train) are one picture with two labels; so are face-00028 (test), face-00036."""
    rows = make_rows()
    rows[1]["image"], rows[36]["image"] = again(rows[0], ".bmp"), again(rows[28], ".bmp")
    assert rows[1]["label"] != rows[0]["label"]
    assert (rows[28]["split"], rows[36]["split"], rows[28]["label"] == rows[36]["label"]) == ("test", "train", False)
    return make_samples(rows)


def test_one_picture_with_two_labels_is_reported_by_default(contradicting: Samples) -> None:
    kept, report = validate(contradicting, gate(exact="report"), TINY)
    assert kept.table.equals(contradicting.table)
    found = report.read_json("report.json")
    assert outcomes(found)[LEAKS["conflicts"]] is False
    assert (found["leakage"]["conflict_groups"], found["leakage"]["conflict_images"]) == (2, 4)
    assert "identical to an image with another label: face-00001 (disgust)" in report.page.read_text()


def test_of_one_picture_with_two_labels_all_but_the_tested_can_be_dropped(contradicting: Samples) -> None:
    kept, report = validate(contradicting, gate(exact="report", conflicts="drop"), TINY)
    assert reasons(report) == {
        "face-00000": "identical to an image with another label: face-00001 (disgust)",
        "face-00001": "identical to an image with another label: face-00000 (angry)",
        "face-00036": "identical to an image with another label: face-00028 (angry)",
    }
    assert splits_of(kept)["face-00028"] == "test"


def test_one_picture_with_two_labels_can_stop_the_run(tmp_path: Path, contradicting: Samples) -> None:
    message, _ = stopped(contradicting, gate(conflicts="fail"), TINY, tmp_path / "kept")
    assert f"{LEAKS['conflicts']}: 2 fail: face-00000 (faces/00000.png): identical to" in message
    assert "face-00028" not in message  # its copy in training is set aside, and with it the other label


def test_a_contradicting_copy_that_is_set_aside_is_no_reason_to_set_another_aside(
    make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows()
    rows[0] |= {"image": again(rows[24], ".bmp"), "label": "sad"}
    assert (rows[0]["split"], rows[24]["split"], rows[24]["label"]) == ("train", "validation", "happy")
    kept, report = validate(make_samples(rows), gate(exact="drop", conflicts="drop"), TINY)
    assert reasons(report) == {"face-00000": "exact copy of an image in validation: face-00024"}
    assert splits_of(kept)["face-00024"] == "validation"
    assert outcomes(report.read_json("report.json"))[LEAKS["conflicts"]] is True


@pytest.mark.parametrize("key", PAPERS)
def test_a_papers_protocol_keeps_its_leaks(copied: Samples, key: str) -> None:
    params = gate(exact="fail", near="fail", conflicts="drop")
    kept, report = validate(copied, params, DatasetParams("tiny", protocol=f"paper:{key}"))
    assert kept.table.equals(copied.table)
    found = report.read_json("report.json")
    assert found["decision"] == "passed"
    assert found["leakage"]["exact_in"]["test"] == {"train": 1, "validation": 1}
    assert outcomes(found)[LEAKS["exact"]] is False


def leaks(exact: int = 0, subject: int = 0, sequence: int = 0) -> dict[str, int]:
    return {"exact": exact, "subject": subject, "sequence": sequence}


def test_a_set_that_leaks_nothing_says_so(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    kept, _ = validate(make_samples(make_rows()), ValidationParams(), TINY)
    assert kept.origin["leaks"] == leaks()
    assert kept.origin["dataset"]["name"] == "tiny", "the rest of the origin stays"


def test_copies_that_stay_are_counted_by_the_test_images_that_have_one(copied: Samples) -> None:
    """face-00028 alone is in test: its copies in training and validation are counted with it, not besides."""
    kept, _ = validate(copied, gate(exact="report"), TINY)
    assert kept.origin["leaks"] == leaks(exact=1)


def test_copies_that_are_dropped_leak_no_more(copied: Samples) -> None:
    kept, _ = validate(copied, gate(exact="drop"), TINY)
    assert kept.origin["leaks"] == leaks()


def test_a_papers_protocol_says_what_leaks_in_it(copied: Samples) -> None:
    kept, _ = validate(copied, gate(), DatasetParams("tiny", protocol="paper:cnn_lstm"))
    assert kept.origin["leaks"] == leaks(exact=1)


def test_near_duplicates_are_no_leak_of_their_own(alike: Samples) -> None:
    kept, _ = validate(alike, ValidationParams(), TINY)
    assert kept.origin["leaks"] == leaks()


@pytest.mark.parametrize("column", ["subject", "sequence"])
def test_test_images_of_who_or_what_is_on_another_side_are_counted(
    column: str, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    """person-4 tests, and one training image is of that person; person-3 is in training too, and only validates."""
    rows = make_rows()
    if column == "sequence":
        rows = [row | {"sequence": f"video-{row['subject']}"} for row in rows]
    rows[0][column], rows[1][column] = rows[28][column], rows[21][column]
    assert [rows[n]["split"] for n in (0, 1, 28, 21)] == ["train", "train", "test", "validation"]
    kept, _ = validate(make_samples(rows), ValidationParams(), TINY)
    assert kept.origin["leaks"] == leaks(**{column: 21})


def test_what_was_set_aside_leaks_nothing(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    """The one training image of a person who tests has no label."""
    rows = make_rows()
    rows[0] |= {"subject": rows[28]["subject"], "label": None}
    kept, report = validate(make_samples(rows), ValidationParams(), TINY)
    assert reasons(report) == {"face-00000": "no label"}
    assert kept.origin["leaks"] == leaks()


def test_of_folds_every_image_with_a_copy_in_another_is_counted(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    """Three images of one picture, of three people; two people are in a fold."""
    rows = make_rows()
    rows[7]["image"], rows[14]["image"] = again(rows[0], ".bmp"), again(rows[0], ".tiff")
    samples, dataset = in_folds(rows, make_samples)
    fold = samples.table.set_index("id")["fold"]
    assert len({fold[name] for name in ("face-00000", "face-00007", "face-00014")}) > 1
    kept, _ = validate(samples, gate(exact="report"), dataset)
    assert kept.origin["leaks"] == leaks(exact=3)
    apart, _ = validate(samples, gate(exact="drop"), dataset)
    assert apart.origin["leaks"] == leaks()


def in_folds(rows: list[dict[str, Any]], make_samples: MakeSamples) -> tuple[Samples, DatasetParams]:
    return make_samples(rows, protocol="subject", folds=5), DatasetParams("tiny", protocol="subject", folds=5)


def test_of_folds_the_least_of_any_is_counted(tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples) -> None:
    rows = [row for row in make_rows() if row["label"] != "fear" or row["subject"] in ("person-0", "person-1")]
    samples, dataset = in_folds(rows, make_samples)
    folds = samples.table[samples.table["label"] == "fear"].groupby("fold").size()
    assert len(folds) == 2  # so in the other three folds nobody is afraid
    with_two = {fold: int(folds.sum() - folds.get(fold, 0) - folds.get((fold + 1) % 5, 0)) for fold in range(5)}
    message, found = stopped(samples, ValidationParams(min_per_class=max(with_two.values()) + 1), dataset, tmp_path)
    assert found["counts"]["fear"] == {"train": min(with_two.values()), "validation": 0, "test": 0}
    assert f"fear: {min(with_two.values())}" in message
    assert found["counts"]["happy"] == {"train": 18, "validation": 6, "test": 6}


def test_of_copies_in_two_folds_that_of_the_first_fold_stays(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    rows = make_rows()
    people = sorted({row["subject"] for row in rows})
    samples, dataset = in_folds(rows, make_samples)
    fold = samples.table.groupby("subject")["fold"].first()
    early = next(person for person in people if fold[person] == 1)
    late = next(person for person in people if fold[person] == 3)
    copy, original = (next(row for row in rows if row["subject"] == person) for person in (late, early))
    changed = [row | ({"image": again(original, ".bmp")} if row is copy else {}) for row in rows]
    for row in changed:
        row["id"] = f"new-{row['id']}"
    (samples.folder.parent / "data" / "raw" / "tiny").rename(samples.folder.parent / "before")
    samples, dataset = in_folds(changed, make_samples)
    _, report = validate(samples, gate(), dataset)
    assert reasons(report) == {f"new-{copy['id']}": f"exact copy of an image in fold 1: new-{original['id']}"}
    assert report.read_json("report.json")["leakage"]["exact_in"] == {"fold 1": {"fold 3": 1}, "fold 3": {"fold 1": 1}}


def test_the_report_shows_the_audit_with_pictures(alike: Samples) -> None:
    _, report = validate(alike, ValidationParams(), TINY)
    report.verify()
    assert "docs/leakage.html" in report.manifest
    figures = report.read_json("report.json")["leakage"]
    assert figures["images"] == figures["different"] == 210
    assert (figures["places"], figures["subjects"]) == ({"train": 126, "validation": 42, "test": 42}, 10)
    assert (figures["nearest"]["asked_split"], figures["nearest"]["asked"]) == ("test", 42)
    page, pictures = report.page.read_text(), (report.folder / "docs" / "leakage.html").read_text()
    assert '<a href="leakage.html">' in page
    assert "near-duplicates: 2 groups of 4 images" in page
    assert "Leakage audit of tiny" in pictures
    assert len(re.findall(r'src="data:image/png;base64,', pictures)) == 4
    assert re.findall(r"(?:src|href)=\"(?!data:)([^\"]*)", pictures) == []
    for name in ("face-00000", "face-00001", "face-00021", "face-00028"):
        assert name in pictures


def test_a_clean_set_has_its_figures_too(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    _, report = validate(make_samples(make_rows()), gate(exact="fail", near="fail", conflicts="fail"), TINY)
    found = report.read_json("report.json")
    assert {outcomes(found)[words] for words in LEAKS.values()} == {True}
    assert (found["leakage"]["exact_in"], found["leakage"]["near_in"]) == ({}, {})
    assert found["counts"] == {emotion: {"train": 18, "validation": 6, "test": 6} for emotion in EMOTIONS}
    assert pd.read_csv(report.folder / "quarantine.csv").empty
