"""The gate: good sets pass as they are, bad rows are set aside with their reason, and some findings stop the run."""

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from gate import outcomes, reasons, rewritten, stopped

from ferline.datasets.inspection import inspect
from ferline.datasets.samples import INDEX_COLUMNS, Samples
from ferline.datasets.validation import validate
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.params import DatasetParams, LeakageParams, ValidationParams

MakeRows = Callable[..., list[dict[str, Any]]]
MakeSamples = Callable[..., Samples]
TINY = DatasetParams("tiny")
LAX = ValidationParams(max_bad_share=0.2)


def test_a_good_set_goes_on_as_it_is(
    make_rows: MakeRows, make_samples: MakeSamples, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = make_samples(make_rows())
    kept, report = validate(samples, ValidationParams(), TINY)
    assert capfd.readouterr() == ("", "")
    report.verify()
    assert kept.table.equals(samples.table)
    assert report.summary() == {"decision": "passed", "images": 210, "quarantined": 0, "bad_share": 0}
    found = report.read_json("report.json")
    assert set(outcomes(found).values()) == {True}
    assert found["counts"] == {emotion: {"train": 18, "validation": 6, "test": 6} for emotion in EMOTIONS}
    assert len(report.quarantine) == 0


def test_a_target_holds_the_samples_and_the_report(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    samples = make_samples(make_rows())
    kept, report = validate(samples, ValidationParams(), TINY, target=tmp_path / "out")
    assert (kept.folder, report.folder) == (tmp_path / "out" / "samples", tmp_path / "out" / "report")
    assert kept.verify().table.equals(samples.table)


def huge_png_header() -> bytes:
    """20,000 x 20,000 grey pixels in the header, and a body that would unpack into them: 400 MB from 400 KB."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_every_bad_row_is_set_aside_with_its_reason(
    make_rows: MakeRows, make_samples: MakeSamples, encode: Callable[..., bytes]
) -> None:
    rows = make_rows()
    rows[0]["image"] = b""
    rows[1]["image"] = b"this is a text\n"
    rows[2]["image"] = encode(2, form=".jpg")[:-200]
    rows[3]["image"] = huge_png_header()
    rows[4]["label"] = "bored"
    rows[5]["label"] = None
    rows[6]["image"] = encode(6, side=12)
    rows[7] |= {"image": encode(7, side=12), "label": "bored"}
    samples = make_samples(rows)
    kept, report = validate(samples, LAX, TINY)
    told = reasons(report)
    assert list(told) == [row["id"] for row in rows[:8]]
    expected = [
        "unreadable: empty file",
        "unreadable: not an image",
        "unreadable: truncated",
        "longer side above 8192 pixels: 20000",
        "unknown label: bored",
        "no label",
        "shorter side below 32 pixels: 12",
        "shorter side below 32 pixels: 12; unknown label: bored",
    ]
    for reason, words in zip(told.values(), expected, strict=True):
        assert re.match(words, reason), reason
    assert [image for _, batch in kept.batches() for image in batch] == [row["image"] for row in rows[8:]]
    found = report.read_json("report.json")
    assert found["reasons"] == {
        "unreadable": 3,
        "longer side above 8192 pixels": 1,
        "shorter side below 32 pixels": 2,
        "unknown label": 2,
        "no label": 1,
    }
    assert (found["images"], found["images_that_go_on"], found["quarantined"]) == (210, 202, 8)
    assert found["bad_share"] == 8 / 210
    assert pd.read_csv(report.folder / "quarantine.csv")["reason"].tolist() == list(told.values())


def test_what_is_left_has_the_same_digest_every_time(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    rows = make_rows()
    rows[5]["label"] = "bored"
    samples = make_samples(rows)
    (one, report), (other, again) = (validate(samples, LAX, TINY) for _ in range(2))
    assert one.digest == other.digest != samples.digest
    assert report.digest == again.digest


def test_too_many_bad_rows_stop_the_run_with_their_reasons(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows()
    for row in rows[:4]:
        row["image"] = b""
    rows[9]["label"] = "bored"
    message, found = stopped(make_samples(rows), ValidationParams(), TINY, tmp_path / "kept")
    assert "At most 2.00% of the images are bad (validation.max_bad_share): 5 are (2.38%)" in message
    assert "4 unreadable, 1 unknown label (first: face-00000: unreadable: empty file (0 bytes); face-00001" in message
    assert found["stopped_by"][0].startswith("At most 2.00%")
    assert found["quarantined"] == 5


def test_a_class_with_few_training_images_stops_the_run(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    message, found = stopped(make_samples(make_rows()), ValidationParams(min_per_class=19), TINY, tmp_path / "kept")
    assert (
        "Every emotion has at least 19 training images (validation.min_per_class): 7 fail: angry: 18, disgust: 18"
        in message
    )
    assert len(found["stopped_by"]) == 1


def test_the_least_of_a_class_is_counted_after_bad_rows_are_gone(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows()
    rows[0]["image"] = b""
    samples = make_samples(rows)
    message, found = stopped(samples, ValidationParams(min_per_class=18), TINY, tmp_path / "kept")
    assert "training images (validation.min_per_class): 1 fail: angry: 17" in message
    assert found["counts"]["angry"]["train"] == 17
    validate(samples, ValidationParams(min_per_class=17), TINY)


def test_a_split_of_which_no_image_is_good_stops_the_run(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = [row | ({"image": b""} if row["split"] == "test" else {}) for row in make_rows()]
    message, found = stopped(make_samples(rows), ValidationParams(max_bad_share=1), TINY, tmp_path / "kept")
    assert "There are test images: found 0" in message
    assert len(found["stopped_by"]) == 1


def test_a_missing_column_stops_the_run_and_is_named(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    samples = rewritten(make_samples(make_rows()), tmp_path / "other", label=None)
    message, found = stopped(samples, ValidationParams(), TINY, tmp_path / "kept")
    assert f"Every column is there: {', '.join(INDEX_COLUMNS)}: missing: label" in message
    assert (found["counts"], found["leakage"]) == (None, None)
    assert not (tmp_path / "kept" / "tiny" / "docs" / "leakage.html").exists()


def test_an_id_that_is_used_twice_stops_the_run(tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples) -> None:
    samples = make_samples(make_rows())
    ids = samples.table["id"].where(samples.table["id"] != "face-00010", "face-00003")
    message, found = stopped(
        rewritten(samples, tmp_path / "other", id=ids), ValidationParams(), TINY, tmp_path / "kept"
    )
    assert "No id is used twice: 2 fail: face-00003 (faces/00003.png), face-00003 (faces/00010.png)" in message
    assert found["stopped_by"] == [line[2:] for line in message.splitlines() if line.startswith("- ")]


def test_bytes_that_are_not_those_of_the_checksum_are_set_aside(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    samples = make_samples(make_rows())
    wrong = samples.table["sha256"].where(samples.table["id"] != "face-00010", "0" * 64)
    _, report = validate(rewritten(samples, tmp_path / "other", sha256=wrong), ValidationParams(), TINY)
    assert list(reasons(report)) == ["face-00010"]
    assert reasons(report)["face-00010"].startswith("wrong checksum: ")


@pytest.mark.parametrize(
    ("votes", "problem"),
    [
        ([0.0] * 7, "all votes are 0"),
        ([-1.0, 2, 0, 0, 0, 0, 0], "a vote that is negative or no number"),
        ([float("nan"), 2, 0, 0, 0, 0, 0], "a vote that is negative or no number"),
        ([1.0, 2.0], "2 votes for 7 emotions"),
    ],
)
def test_votes_that_do_not_sum_stop_the_run(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples, votes: list[float], problem: str
) -> None:
    """Those of a raw set are made into shares by ingest; what stands in the Samples is looked at all the same."""
    samples = make_samples(make_rows())
    given: list[list[float] | None] = [None] * 210
    given[0], given[8] = [0.75, 0, 0, 0.25, 0, 0, 0], votes
    bad = rewritten(samples, tmp_path / "other", votes=pd.Series(given, dtype=object))
    message, _ = stopped(bad, ValidationParams(), TINY, tmp_path / "kept")
    assert f"sum to more than 0: 1 fail: face-00008 (faces/00008.png): {problem}" in message


def test_shares_of_eight_classes_pass_and_stop_a_run_with_seven(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows()
    rows[8]["votes"] = [0, 6, 0, 0, 0, 0, 0, 4, 0, 0]
    for row in rows[:210:15]:
        row["label"] = "contempt"
    samples = make_samples(rows, emotions=KNOWN)
    _, report = validate(samples, ValidationParams(min_per_class=6), DatasetParams("tiny", emotions=KNOWN))
    assert set(report.read_json("report.json")["counts"]) == set(KNOWN)
    message, seven = stopped(samples, LAX, TINY, tmp_path / "kept")
    assert "1 fail: face-00008 (faces/00008.png): 8 votes for 7 emotions" in message
    assert seven["reasons"] == {"unknown label": 14}


def test_a_missing_subject_stops_the_run_where_the_protocol_needs_one(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows()
    rows[8]["subject"], rows[9]["subject"] = None, ""
    samples = make_samples(rows)
    validate(samples, ValidationParams(), TINY)
    message, _ = stopped(samples, ValidationParams(), DatasetParams("tiny", protocol="subject"), tmp_path / "kept")
    assert "Every image has a subject, as dataset.protocol: subject needs: 2 fail: face-00008" in message


@pytest.mark.parametrize(("column", "words"), [("subject", "No person is"), ("sequence", "No video is")])
def test_who_is_on_two_sides_stops_the_protocol_that_promised_otherwise_and_is_reported_by_the_others(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples, column: str, words: str
) -> None:
    rows = make_rows()
    for row in rows:
        row["sequence"] = row["subject"].replace("person", "video")
    rows[0][column] = rows[3 * 7][column]  # somebody from validation, now in train too
    samples = make_samples(rows)
    _, report = validate(samples, ValidationParams(), TINY)
    assert report.decision == "passed"
    assert outcomes(report.read_json("report.json"))[f"{words} on two sides"] is False
    assert f"{rows[0][column]} is in train, validation" in report.page.read_text()
    message, _ = stopped(samples, ValidationParams(), DatasetParams("tiny", protocol=column), tmp_path / "kept")
    assert f"{words} on two sides: 22 fail" in message


def test_a_set_without_one_good_image_stops_the_run(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = [row | {"image": b""} for row in make_rows(35)]
    message, found = stopped(make_samples(rows), ValidationParams(), TINY, tmp_path / "kept")
    assert "35 are (100.00%): 35 unreadable" in message
    assert "There are train images: found 0" in message
    assert found["images_that_go_on"] == 0


def test_all_that_stops_a_run_is_named_at_once(tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples) -> None:
    rows = make_rows()
    rows[21]["image"] = rows[0]["image"]
    samples = make_samples(rows)
    given = pd.Series([[0.0] * 7 if row == 8 else None for row in range(210)], dtype=object)
    params = ValidationParams(min_per_class=50, leakage=LeakageParams(exact="fail"))
    message, found = stopped(rewritten(samples, tmp_path / "other", votes=given), params, TINY, tmp_path / "kept")
    assert len([line for line in message.splitlines() if line.startswith("- ")]) == len(found["stopped_by"]) == 3


def test_without_a_folder_to_keep_it_in_the_message_still_says_it_all(
    make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    with pytest.raises(FerlineError, match=r"tiny: validation stops the run; 210 images(?s:.*)min_per_class\): 7 fail"):
        validate(make_samples(make_rows()), ValidationParams(min_per_class=19), TINY)


def test_the_page_needs_no_network_and_shows_names_as_text(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    rows = make_rows()
    rows[0] |= {"image": b"", "id": "<script>alert(1)</script>", "source": "<b>bold</b>"}
    rows[1]["label"] = "<i>bored</i>"
    _, report = validate(make_samples(rows), LAX, TINY)
    page = report.page.read_text()
    assert re.findall(r"(?:src|href)=\"(?!#)([^\"]*)", page) == ["../quarantine.csv", "leakage.html"]
    assert "http" not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;i&gt;bored" in page
    assert "<b>bold" not in page
    for words in ("Every image can be read; otherwise the image is set aside", "1 unexpected values found"):
        assert words in page


def test_memory_does_not_grow_with_the_images(make_rows: MakeRows, make_samples: MakeSamples) -> None:
    """30 photographs of 6 megapixels, 0.5 GB decoded, are looked at a few at a time."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    photo = cv2.imencode(".jpg", cv2.resize(pixels, (3000, 2000)))[1].tobytes()
    rows = make_rows(30)
    for number, row in enumerate(rows):
        row["image"] = photo + bytes([number])
    samples = make_samples(rows)
    before = peak()
    looks, pictures = inspect(samples, 8192)
    assert pictures.readable.all()
    assert looks["longer"].tolist() == [3000.0] * 30
    assert looks["problem"].isna().all()
    assert peak() - before < 200


def peak() -> float:
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else "VmHWM: 0"
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def test_the_library_imports_without_great_expectations() -> None:
    code = "import sys, ferline.datasets.validation; print('great_expectations' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
