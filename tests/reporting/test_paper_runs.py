"""From a real MLflow store: which runs stand beside the papers' claims, and which do not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from urllib.parse import urlparse

import mlflow
import pytest
from report_reading import read_html, read_markdown

from ferline.evaluation.evaluate import Evaluation
from ferline.reporting import paper_runs as papers
from ferline.reporting.claims import METRICS
from ferline.reporting.paper_runs import paper_runs
from ferline.reporting.report import write
from ferline.tracking import rows
from ferline.tracking import store as tracking


@pytest.fixture
def trained(store, make_evaluation) -> Callable[..., tuple[str, Evaluation]]:
    """A pipeline run with one architecture, logged as the pipeline does it: the row's id, and what was evaluated."""
    runs: list[str] = []

    def train(model="cnn_lstm_svm", dataset="fer2013", protocol="official", name="", seed=0, skill=2.0, **more):
        training = {"optimiser": more.pop("optimiser", "adam"), "learning_rate": more.pop("rate", 0.001), "seed": seed}
        card = {"model": model, "dataset": {"name": dataset, "protocol": protocol} | more.pop("cut", {})}
        card |= {"training": training} | more.pop("card", {})
        evaluation = make_evaluation(name or model, skill, "matrix", card=card, seed=seed, **more)
        runs.append(f"run-{len(runs)}")
        return rows.log_evaluation(rows.parent(runs[-1], runs[-1]), evaluation), evaluation

    return train


def numbers_of(evaluation: Evaluation, split: str = "test") -> dict[str, float]:
    return {name: evaluation.scores(split)[name] for name in METRICS.values()}


def test_an_empty_store_has_nothing_to_show(store):
    assert paper_runs() == papers.PaperRuns(())


def test_a_result_says_where_it_comes_from(trained):
    run_id, evaluation = trained(cut={"fraction": 0.5})
    (found,) = paper_runs().found
    assert (found.paper, found.dataset, found.protocol, found.seeds) == ("cnn_lstm_svm", "fer2013", "official", (0,))
    assert found.run_ids == (run_id,)
    assert found.data_digest == evaluation.card["data_digest"]
    assert found.commit == tracking.code_version()["git.commit"]
    assert (found.device, found.faces, found.fraction) == ("cpu", {"validation": 140, "test": 140}, 0.5)
    assert found.numbers["test"] == numbers_of(evaluation)
    assert found.intervals["test"]["accuracy"] == evaluation.scores("test")["intervals"]["accuracy"]


def test_the_papers_own_split_and_an_honest_one_stand_beside_the_claim(trained, make_material, tmp_path):
    own = trained(protocol="paper:cnn_lstm_svm", skill=3.0)[1]
    honest = trained(protocol="official", skill=1.5)[1]
    material = make_material(honest, papers=paper_runs())
    for read in (read_html(write(material, tmp_path / "report").folder), read_markdown(tmp_path / "report")):
        summary = {row[1]: row for row in read.table_with("claimed", "paper protocol", "honest protocol")}
        accuracies = [f"{100 * each.scores('test')['accuracy']:.2f}" for each in (own, honest)]
        assert summary["FER-13"][2] == "94.08"
        assert [cell.split()[0] for cell in summary["FER-13"][3:]] == accuracies
        assert "official" in summary["FER-13"][4]
        assert summary["EMOTIC"] == ["cnn_lstm_svm", "EMOTIC", "72.64", "not run", "not run"]


def test_every_metric_of_a_claim_has_ours_beside_it(trained, make_material, tmp_path):
    own = trained("resnet50_gru", "ckplus", "paper:resnet50_gru", skill=3.0)[1]
    read = read_html(write(make_material(own, papers=paper_runs()), tmp_path / "report").folder)
    table = next(table for table in read.tables if table[0][1:] == list(METRICS))
    claimed, ours, honest = table[2:5]
    assert claimed == ["claimed", "95.56", "94.58", "96.05", "95.07", "–", "–"]
    expected = [f"{100 * value:.2f}" for value in numbers_of(own).values()]
    assert [cell.split()[0] for cell in ours[1:]] == expected
    assert ours[0] == "paper protocol ckplus, 140 faces, seed 0"
    assert honest == ["honest protocol", "not run"]


def test_a_cell_without_a_run_says_so_and_has_no_number(store, make_evaluation, make_material, tmp_path):
    material = make_material(make_evaluation("cnn_lstm"), papers=paper_runs())
    read = read_html(write(material, tmp_path / "report").folder)
    summary = read.table_with("claimed", "paper protocol", "honest protocol")
    assert len(summary) == 10
    assert all(row[3:] == ["not run", "not run"] for row in summary[1:])
    tables = [table for table in read.tables if table[0][1:] == list(METRICS)]
    lines = [row for table in tables for row in table if row[0] in ("paper protocol", "honest protocol")]
    assert len(lines) == 2 * 11
    assert all(row[1:] == ["not run"] for row in lines)


def test_of_the_same_settings_and_seed_the_newest_counts(trained):
    trained(skill=1.0)
    run_id, newest = trained(skill=3.0)
    (found,) = paper_runs().found
    assert found.run_ids == (run_id,)
    assert found.numbers["test"] == numbers_of(newest)


def test_several_seeds_give_mean_and_standard_deviation(trained):
    made = [trained(seed=seed) for seed in (0, 1, 2)]
    (found,) = paper_runs().found
    accuracies = [each.scores("test")["accuracy"] for _, each in made]
    assert found.seeds == (0, 1, 2)
    assert set(found.run_ids) == {run_id for run_id, _ in made}
    assert found.numbers["test"]["accuracy"] == pytest.approx(mean(accuracies), abs=1e-12)
    assert found.sd["test"]["accuracy"] == pytest.approx(stdev(accuracies), abs=1e-12)
    assert found.intervals == {}


def test_a_seed_of_other_settings_is_not_averaged_in(trained):
    """The newest settings are shown; a seed that was trained at another rate is another experiment."""
    trained(seed=1, rate=0.1)
    _, newest = trained(seed=0)
    (found,) = paper_runs().found
    assert found.seeds == (0,)
    assert found.numbers["test"] == numbers_of(newest)


def test_a_seed_on_other_data_is_not_averaged_in(trained):
    trained(seed=1, card={"data_digest": "e" * 64})
    trained(seed=0)
    assert [found.seeds for found in paper_runs().found] == [(0,)]


def test_a_row_that_is_a_mean_of_seeds_has_its_own_spread(trained, make_evaluation):
    run_id, pooled = trained(members="seeds")
    parent = tracking.client().get_run(run_id).data.tags["mlflow.parentRunId"]
    for seed in (4, 5, 6):
        member, _ = rows.row(parent, "cnn_lstm_svm", seed=seed)
        rows.log_parameters(member, pooled.card | {"training": pooled.card["training"] | {"seed": seed}})
    (found,) = paper_runs().found
    assert found.seeds == (4, 5, 6)
    assert found.sd["test"]["accuracy"] == 0.0123
    assert found.run_ids == (run_id,)


def test_a_row_of_folds_says_how_many(trained, make_material, tmp_path):
    _, folds = trained("resnet50_gru", "ckplus", "subject", members="folds", cut={"folds": 3})
    found = paper_runs()
    assert found.found[0].folds == 3
    read = read_html(write(make_material(folds, papers=found), tmp_path / "report").folder)
    assert "ckplus, 140 faces, 3 folds" in read.text


def test_a_variant_under_another_name_counts_only_without_the_papers_own(trained):
    own, _ = trained(name="cnn_lstm_svm")
    trained(name="cnn_lstm_svm_short", rate=0.1)
    variant, _ = trained(name="cnn_lstm_svm_short", dataset="ferg", protocol="random")
    assert {found.dataset: found.run_ids for found in paper_runs().found} == {"fer2013": (own,), "ferg": (variant,)}


@pytest.mark.parametrize(
    ("leaks", "why"),
    [({"exact": 0, "subject": 2, "sequence": 0}, papers.LEAKING), (None, papers.UNAUDITED)],
)
def test_a_split_that_leaks_or_was_never_audited_is_not_called_honest(trained, make_material, tmp_path, leaks, why):
    _, leaking = trained(card={"leaks": leaks})
    found = paper_runs()
    assert found.found == ()
    assert found.left_out == {why: 1}
    text = read_html(write(make_material(leaking, papers=found), tmp_path / "report").folder).text
    assert f"Left out of the honest column: 1 result: {why}." in text


def test_a_leak_does_not_keep_a_papers_own_split_from_being_shown(trained):
    trained(protocol="paper:cnn_lstm_svm", card={"leaks": {"exact": 900, "subject": 0, "sequence": 0}})
    assert [found.of_the_paper for found in paper_runs().found] == [True]


def test_an_older_honest_result_is_shown_where_the_newest_one_leaks(trained):
    run_id, _ = trained()
    trained(card={"leaks": {"exact": 1, "subject": 0, "sequence": 0}, "data_digest": "e" * 64})
    found = paper_runs()
    assert [each.run_ids for each in found.found] == [(run_id,)]
    assert found.left_out == {}


def test_a_row_whose_files_are_gone_is_counted_and_does_not_stop_the_report(trained):
    run_id, _ = trained()
    trained(dataset="ferg", protocol="random")
    location = urlparse(mlflow.get_run(run_id).info.artifact_uri).path
    shutil.rmtree(Path(location))
    found = paper_runs()
    assert [each.dataset for each in found.found] == ["ferg"]
    assert found.left_out == {papers.GONE: 1}


def test_a_network_on_another_papers_split_is_in_no_column(trained):
    trained(protocol="paper:resnet50_gru")
    assert paper_runs() == papers.PaperRuns(())


def test_a_network_of_no_paper_and_a_row_that_is_not_whole_are_passed_over(trained, store):
    trained("somebodys_own_network")
    begun, _ = rows.row(rows.parent("crashed", "crashed"), "cnn_lstm")
    mlflow.tracking.MlflowClient().log_param(begun, "model", "cnn_lstm")
    assert paper_runs() == papers.PaperRuns(())


def test_optimisers_are_told_apart_where_the_paper_compares_them(trained, make_material, tmp_path):
    made = {
        name: trained("resnet50_resnet34", name=f"hybrid_{name}", optimiser=name, skill=skill)[1]
        for name, skill in (("sgd", 1.0), ("adam", 2.0), ("rmsprop", 3.0), ("adamw", 1.5))
    }
    found = paper_runs()
    read = read_html(write(make_material(made["sgd"], papers=found), tmp_path / "report").folder)
    summary = {row[1]: row for row in read.table_with("claimed", "paper protocol", "honest protocol")}
    for what, name in (("SGDM", "sgd"), ("Adam", "adam"), ("RMSprop", "rmsprop")):
        assert summary[f"FER2013, {what}"][4].startswith(f"{100 * made[name].scores('test')['accuracy']:.2f}")
    assert "Other data or settings" in read.text


def test_other_data_is_not_held_against_a_claim(trained, make_material, tmp_path):
    _, drawn = trained(dataset="synthetic", protocol="subject")
    read = read_html(write(make_material(drawn, papers=paper_runs()), tmp_path / "report").folder)
    summary = read.table_with("claimed", "paper protocol", "honest protocol")
    assert all(row[3:] == ["not run", "not run"] for row in summary[1:])
    assert "Other data or settings: not to be held against the claims" in read.text
    assert "honest: subject synthetic, 140 faces, seed 0" in " ".join(row[0] for table in read.tables for row in table)


def test_training_accuracy_is_that_of_the_epoch_that_was_kept(trained):
    trained("resnet50_transfer", "rafdb", "official")
    (found,) = paper_runs().found
    assert found.numbers["train"] == {"accuracy": pytest.approx(0.75)}


def test_two_honest_protocols_are_two_lines(trained, make_material, tmp_path):
    _, one = trained(protocol="official")
    trained(protocol="random")
    read = read_html(write(make_material(one, papers=paper_runs()), tmp_path / "report").folder)
    sides = [row[0].split(" fer2013")[0] for table in read.tables if table[0][1:] == list(METRICS) for row in table]
    assert {"honest: official", "honest: random"} <= set(sides)
    summary = {row[1]: row for row in read.table_with("claimed", "paper protocol", "honest protocol")}
    assert summary["FER-13"][4].endswith("official and 1 more")
