"""The report says what the evaluations say, and what is missing, in the same words on both pages."""

import re
from dataclasses import replace

import numpy as np
import pytest
from decision_made import DECISION
from report_reading import read_html, read_markdown

from ferline.reporting.report import write


def as_cell(value, ends=None, spread=None):
    small = [f"{ends[0]:.3f}–{ends[1]:.3f}"] if ends else []
    return " ".join([f"{value:.3f}", *small, *([f"± {spread:.3f}"] if spread else [])])


def test_the_leaderboards_numbers_are_those_of_its_json(report, material):
    rows = material.leaderboard.rows
    found = read_html(report.folder).table_with("model", "ECE")
    assert [cells[0] for cells in found[1:]] == [
        f"{place}\u00a0{row['architecture']}" for place, row in enumerate(rows, 1)
    ]
    for cells, row in zip(found[1:], rows, strict=True):
        validation, test = row["validation"], row["test"]
        assert cells[1] == as_cell(validation["macro_f1"], validation["intervals"]["macro_f1"])
        assert cells[2] == as_cell(test["macro_f1"], test["intervals"]["macro_f1"])
        assert cells[3] == as_cell(test["accuracy"], test["intervals"]["accuracy"])
        assert cells[4] == f"{test['min_class_recall']:.3f} {test['min_class']}"
        assert cells[5:7] == [f"{test['ece']:.3f}", f"{row['robustness_drop']:.3f}"]
        assert cells[7:] == ["1.2 M", "4.9", "1.8"]


def test_markdown_has_the_same_tables_as_the_html(report):
    """But for how a second line of a cell is set; a list of facts is a table without a head in Markdown alone."""

    def numbers(read):
        tables = [table for table in read.tables if any(table[0])]
        return [[re.findall(r"\d+\.\d+", " ".join(row)) for row in table] for table in tables]

    assert len(numbers(read_html(report.folder))) == 2 + 1 + 5 + 3 * 3
    assert numbers(read_html(report.folder)) == numbers(read_markdown(report.folder))


def test_every_models_numbers_are_those_of_its_evaluation(report, three):
    tables = [table for table in read_html(report.folder).tables if table[0][0] == "emotion"]
    ranked = sorted(three, key=lambda each: -each.scores("validation")["macro_f1"])
    for table, evaluation in zip(tables, ranked, strict=True):
        scores = evaluation.scores("test")
        for emotion, cells in zip(evaluation.emotions, table[1:-1], strict=True):
            each = scores["per_class"][emotion]
            assert cells[:2] == [emotion, str(each["support"])]
            for cell, name in zip(cells[2:], ("recall", "precision", "f1", "specificity"), strict=True):
                assert cell == as_cell(each[name], scores["intervals"][f"{name}/{emotion}"])
        assert table[-1][:3] == ["mean", "140", as_cell(scores["macro_recall"], scores["intervals"]["macro_recall"])]
        assert f"accuracy {scores['accuracy']:.3f} (" in read_html(report.folder).text


def test_robustness_and_groups_are_those_of_the_evaluation(report, three):
    read = read_html(report.folder)
    tables = [table for table in read.tables if table[0][0] == "corruption"]
    groups = [table for table in read.tables if table[0][0] == "group"]
    first = max(three, key=lambda each: each.scores("validation")["macro_f1"])
    kinds = first.content["robustness"]["corruptions"]
    assert [row[0] for row in tables[0][1:]] == ["noise", "occlusion", "blur", "contrast", "brightness", "jpeg"]
    assert tables[0][1][1:] == [f"{each['accuracy']:.3f}" for each in kinds["noise"]]
    (light,) = first.content["slices"]
    assert f"gap in mean recall {light['gap']['macro_recall']:.3f}" in groups[0][1][0]
    for row, each in zip(groups[0][2:], light["groups"], strict=True):
        assert row[:2] == [each["name"], str(each["faces"])]
        assert row[2] == as_cell(each["accuracy"], each["interval"])
        assert row[3] == as_cell(each["macro_recall"], each["macro_recall_interval"])


def test_sentences_are_made_from_the_tests(report, material):
    pairs = material.leaderboard.content["pairs"]
    apart = {frozenset((pair["first"], pair["second"])): pair["p_adjusted"] for pair in pairs}
    names = ("cnn_lstm_svm", "cnn_lstm", "resnet50_gru")
    assert apart[frozenset(names[:2])] > 0.05 > 0.001 > apart[frozenset(names[1:])]
    for read in (read_html(report.folder), read_markdown(report.folder)):
        ranked = sorted(names[:2], key=lambda name: read.text.index(f"{name} is better than"))
        told = f"{ranked[0]} is better than resnet50_gru (p < 0.001); it cannot be told apart from {ranked[1]} (p = "
        assert f"{told}{apart[frozenset(names[:2])]:.3f})" in read.text
        assert f"{ranked[1]} is better than resnet50_gru (p < 0.001)" in read.text


def test_a_model_that_is_second_on_validation_and_better_on_test_is_called_better(
    make_evaluation, make_material, tmp_path
):
    first, second = make_evaluation("first", 2.6), make_evaluation("second", 2.0)
    material = make_material(first, second)
    material.leaderboard.content["pairs"][0] |= {"only_first": 3, "only_second": 30, "p_adjusted": 0.0001}
    text = read_html(write(material, tmp_path / "report").folder).text
    assert "first is worse than second (p < 0.001)" in text


def test_one_model_alone_is_held_against_nothing(alone, tmp_path):
    text = read_html(write(alone, tmp_path / "report").folder).text
    assert "One model alone: there is nothing to hold it against." in text
    assert "There is no other model to hold its confusion matrix against." in text
    assert "Model against model" not in text


def test_means_of_several_seeds_have_their_spread(make_evaluation, make_material, tmp_path):
    pooled = make_evaluation("pooled", members="seeds")
    read = read_html(write(make_material(pooled), tmp_path / "report").folder)
    assert "± 0.023" in read.table_with("model", "ECE")[1][2]
    assert "Numbers are means of 3 seeds" in read.text
    assert "occlusion maps: drawn of single trainings only" in read.text
    assert "trained once" not in read.text


@pytest.mark.parametrize(
    ("card", "warning"),
    [
        (
            {"dataset": {"protocol": "paper:cnn_lstm"}},
            "Not performance. This split is a paper's own and leaks by design",
        ),
        (
            {"leaks": {"exact": 3, "subject": 0, "sequence": 2}},
            "3 of them have an exact copy in training or validation",
        ),
    ],
)
def test_a_split_that_leaks_is_said_before_the_first_number(make_evaluation, make_material, tmp_path, card, warning):
    folder = write(make_material(make_evaluation("cnn_lstm", card=card)), tmp_path / "report").folder
    for read in (read_html(folder), read_markdown(folder)):
        assert read.text.index(warning) < read.text.index("macro-F1 is")


def test_a_clean_split_has_no_warning(report):
    assert "leaks by design" not in read_html(report.folder).text
    assert not [each for each in read_html(report.folder).all("p") if each.get("class") == "warning"]


def test_the_decision_is_told_with_every_gate_and_the_comparison(alone, tmp_path):
    read = read_html(write(replace(alone, decision=DECISION), tmp_path / "report").folder)
    gates = read.table_with("gate, on test")
    assert gates[1:] == [
        ["min_macro_f1", "0.9123", "at least 0.5", "passed"],
        ["max_robustness_drop", "not measured", "at most 0.5", "failed"],
    ]
    assert "Promoted. cnn_lstm is better: it says so here." in read.text
    assert "champion version 3, on 120 test faces that neither was trained or chosen on; 20 left out" in read.text
    assert "+0.0358 (−0.0010 to +0.0700), p = 0.021 by paired bootstrap" in read.text
    assert "a gain of more than 0.01 and p below 0.05" in read.text
    assert "cut out otherwise." in read.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"promoted": False}, "Not promoted. cnn"),
        ({"mode": "dry-run", "promoted": False}, "Would be promoted. cnn"),
        ({"mode": "off", "outcome": "off", "gates": []}, "Nothing decided. cnn"),
        ({"previous_champion": None}, "nothing: there was no champion"),
    ],
)
def test_every_kind_of_decision_has_its_words(alone, tmp_path, change, said):
    material = replace(alone, decision=DECISION | change)
    assert said in read_html(write(material, tmp_path / "report").folder).text


def test_a_run_without_a_decision_says_so(report):
    assert "This run did not come to one: nothing was promoted." in read_html(report.folder).text


def test_the_same_material_gives_the_same_bytes(report, material, tmp_path):
    assert write(material, tmp_path / "again").digest == report.digest


def test_a_report_replaces_the_one_before_and_leaves_nothing_of_it(material, alone, tmp_path):
    write(material, tmp_path / "report")
    again = write(alone, tmp_path / "report")
    again.verify()
    assert not list(again.folder.rglob("*resnet50_gru*"))


def test_numbers_of_a_model_that_is_far_worse_than_half_are_tinted(report):
    shades = [each["style"] for each in read_html(report.folder).all("td") if each.get("style")]
    assert len(shades) == 3 * 18
    assert np.ptp([int(re.findall(r"\d+", str(shade))[0]) for shade in shades]) > 40
