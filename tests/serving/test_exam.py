"""A model's exam on a downloaded set: the rows that count, the classes asked for, the numbers."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from ferline.datasets.sources import SOURCES
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.evaluation.corruptions import corrupted as corrupt
from ferline.evaluation.predictions import probability_columns
from ferline.faces.look import looks
from ferline.images.decode import decode
from ferline.models.trained import TrainedModel
from ferline.params import EvaluationParams, RobustnessParams
from ferline.serving import views
from ferline.serving.exam import Exam, examine
from ferline.serving.exam_text import as_text

FER2013 = SOURCES["fer2013"]


def asked(
    model: TrainedModel, path: Path, split: str = "PrivateTest", reader: str = "fer2013", corrupted: int = 0, **more
) -> Exam:
    params = EvaluationParams(resamples=200, robustness=RobustnessParams(corrupted))
    return examine(model, SOURCES[reader], path, split, params=params, **more)


@pytest.fixture
def faces_of() -> Callable[[Path], tuple[np.ndarray, np.ndarray, list[str]]]:
    """What is in a CSV: faces as the network takes them, class indices, checksums."""

    def read(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
        rows = list(FER2013.read(path).rows)
        grey = [cv2.cvtColor(decode(row["image"]), cv2.COLOR_RGB2GRAY)[:, :, None] for row in rows]
        digests = [hashlib.sha256(row["image"]).hexdigest() for row in rows]
        return np.stack(grey), np.array([EMOTIONS.index(row["label"]) for row in rows]), digests

    return read


def test_a_csv_with_the_one_split_is_scored_as_the_model_answers(make_model, fer2013_csv, faces_of):
    csv, _ = fer2013_csv("PrivateTest")
    model = make_model()
    exam = asked(model, csv)
    images, labels, _ = faces_of(csv)
    shares = model.predict(images)
    table, scores = exam.predictions, exam.content["questions"]["7_own"]["scores"]
    assert np.allclose(table[probability_columns(EMOTIONS)], shares)
    assert scores["accuracy"] == pytest.approx(accuracy_score(labels, shares.argmax(1)))
    assert scores["macro_f1"] == pytest.approx(f1_score(labels, shares.argmax(1), average="macro"))
    assert scores["intervals"]["accuracy"][0] < scores["accuracy"] < scores["intervals"]["accuracy"][1]
    assert list(exam.content["questions"]) == ["7_own"]
    assert exam.content["data"]["split"] == "test"
    assert exam.content["data"]["sha256"] == hashlib.sha256(csv.read_bytes()).hexdigest()


def test_of_several_splits_only_the_one_asked_for_counts(make_model, fer2013_csv):
    csv, _ = fer2013_csv("PublicTest", 30)
    more = [line.replace("PublicTest", "Training") for line in csv.read_text().splitlines()[1:]]
    csv.write_text(csv.read_text() + "\n".join(more) + "\n")
    model = make_model()
    exam = asked(model, csv, "PublicTest").content
    assert exam["data"]["images"] == 30
    assert "split validation (PublicTest), 30 images" in as_text(exam)
    assert asked(model, csv, "validation").content["data"]["images"] == 30
    assert asked(model, csv, "all").content["data"]["images"] == 60
    with pytest.raises(FerlineError, match=r"no image of the split 'test'; it has 30 train, 30 validation"):
        asked(model, csv)


def test_a_set_without_splits_is_asked_for_as_a_whole(make_model, tmp_path, photo, put):
    for number in range(2):
        put(f"in/happy/{number}.png", photo(number))
    with pytest.raises(FerlineError, match=r"it has 2 of no split\. Write --split all$"):
        asked(make_model(), tmp_path / "in", reader="folder")
    assert asked(make_model(), tmp_path / "in", "all", reader="folder").content["data"]["images"] == 2


def test_votes_ask_the_same_faces_for_eight_classes(make_model, fer2013_csv):
    csv, votes = fer2013_csv()
    questions = asked(make_model(KNOWN), csv, votes=votes).content["questions"]
    seven, eight = questions["7_own"], questions["8_majority"]
    assert seven["scores"]["faces"] == 140  # what FER+ calls no face is FER2013's all the same
    assert eight["scores"]["faces"] == 133
    assert eight["left_out"] == {"no face": 7}
    assert eight["scores"]["per_class"]["contempt"]["support"] == 7
    assert (seven["set_aside"], seven["never_told"], eight["never_told"]) == (["contempt"], [], [])


def test_a_model_of_eight_classes_shares_contempt_out_among_seven(make_model, fer2013_csv, faces_of):
    csv, _ = fer2013_csv()
    model = make_model(KNOWN)
    shares = model.predict(faces_of(csv)[0])[:, :7]
    expected = shares / shares.sum(axis=1, keepdims=True)
    assert np.allclose(asked(model, csv).predictions[probability_columns(EMOTIONS)], expected)


def test_a_model_of_seven_classes_misses_all_contempt(make_model, fer2013_csv):
    csv, votes = fer2013_csv()
    eight = asked(make_model(), csv, votes=votes).content["questions"]["8_majority"]
    assert eight["never_told"] == ["contempt"]
    assert eight["scores"]["per_class"]["contempt"]["recall"] == 0
    assert eight["scores"]["confusion"][7][7] == 0
    assert np.isfinite(eight["scores"]["log_loss"])


def test_images_that_the_model_was_trained_on_are_counted_and_left_out_beside(make_model, fer2013_csv, faces_of):
    csv, _ = fer2013_csv()
    images, labels, digests = faces_of(csv)
    model = make_model(seen=tuple(digests[:40]))
    seven = asked(model, csv).content["questions"]["7_own"]
    right = model.predict(images).argmax(1) == labels
    assert (seven["seen"], seven["scores"]["faces"], seven["unseen"]["faces"]) == (40, 140, 100)
    assert seven["unseen"]["accuracy"] == pytest.approx(right[40:].mean())
    all_seen = asked(make_model(seen=tuple(digests)), csv).content
    assert all_seen["questions"]["7_own"]["unseen"] is None
    assert "this is no test" in as_text(all_seen)


def test_faces_that_were_trained_on_in_another_file_are_known_by_their_looks(make_model, fer2013_csv, faces_of):
    """Trained on as JPEG, asked about from the CSV; one of them is there byte for byte, too."""
    csv, _ = fer2013_csv()
    images, _, digests = faces_of(csv)
    saved = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1] for image in images[:40]]
    looked = looks(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) for data in saved)
    exam = asked(make_model(seen=(digests[0],), looked=looked), csv).content
    seven = exam["questions"]["7_own"]
    assert (seven["seen"], seven["seen_alike"], seven["unseen"]["faces"]) == (40, 39, 100)
    told = "40 of these images were trained or chosen on, 39 by their looks (another file of the photograph); without"
    assert told in as_text(exam)
    assert "none of these images was trained or chosen on" in as_text(asked(make_model(), csv).content)


def test_mirrored_views_are_averaged_before_calibration(make_model, fer2013_csv, faces_of):
    csv, _ = fer2013_csv()
    model = make_model(temperature=2.0)
    images = faces_of(csv)[0]
    logits = (model.logits(images) + model.logits(np.ascontiguousarray(images[:, :, ::-1]))) / 2
    weights = np.exp(logits / 2)
    exam = asked(model, csv, how="mirror")
    assert np.allclose(
        exam.predictions[probability_columns(EMOTIONS)], weights / weights.sum(axis=1, keepdims=True), atol=1e-6
    )
    assert exam.content["model"]["views"] == 2


def test_ten_views_are_five_places_and_their_mirror_images():
    face = np.arange(48 * 48, dtype=np.uint32).astype(np.uint8).reshape(1, 48, 48, 1)
    found = [view[0, :, :, 0] for view in views.of(face, "ten")]
    assert len(found) == views.COUNT["ten"] == 10
    assert np.array_equal(found[0], face[0, :, :, 0])
    assert np.array_equal(found[2][:46, :46], face[0, 2:, 2:, 0])
    assert np.array_equal(found[8][2:, 2:], face[0, :46, :46, 0])
    for plain, mirrored in zip(found[::2], found[1::2], strict=True):
        assert np.array_equal(plain[:, ::-1], mirrored)


def test_photographs_are_searched_for_faces_and_none_is_left_out(make_model, tmp_path, photo):
    """Of a folder of photographs: faces are cut as in training, and one without a face is told all the same."""
    for number, emotion in enumerate(("happy", "sad", "angry")):
        (tmp_path / "set" / emotion).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / emotion / "a.png"), photo(number, emotion)[..., ::-1])
    cv2.imwrite(str(tmp_path / "set" / "sad" / "blank.png"), np.full((80, 80, 3), 90, np.uint8))
    content = asked(make_model(), tmp_path / "set", "all", "folder").content
    assert (content["data"]["images"], content["data"]["no_face"]) == (4, 1)
    assert content["questions"]["7_own"]["scores"]["absent"] == ["disgust", "fear", "surprise", "neutral"]


def test_an_image_that_cannot_be_read_stops_the_exam(make_model, tmp_path, photo):
    (tmp_path / "set" / "happy").mkdir(parents=True)
    encoded = cv2.imencode(".jpg", photo(1))[1].tobytes()
    (tmp_path / "set" / "happy" / "a.jpg").write_bytes(encoded[: len(encoded) // 2])
    with pytest.raises(FerlineError, match=r"happy/a.jpg: truncated: .* Mend it: every image of a split counts"):
        asked(make_model(), tmp_path / "set", "all", "folder")


def test_confidence_is_held_against_all_people_also_where_they_disagree(two_heads, fer2013_csv, faces_of):
    """Of 140 faces seven show none to FER+; to ten of the others half of the voters say another emotion each."""
    csv, votes = fer2013_csv()
    lines = votes.read_text().splitlines()
    for number in range(1, 11):
        usage, name, *_ = lines[number].split(",")
        lines[number] = ",".join([usage, name, "5", "5", *["0"] * 8])
    votes.write_text("\n".join(lines) + "\n")
    exam = asked(two_heads, csv, votes=votes)
    people = exam.content["people"]
    assert (people["faces"], people["without_majority"]) == (133, 10)
    assert exam.content["questions"]["8_majority"]["scores"]["faces"] == 123
    assert "Votes: 133 faces, on 10 of which no emotion has more than half" in as_text(exam.content)
    told = two_heads.voted().predict(faces_of(csv)[0])
    shown = np.array([number % 20 != 15 for number in range(140)])
    assert people["confidence"] == pytest.approx(told.max(axis=1)[shown].mean())


def test_without_votes_or_their_head_nothing_is_said_of_people(two_heads, make_model, fer2013_csv):
    csv, votes = fer2013_csv()
    assert asked(two_heads, csv).content["people"] is None
    assert asked(make_model(KNOWN), csv, votes=votes).content["people"] is None


def test_votes_of_other_rows_are_refused(make_model, fer2013_csv):
    csv, votes = fer2013_csv()
    lines = votes.read_text().splitlines()
    votes.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(FerlineError, match=r"not the votes for these images") as refusal:
        asked(make_model(), csv, votes=votes)
    assert "Nothing was added" not in str(refusal.value)


def test_of_the_votes_only_those_of_the_split_are_needed(make_model, fer2013_csv):
    """The CSV has Training's rows too, the votes have none for them."""
    csv, votes = fer2013_csv()
    alone = asked(make_model(), csv, votes=votes)
    head, *rows = csv.read_text().splitlines()
    others = [row.replace("PrivateTest", "Training") for row in rows[:20]]
    csv.write_text("\n".join([head, *others, *rows]) + "\n")
    assert asked(make_model(), csv, votes=votes).content["questions"] == alone.content["questions"]


def test_the_reader_of_votes_takes_the_file_that_is_named(make_model, fer2013_csv):
    csv, votes = fer2013_csv()
    votes = votes.rename(votes.with_name("elsewhere.csv"))
    exam = asked(make_model(), csv, reader="ferplus", votes=votes)
    assert "8_majority" in exam.content["questions"]
    assert exam.content["data"]["votes"]["file"] == "elsewhere.csv"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "PrivatTest"}, r"--split: 'PrivatTest' is no split; write all, or one of train"),
        ({"votes": Path("nowhere.csv")}, r"nowhere.csv: not there"),
        ({"reader": "folder", "votes": Path("nowhere.csv")}, r"Write --data fer2013 and the CSV"),
    ],
)
def test_what_cannot_be_asked_is_said(make_model, fer2013_csv, tmp_path, photo, changes, message):
    csv, _ = fer2013_csv(count=14)
    if changes.get("reader") == "folder":
        (tmp_path / "set" / "happy").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / "happy" / "a.png"), photo(1))
        csv, changes = tmp_path / "set", {"split": "all", **changes}
    with pytest.raises(FerlineError, match=message):
        asked(make_model(), csv, **changes)


def test_the_text_says_every_number_with_its_interval(make_model, fer2013_csv):
    csv, votes = fer2013_csv()
    exam = asked(make_model(), csv, votes=votes)
    text = as_text(exam.content)
    scores = exam.content["questions"]["8_majority"]["scores"]
    low, high = scores["intervals"]["accuracy"]
    assert f"{scores['accuracy']:.4f}  ({low:.4f} to {high:.4f})" in text
    assert "the model never says contempt: all such faces count as mistakes" in text
    assert "none of these images was trained or chosen on, as a file or by its looks" in text
    assert "7 no face" in text


def test_a_model_of_two_heads_answers_each_question_by_the_head_that_learnt_it(two_heads, fer2013_csv, faces_of):
    csv, votes = fer2013_csv()
    exam = asked(two_heads, csv, votes=votes)
    seven, eight = (exam.content["questions"][key] for key in ("7_own", "8_majority"))
    assert (seven["head"], eight["head"]) == ("label", "votes")
    assert (eight["never_told"], eight["set_aside"]) == ([], [])
    images, _, _ = faces_of(csv)
    told = dict(list(exam.predictions.groupby("question")))
    assert np.allclose(told["7_own"][probability_columns(EMOTIONS)], two_heads.predict(images))
    judged = images[np.arange(len(images)) % 20 != 15]  # the others are no face to FER+
    assert np.allclose(told["8_majority"][probability_columns(KNOWN)], two_heads.voted().predict(judged))


def test_corrupted_faces_are_asked_about_by_each_questions_own_head(two_heads, fer2013_csv, faces_of):
    csv, votes = fer2013_csv()
    exam = asked(two_heads, csv, votes=votes, corrupted=1000)
    seven, eight = (exam.content["questions"][key] for key in ("7_own", "8_majority"))
    images, labels, _ = faces_of(csv)
    assert seven["robustness"]["faces"] == len(images)
    assert eight["robustness"]["faces"] == eight["scores"]["faces"] < len(images)
    assert seven["robustness"]["accuracy"] == pytest.approx(seven["scores"]["accuracy"])
    assert eight["robustness"]["accuracy"] == pytest.approx(eight["scores"]["accuracy"])
    found = seven["robustness"]["corruptions"]["blur"][-1]  # which draws nothing
    worst = corrupt(images, "blur", found["strength"], 0, np.arange(len(images)))
    assert found["accuracy"] == pytest.approx((two_heads.predict(worst).argmax(1) == labels).mean())
    assert "lose" in as_text(exam.content)
    assert asked(two_heads, csv).content["questions"]["7_own"]["robustness"] is None
