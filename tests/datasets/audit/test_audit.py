"""The audit of a small set in which everything that leaks was put on purpose, and what a policy makes of it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferline.datasets.audit.audit import audit
from ferline.datasets.audit.findings import Findings
from ferline.datasets.audit.picture import Pictures, together
from ferline.datasets.audit.policy import consequences, policy_of
from ferline.datasets.audit.report import Audit
from ferline.params import DatasetParams, LeakageParams

Make = Callable[..., Any]
Input = tuple[pd.DataFrame, Pictures]

SPLITS = np.repeat(["train", "validation", "test"], [40, 10, 10])  # i0.. train, i40.. validate, i50.. test


@pytest.fixture
def leaky(make_photographs: Make, make_table: Make, alterations: dict[str, Any]) -> Input:
    """60 images; what stands where is said beside each line."""
    images = make_photographs(60)
    images[[1, 2]] = images[0]  # three times in train
    images[50] = images[3]  # train and test
    images[51] = images[41] = images[4]  # in all three
    images[6] = images[5]  # twice in train, happy and sad
    images[52] = images[7]  # train and test, happy and sad
    images[54] = images[53]  # twice in test, happy and sad
    images[42] = alterations["jpeg"](images[8])  # train and validation
    images[55] = alterations["mirrored"](images[9])  # train and test
    images[56] = alterations["brighter"](images[43])  # validation and test ...
    images[10] = alterations["darker"](images[43])  # ... and train
    labels = np.full(60, "happy", object)
    labels[[6, 52, 54]] = "sad"
    subjects = np.array([f"p{n // 2}" for n in range(60)])
    subjects[57] = "p0"
    return make_table(images, split=SPLITS, label=labels, subject=subjects)


def ids(findings: Findings, kind: str) -> set[frozenset[str]]:
    return {frozenset(member.id for member in group.members) for group in findings.of_kind(kind)}


def groups(*rows: tuple[int, ...]) -> set[frozenset[str]]:
    return {frozenset(f"i{row}" for row in group) for group in rows}


def test_the_audit_finds_what_was_put_there_and_nothing_else(leaky: Input) -> None:
    found = audit(*leaky)
    assert (found.images, found.unreadable, found.different) == (60, 0, 60 - 2 - 1 - 2 - 1 - 1 - 1)
    assert ids(found, "exact") == groups((0, 1, 2), (3, 50), (4, 41, 51), (5, 6), (7, 52), (53, 54))
    assert ids(found, "conflict") == groups((5, 6), (7, 52), (53, 54))
    assert ids(found, "near") == groups((8, 42), (9, 55), (10, 43, 56))
    assert [group.across for group in found.of_kind("exact")].count(True) == 3
    assert all(group.across for group in found.of_kind("near"))
    assert found.exact_in == {
        "train": {"validation": 1, "test": 3},
        "validation": {"train": 1, "test": 1},
        "test": {"train": 3, "validation": 1},
    }
    assert found.near_in == {
        "train": {"validation": 2, "test": 2},
        "validation": {"train": 2, "test": 1},
        "test": {"train": 2, "validation": 1},
    }
    assert [(each.name, each.images) for each in found.subjects_across] == [("p0", {"test": 1, "train": 2})]
    assert (found.subjects, found.sequences, found.sequences_across) == (30, 0, [])
    assert found.nearest is not None
    assert found.nearest.apart_by == "subject"


def test_figures_are_json_and_lines_are_words(leaky: Input) -> None:
    found = audit(*leaky)
    figures = json.loads(json.dumps(found.figures(), allow_nan=False))
    assert figures["places"] == {"train": 40, "validation": 10, "test": 10}
    assert (figures["exact_groups"], figures["near_groups"], figures["conflict_groups"]) == (6, 3, 3)
    assert (figures["conflict_images"], figures["subjects_across"]) == (6, 1)
    lines = "\n".join(found.lines())
    assert "60 images (train 40, validation 10, test 10), 52 of them different pixel for pixel" in lines
    assert "identical images: of the test images, 3 have an identical one in train" in lines
    assert "subjects: 30, 1 of them in more than one split" in lines
    assert re.search(r"nearest neighbour on raw pixels: [\d.]+% of 10 test images .* with subjects apart", lines)


def test_an_unreadable_image_is_left_out_and_counted(leaky: Input) -> None:
    table, pictures = leaky
    pictures.digests[[0, 20]] = b""
    found = audit(table, pictures)
    assert (found.images, found.unreadable, found.different) == (60, 2, 51)
    assert frozenset({"i1", "i2"}) in ids(found, "exact")


def test_rows_keep_the_labels_of_the_table_that_was_audited(leaky: Input) -> None:
    table, pictures = leaky
    stays = np.ones(60, bool)
    stays[[0, 30]] = False
    found = audit(table[stays], pictures.take(stays))
    assert {member.row for group in found.groups for member in group.members if member.id == "i50"} == {50}
    assert len(audit(table[:0], pictures.take(table.index[:0].to_numpy())).groups) == 0


def test_across_sets_the_same_image_is_found_under_another_name(leaky: Input, make_table: Make) -> None:
    pictures = leaky[1]
    other = make_table(pictures.thumbs[[20, 50]], id=["a", "b"], split="train", label=["happy", None], subject="p0")
    found = audit(*together({"ours": leaky, "theirs": other}))
    assert found.places == {"ours train": 40, "ours validation": 10, "ours test": 10, "theirs train": 2}
    assert found.exact_in["theirs train"] == {"ours train": 2, "ours test": 1}
    assert {frozenset({"i20", "a"}), frozenset({"i3", "i50", "b"})} <= ids(found, "exact")
    assert ids(found, "conflict") == groups((5, 6), (7, 52), (53, 54))  # a missing label contradicts nobody
    assert [(each.name, each.dataset) for each in found.subjects_across] == [("p0", "ours")]


def test_drop_sets_aside_what_has_less_right_to_stay_and_says_why(leaky: Input) -> None:
    result = consequences(audit(*leaky), LeakageParams("drop", "drop", "drop"))
    reasons = {f"i{row}": reason for row, reason in result.drops.items()}
    assert reasons == {
        "i3": "exact copy of an image in test: i50",
        "i4": "exact copy of an image in test: i51",
        "i41": "exact copy of an image in test: i51",
        "i7": "exact copy of an image in test: i52",
        "i5": "identical to an image with another label: i6 (sad)",
        "i6": "identical to an image with another label: i5 (happy)",
        "i8": "near-duplicate of an image in validation: i42",
        "i9": "near-duplicate of an image in test: i55",
        "i43": "near-duplicate of an image in test: i56",
        "i10": "near-duplicate of an image in test: i56",
    }
    assert result.stops == []
    (line,) = result.reports  # test images stay
    assert line.startswith("leakage.conflicts: 2 images are identical to one with another label (first: i53: ")


def test_what_was_dropped_leaves_nothing_to_drop(leaky: Input) -> None:
    table, pictures = leaky
    policy = LeakageParams("drop", "drop", "drop")
    gone = consequences(audit(table, pictures), policy).drops
    stays = ~table.index.isin(list(gone))
    again = audit(table[stays], pictures.take(stays))
    assert consequences(again, policy).drops == {}
    assert again.exact_in == again.near_in == {}


def test_a_copy_that_goes_itself_is_no_reason_for_another_to_go(
    make_photographs: Make, make_table: Make, alterations: dict[str, Any]
) -> None:
    """Moved six pixels in two steps: the ends are not alike, and what is between goes for the one in test."""
    images = make_photographs(30)
    images[1], images[2] = np.roll(images[0], 3, axis=1), np.roll(images[0], 6, axis=1)
    split = np.full(30, "train", object)
    split[1], split[2] = "validation", "test"
    found = audit(*make_table(images, split=split))
    assert ids(found, "near") == groups((0, 1, 2))
    assert consequences(found, LeakageParams(near="drop")).drops == {1: "near-duplicate of an image in test: i2"}


def test_of_identical_images_with_different_labels_those_that_are_left_stay_where_one_label_is_left(
    make_photographs: Make, make_table: Make
) -> None:
    """happy in validation, sad in training: the training copy goes for being one, and then nothing contradicts."""
    images = make_photographs(30)
    images[0] = images[1]
    columns = {"split": np.full(30, "train", object), "label": np.full(30, "happy", object)}
    columns["split"][1], columns["label"][0] = "validation", "sad"
    found = audit(*make_table(images, **columns))
    assert ids(found, "conflict") == groups((0, 1))
    result = consequences(found, LeakageParams(exact="drop", conflicts="drop"))
    assert result.drops == {0: "exact copy of an image in validation: i1"}
    assert (result.reports, result.stops) == ([], [])
    assert set(consequences(found, LeakageParams(exact="report", conflicts="drop")).drops) == {0, 1}


def test_an_image_without_a_label_is_contradicted_by_nobody(make_photographs: Make, make_table: Make) -> None:
    images = make_photographs(30)
    images[1] = images[2] = images[0]
    label = np.full(30, "happy", object)
    label[1], label[2] = "sad", None
    found = audit(*make_table(images, label=label))
    assert set(consequences(found, LeakageParams(conflicts="drop")).drops) == {0, 1}


def test_with_folds_what_is_dropped_is_an_image_that_would_have_been_tested(
    make_photographs: Make, make_table: Make
) -> None:
    images = make_photographs(30)
    images[29] = images[0]  # folds 0 and 2
    found = audit(*make_table(images, split=np.repeat(["fold 0", "fold 1", "fold 2"], 10)))
    assert consequences(found, LeakageParams(exact="drop")).drops == {29: "exact copy of an image in fold 0: i0"}


def test_a_papers_protocol_keeps_its_leaks_and_any_other_the_policy_as_it_is() -> None:
    strict = LeakageParams("fail", "drop", "fail")
    assert policy_of(DatasetParams("x", protocol="paper:cnn_lstm"), strict) == LeakageParams(*["report"] * 3)
    for protocol in ("official", "random", "subject", "sequence", "column:side"):
        assert policy_of(DatasetParams("x", protocol=protocol), strict) is strict


def test_fail_stops_with_how_many_and_which_and_report_goes_on(leaky: Input) -> None:
    found = audit(*leaky)
    stopped = consequences(found, LeakageParams("fail", "fail", "fail"))
    assert stopped.drops == {}
    assert stopped.reports == []
    assert stopped.stops[0] == (
        "leakage.exact: 4 images are identical to one with more right to stay (first: "
        "i4: exact copy of an image in test: i51; i41: exact copy of an image in test: i51; "
        "i3: exact copy of an image in test: i50)"
    )
    assert stopped.stops[1].startswith("leakage.conflicts: 6 images are identical to one with another label")
    assert stopped.stops[2].startswith("leakage.near: 4 images are near-duplicates of one with more right to stay")
    reported = consequences(found, LeakageParams("report", "report", "report"))
    assert (reported.drops, reported.stops, reported.reports) == ({}, [], stopped.stops)


def test_a_clean_set_has_no_consequences(make_photographs: Make, make_table: Make) -> None:
    found = audit(*make_table(make_photographs(60), split=SPLITS))
    result = consequences(found, LeakageParams("fail", "fail", "fail"))
    assert (result.drops, result.stops, result.reports) == ({}, [], [])


def test_the_artifact_holds_figures_groups_and_a_page_that_needs_no_network(leaky: Input, tmp_path: Path) -> None:
    table, pictures = leaky
    table.loc[50, "id"] = "<b>i50</b>"
    found = audit(table, pictures)
    written = Audit.write(found, "The leaky set", table, pictures, tmp_path / "audit").verify()
    assert written.summary() == json.loads(json.dumps(found.figures()))
    members = written.groups
    assert members.groupby("kind")["group"].nunique().to_dict() == {"conflict": 3, "exact": 6, "near": 3}
    assert len(members) == sum(len(group.members) for group in found.groups)
    page = written.page.read_text(encoding="utf-8")
    assert page.count('<img alt="" src="data:image/png;base64,') == len(members)
    assert "http" not in page
    assert "&lt;b&gt;i50&lt;/b&gt;" in page
    assert "<b>i50" not in page
    assert "<h1>The leaky set</h1>" in page
    assert "p0" in page


def test_equal_findings_are_equal_artifacts(leaky: Input, tmp_path: Path) -> None:
    one, other = (Audit.write(audit(*leaky), "x", *leaky, tmp_path / name) for name in ("one", "other"))
    assert one.digest == other.digest


def test_an_empty_table_and_one_of_clean_images_make_a_page_too(make_photographs: Make, make_table: Make) -> None:
    for count in (0, 3):
        table, pictures = make_table(make_photographs(3)[:count])
        written = Audit.write(audit(table, pictures), "little", table, pictures)
        assert written.groups.empty
        assert written.page.read_text(encoding="utf-8").count("<p>None.</p>") == 5


def test_pictures_of_another_table_are_refused(leaky: Input) -> None:
    with pytest.raises(ValueError, match="60 pictures for 10 rows"):
        audit(leaky[0][:10], leaky[1])
