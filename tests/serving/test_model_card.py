"""The model card: what was measured stands in it, what was not is said, and equal models have equal cards."""

from collections.abc import Callable

import pytest

from ferline.augment.policy import AugmentationPolicy
from ferline.datasets.sources import SOURCES
from ferline.errors import FerlineError
from ferline.evaluation.evaluate import Evaluation, evaluate
from ferline.models.trained import TrainedModel
from ferline.params import (
    ArchitectureParams,
    EvaluationParams,
    InputParams,
    OcclusionParams,
    RobustnessParams,
    TrainingParams,
)
from ferline.serving.exam import examine
from ferline.serving.model_card import HARMS, MISUSES, OF_FER, as_markdown, write
from ferline.training.loop import train

QUICK = EvaluationParams(resamples=200, robustness=RobustnessParams(14, 2), occlusion=OcclusionParams(0))


@pytest.fixture(scope="module")
def measured(faces_in, tmp_path_factory) -> tuple[TrainedModel, Evaluation]:
    """A cnn_lstm trained for an epoch on patterns, and its evaluation."""
    faces = faces_in(tmp_path_factory.mktemp("faces"))
    given = ArchitectureParams("cnn_lstm", InputParams(48, 1), TrainingParams(epochs=1, batch_size=35, device="cpu"))
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, 0)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    model = train("small", given, faces, policy, card=card)
    return model, evaluate(model, faces, params=QUICK)


@pytest.fixture
def exam_of(fer2013_csv) -> Callable[[TrainedModel], dict]:
    def ask(model: TrainedModel) -> dict:
        csv, votes = fer2013_csv()
        params = EvaluationParams(resamples=200)
        return examine(model, SOURCES["fer2013"], csv, "PrivateTest", votes, params=params).content

    return ask


def section(text: str, title: str) -> str:
    """From one heading to the next."""
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_number_is_the_evaluations_with_its_interval(measured):
    model, evaluation = measured
    text = as_markdown(model, evaluation)
    for split in ("validation", "test"):
        scores = evaluation.scores(split)
        low, high = scores["intervals"]["accuracy"]
        expected = f"| {split} | {scores['faces']} | {scores['accuracy']:.3f} ({low:.3f} to {high:.3f}) |"
        assert expected in section(text, "Results")
        for emotion, each in scores["per_class"].items():
            assert f"| {emotion} | {each['support']} | {each['precision']:.3f} |" in section(
                text, f"By emotion: {split}"
            )
        before, after = (scores["calibration"][when]["ece"] for when in ("before", "after"))
        row = next(line for line in section(text, "Confidence").splitlines() if line.startswith(f"| {split} |"))
        assert f"| {before:.3f} |" in row
        assert f"| {after:.3f} |" in row
    drop = evaluation.content["robustness"]["drop"]
    assert f"corrupted, it loses {drop:.3f}" in section(text, "When the picture is bad")
    assert "| `light`" not in text


def test_the_model_is_named_by_what_made_it(measured):
    model, evaluation = measured
    text = as_markdown(model, evaluation)
    assert text.startswith("# small\n")
    told = ("`patterns`, protocol `official`", "0 exact, 0 sequence, 0 subject")
    for known in (model.digest, model.card["data_digest"], *told):
        assert known in text
    assert "| `batch_size` | 35 |" in section(text, "Training")


def test_misuse_and_harms_are_in_every_card(measured, make_model):
    for text in (as_markdown(*measured), as_markdown(make_model())):
        assert all(line in section(text, "Use") for line in MISUSES)
        assert all(line in section(text, "Harms and limits") for line in HARMS)


def test_what_fer2013_does_to_a_model_is_said_of_those_that_met_it(measured, make_model, exam_of):
    assert OF_FER[0] not in as_markdown(*measured)
    assert OF_FER[0] in as_markdown(make_model(dataset={"name": "fer2013"}))
    model = make_model()
    assert OF_FER[0] in as_markdown(model, exams=[exam_of(model)])


def test_drawn_faces_are_said_to_be_drawn(make_model):
    drawn = as_markdown(make_model(dataset={"name": "synthetic"}))
    assert "Its faces are drawn: these numbers say nothing of real ones." in drawn


def test_what_finds_faces_in_photographs_is_said(make_model):
    for model, detector in ((make_model(), "haar"), (make_model(cropped=True), "yunet")):
        told = section(as_markdown(model), "Data and protocol")
        assert f"- In photographs, faces are found by `{detector}` unless told otherwise." in told


def test_what_was_not_measured_is_said(make_model):
    text = as_markdown(make_model())
    assert "Not measured. Nothing is known of what this model does." in section(text, "Results")
    assert "Not measured" in section(text, "When the picture is bad")
    assert "Not measured" in section(text, "For whom it works")


def test_groups_stand_with_their_scores_and_gap(measured, make_faces):
    model, _ = measured
    faces = make_faces(test=70)
    table = faces.table
    table["attributes"] = [f'{{"light": "{"day" if number // 7 % 2 else "night"}"}}' for number in range(len(table))]
    table.to_parquet(faces.folder / "faces.parquet", index=False)
    evaluation = evaluate(model, faces, params=QUICK)
    text = section(as_markdown(model, evaluation), "For whom it works")
    (found,) = evaluation.content["slices"]
    assert "| `light` | faces | accuracy | macro recall |" in text
    for group in found["groups"]:
        assert f"| {group['name']} | {group['faces']} | {group['accuracy']:.3f} (" in text


def test_exams_stand_beside_with_and_without_what_was_trained_on(make_model, exam_of):
    model = make_model()
    exam = exam_of(model)
    text = as_markdown(model, exams=[exam])
    scores = exam["questions"]["8_majority"]["scores"]
    assert "fer2013 PrivateTest, 8 classes, the majority of FER+'s votes | 133 | " in section(text, "Results")
    assert f"{scores['accuracy']:.3f} (" in section(text, "Results")
    assert "Measured on `exam.csv` (fer2013, PrivateTest, 140 images)" in text


def test_confidence_by_votes_stands_beside_people(two_heads, exam_of):
    exam = exam_of(two_heads)
    told = section(as_markdown(two_heads, exams=[exam]), "Confidence")
    assert "one of 0.500, fitted to what people said of all faces" in told
    assert "Of 133 faces (exam.csv, PrivateTest), on 0 of which no emotion has more than half of the votes" in told
    assert f"it is sure of {exam['people']['confidence']:.3f} by votes on average" in told
    assert f"as {exam['people']['agreed']:.3f} of the people say so too" in told


def test_equal_models_have_equal_cards(measured, tmp_path):
    model, evaluation = measured
    write(tmp_path / "a.md", model, evaluation)
    write(tmp_path / "b.md", TrainedModel(model.folder), Evaluation(evaluation.folder))
    assert (tmp_path / "a.md").read_bytes() == (tmp_path / "b.md").read_bytes()


def test_numbers_of_another_model_are_refused(measured, make_model, exam_of):
    model, evaluation = measured
    other = make_model()
    with pytest.raises(FerlineError, match="the numbers are of another model"):
        as_markdown(other, evaluation)
    with pytest.raises(FerlineError, match="the numbers are of another model"):
        as_markdown(model, evaluation, [exam_of(other)])
