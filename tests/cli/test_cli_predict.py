"""`ferline predict`, `evaluate` and `export` of a model, as a user types them."""

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from data_commands import BIN, HERE

from ferline.cli import main
from ferline.datasets.synthetic import scene
from ferline.emotions import EMOTIONS, KNOWN
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import FaceParams, InputParams

NAMES = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def ferline(*arguments: object) -> Result:
    """In this process; an error that is not told as one message is raised here."""
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of random weights."""
    torch.manual_seed(0)
    network = create("cnn_lstm", InputParams(48, 1), "none", {"width": 4, "lstm_units": 8})
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    card = {"architecture": "small", "preprocessing": asdict(FaceParams(side=48)), "data_digest": "d" * 64, "seed": 0}
    card |= {"augmentation_digest": "a" * 64, "training": {}, "best_epoch": 1}
    return TrainedModel.write(network, card, [], tmp_path_factory.mktemp("models") / "small").folder


@pytest.fixture(scope="module")
def two_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that tells labels and votes."""
    torch.manual_seed(0)
    network = create("ferline_net", InputParams(48, 1), "none", {"width": 8, "blocks": "1", "votes_head": True})
    card = {"architecture": "ours", "preprocessing": asdict(FaceParams(side=48, colour="grey")), "seed": 0}
    card |= {"data_digest": "d" * 64, "augmentation_digest": "a" * 64, "training": {}, "best_epoch": 1}
    card |= {"temperature": 1.5, "votes_temperature": 0.5}
    return TrainedModel.write(network, card, [], tmp_path_factory.mktemp("models") / "ours").folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two photographs, in which commands run."""
    for person in range(2):
        path = tmp_path / "photos" / f"{person}.jpg"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), scene(7, person, "happy", 0)[..., ::-1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path / ".ferline" / "scratch"))
    return tmp_path


def film(name: str, frames: int) -> None:
    """A video of nothing."""
    writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 160))
    for _ in range(frames):
        writer.write(np.full((160, 160, 3), 90, np.uint8))
    writer.release()


@pytest.fixture
def exam(here: Path) -> Path:
    """A CSV with PrivateTest's rows alone, and votes for them beside it."""
    random = np.random.default_rng(0)
    rows, votes = ["emotion,pixels,Usage"], [f"Usage,Image name,{NAMES}"]
    columns = dict(
        zip(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), (4, 5, 6, 1, 3, 2, 0), strict=True)
    )
    for number in range(70):
        pixels = cv2.resize(random.integers(0, 256, (6, 6), dtype=np.uint8), (48, 48)).ravel()
        rows.append(f"{number % 7},{' '.join(map(str, pixels))},PrivateTest")
        given = ["0"] * 10
        given[columns[EMOTIONS[number % 7]]] = "10"
        votes.append(f"PrivateTest,fer{number:07}.png,{','.join(given)}")
    (here / "votes.csv").write_text("\n".join(votes) + "\n")
    (here / "exam.csv").write_text("\n".join(rows) + "\n")
    return here / "exam.csv"


def test_a_folder_of_photos_as_json_csv_and_pictures(here, model):
    done = ferline(
        "predict",
        "photos",
        "--model",
        model,
        "--json",
        "a.json",
        "--csv",
        "a.csv",
        "--annotate",
        "drawn",
        "--threshold",
        0,
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 faces in 2 pictures of 2 files; drawn into drawn" in done.stderr
    found = json.loads((here / "a.json").read_text())
    with (here / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [face["file"] for face in found["faces"]] == ["photos/0.jpg", "photos/1.jpg"]
    assert found["model"]["digest"] == TrainedModel(model).digest
    for face, row in zip(found["faces"], rows, strict=True):
        assert [int(row[key]) for key in ("x", "y", "width", "height")] == face["box"]
        assert row["emotion"] == face["emotion"] == max(face["shares"], key=face["shares"].get)
        assert {emotion: float(row[emotion]) for emotion in EMOTIONS} == pytest.approx(face["shares"])
    assert sorted(path.name for path in (here / "drawn").iterdir()) == ["0.jpg", "1.jpg"]


def test_without_a_file_to_write_a_line_a_face(here, model):
    done = ferline("predict", "photos/0.jpg", "--model", model, "--threshold", 1)
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("photos/0.jpg: unsure ")


def test_a_bad_file_is_one_line_and_status_1_and_the_others_are_done(here, model):
    (here / "photos" / "bad.jpg").write_text("hello")
    done = ferline("predict", "photos", "gone.png", "--model", model, "--json", "a.json")
    assert done.exit_code == 1
    assert "photos/bad.jpg: not an image: the bytes begin with b'hello'" in done.stderr
    assert "gone.png: not there\n" in done.stderr
    found = json.loads((here / "a.json").read_text())
    assert len(found["faces"]) == 2
    assert [each["file"] for each in found["files"] if each["wrong"]] == ["photos/bad.jpg", "gone.png"]


def test_nothing_that_was_asked_about_is_written_over(here, model):
    before = {path: path.read_bytes() for path in (here / "photos").iterdir()}
    for paths, folder in (("photos",), "photos"), (("photos/0.jpg", "photos/1.jpg"), "photos"):
        refused = ferline("predict", *paths, "--model", model, "--annotate", folder)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "--annotate: photos/0.jpg is one of the files asked about, and would be drawn over" in refused.stderr
    refused = ferline("predict", "photos", "--model", model, "--json", "photos/1.jpg")
    assert "photos/1.jpg: is one of the files asked about, and would be written over" in refused.stderr
    assert {path: path.read_bytes() for path in (here / "photos").iterdir()} == before


def test_what_was_drawn_within_a_folder_is_not_asked_about_the_next_time(here, model):
    film("photos/film.avi", 2)
    for _ in range(2):
        done = ferline("predict", "photos", "--model", model, "--annotate", "photos/drawn")
        assert done.exit_code == 0, done.stderr
        assert "in 4 pictures of 3 files" in done.stderr
    drawn = {str(path.relative_to(here / "photos" / "drawn")) for path in (here / "photos" / "drawn").rglob("*.*")}
    assert drawn == {"0.jpg", "1.jpg", "film.avi", "film.avi/frame-000000.jpg", "film.avi/frame-000001.jpg"}
    done = ferline("predict", "photos", "--model", model)  # and a folder that is called as a video is none
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_where_nothing_can_be_written_nothing_is_begun(here, model, option):
    done = ferline("predict", "photos", "--model", model, option, "no/a.out", "--annotate", "drawn")
    assert done.exit_code == 1
    assert "Error: no/a.out: could not be written (no is not there)" in done.stderr
    assert not (here / "drawn").exists()


@pytest.mark.parametrize("option", ["--threshold", "--smallest"])
def test_no_number_is_no_share(here, model, option):
    assert ferline("predict", "photos", "--model", model, option, "nan").exit_code == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(here, model, exam):
    given = ("evaluate", model, "--data", "fer2013", "--source", exam), ("predict", "photos", "--model", model)
    for command in given:
        assert "--device: 'cuda' was asked for and torch finds none" in ferline(*command, "--device", "cuda").stderr


def test_a_folder_that_is_called_as_a_model_of_ours_is_asked_for_by_its_path(here, model):
    (here / "ferline_small").mkdir()
    assert ferline("predict", "photos", "--model", "ferline_small").exit_code == 0
    shutil.copytree(model, here / "ferline_small", dirs_exist_ok=True)
    done = ferline("predict", "photos", "--model", "./ferline_small", "--json", "-")
    assert json.loads(done.stdout)["model"]["architecture"] == "small"


def test_a_name_that_is_too_long_is_a_line(here, model):
    done = ferline("predict", "a" * 300 + ".jpg", "photos", "--model", model)
    assert done.exit_code == 1
    assert ".jpg: cannot be read (File name too long)\n" in done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_a_damaged_video_prints_nothing_of_ffmpegs_own(here, model):
    film("film.avi", 20)
    (here / "film.avi").write_bytes((here / "film.avi").read_bytes()[:-6000])
    (here / "none.mp4").write_bytes(b"no film")
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_FFMPEG_LOGLEVEL"}
    done = subprocess.run(
        [BIN / "ferline", "predict", "film.avi", "none.mp4", "--model", model],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(lines) == 3, done.stderr
    assert lines[0].startswith("film.avi: damaged: ")
    assert lines[1].startswith("none.mp4: no video that can be read")


@pytest.mark.parametrize("arguments", [("predict", "photos", "--model"), ("evaluate",), ("export",)])
def test_a_model_that_is_not_there_is_said(here, arguments):
    rest = {"evaluate": ("--data", "fer2013", "--source", "x.csv"), "export": ("--onnx", "x.onnx")}
    done = ferline(*arguments, "nowhere", *rest.get(arguments[0], ()))
    assert done.exit_code == 1
    assert "'nowhere' is no folder, none of the models that come with Ferline (" in done.stderr
    assert "and no address such as models:/" in done.stderr


def test_a_model_with_a_flipped_bit_is_refused(here, model):
    shutil.copytree(model, here / "torn")
    weights = here / "torn" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    done = ferline("predict", "photos", "--model", "torn")
    assert done.exit_code == 1
    assert "model.safetensors" in done.stderr


@pytest.fixture
def mlflow_store(here: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    shutil.copy(empty_store, here / "mlflow.db")
    shutil.copy(HERE / "params.yaml", here)
    uri = f"sqlite:///{here / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri("")


def test_the_champion_predicts_where_it_is_asked_for(here, model, mlflow_store):
    from ferline.tracking import registry, store
    from ferline.tracking.logged_model import log_model

    done = ferline("predict", "photos", "--model", "champion")
    assert done.exit_code == 1
    assert "there is no champion of the name 'ferline' yet" in done.stderr
    run = store.client().create_run(store.experiment_id())
    trained = TrainedModel(model)
    log_model(run.info.run_id, trained)
    registered = registry.register("ferline", trained, {})
    store.client().set_registered_model_alias("ferline", "champion", registered.version)
    assert ferline("predict", "photos", "--model", "champion", "--json", "a.json").exit_code == 0
    assert json.loads((here / "a.json").read_text())["model"]["digest"] == trained.digest


def test_a_model_of_two_heads_tells_votes_unless_labels_are_asked_for(here, two_heads):
    def told(*by: str) -> tuple[str, list[str]]:
        done = ferline("predict", "photos", "--model", two_heads, "--json", "-", *by)
        content = json.loads(done.stdout)
        return content["model"]["head"], list(content["faces"][0]["shares"])

    assert told() == told("--by", "votes") == ("votes", list(KNOWN))
    assert told("--by", "label") == ("label", list(EMOTIONS))


def test_votes_of_a_model_that_tells_none_are_refused(here, model):
    done = ferline("predict", "photos", "--model", model, "--by", "votes")
    assert done.exit_code == 1
    assert "this model has no head for votes" in done.stderr


def test_an_exam_is_printed_and_written(here, model, exam):
    done = ferline("evaluate", model, "--data", "fer2013", "--source", exam, "--votes", "votes.csv", "--resamples", 200)
    assert done.exit_code == 0
    (written,) = (here / ".ferline" / "exams").glob("small-exam-test-*/exam.json")
    content = json.loads(written.read_text())
    assert list(content["questions"]) == ["7_own", "8_majority"]
    for question in content["questions"].values():
        assert question["scores"]["faces"] == 70
        assert f"{question['scores']['accuracy']:.4f}  (" in done.stdout
    assert f"exams/{written.parent.name}" in done.stdout
    for more, exams in (
        (("--resamples", 200), 2),
        (("--tta", "ten", "--votes", "votes.csv"), 3),
        (("--resamples", 200), 3),
    ):
        ferline("evaluate", model, "--data", "fer2013", "--source", exam, "--resamples", 200, *more)
        assert len(list(written.parent.parent.iterdir())) == exams, "only the same exam again replaces one"


def test_an_exam_as_json_into_a_folder_of_ones_own(here, model, exam):
    given = ("evaluate", model, "--data", "fer2013", "--source", exam, "--resamples", 200, "--json", "--out", "mine")
    for _ in range(2):  # an older exam is replaced
        done = ferline(*given, "--tta")
        assert json.loads(done.stdout) == json.loads((here / "mine" / "exam.json").read_text())
        assert json.loads(done.stdout)["model"]["views"] == 2
    (here / "photos" / "precious.txt").write_text("mine")
    refused = ferline(*given[:-1], "photos")
    assert refused.exit_code == 1
    assert "--out: photos is there and holds no exam.json" in refused.stderr
    assert (here / "photos" / "precious.txt").exists()
    (here / "mine" / "notes.txt").write_text("mine")
    assert "--out: mine holds more than an exam (notes.txt), which would be lost" in ferline(*given).stderr
    assert "--out: . is this folder" in ferline(*given[:-1], ".").stderr
    assert (here / "mine" / "notes.txt").exists()


def test_a_reader_that_is_not_known_is_said_with_those_that_are(here, model, exam):
    done = ferline("evaluate", model, "--data", "fer13", "--source", exam)
    assert done.exit_code == 1
    assert "--data: 'fer13' is no reader; write one of affectnet, ckplus" in done.stderr


def test_an_exam_on_a_folder_with_its_readers_own_options(here, model):
    """Five people, two emotions, one of them under a name of the user's own; people are drawn whole."""
    for person in range(5):
        for name, emotion in (("happy", "happy"), ("furious", "angry")):
            file = here / "mine" / name / f"P{person}_0.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), cv2.resize(scene(7, person, emotion, 0), (96, 96))[..., ::-1])
    asked = ("evaluate", model, "--subject", r"(P\d+)_", "--map", "furious=angry", "--cropped", "--data", "folder")
    done = ferline(*asked, "--source", "mine", "--split", "all", "--resamples", 200, "--json")
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert content["bootstrap"]["by"] == "subject"
    assert (content["data"]["images"], content["data"]["cropped"], content["data"]["no_face"]) == (10, True, 0)
    assert content["data"]["options"] == {"cropped": "True", "map": "furious=angry", "subject": r"(P\d+)_"}
    confusion = content["questions"]["7_own"]["scores"]["confusion"]
    assert [sum(row) for row in confusion] == [5 * (emotion in ("angry", "happy")) for emotion in EMOTIONS]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("small", "--subjct", "x"),
            "No such option '--subjct'. Did you mean '--subject'? See --help, and `ferline data add folder --help`",
        ),
        (("small", "--resample", "300"), "No such option '--resample'. See"),
        (("small", "other"), "Got unexpected extra argument (other)"),
        (("--subject", "x", "small"), "--subject: write MODEL first, and what is meant for the reader behind it"),
    ],
)
def test_words_that_neither_the_exam_nor_the_reader_knows(here, model, words, told):
    done = ferline(
        "evaluate", *(model if each == "small" else each for each in words), "--data", "folder", "--source", "."
    )
    assert done.exit_code == 1
    assert told in " ".join(done.stderr.split())


def test_a_card_with_an_exam_in_it(here, model, exam):
    ferline("evaluate", model, "--data", "fer2013", "--source", exam, "--resamples", 200, "--out", "mine")
    done = ferline("export", model, "--card", "CARD.md", "--exam", "mine")
    assert (done.exit_code, done.stdout) == (0, "CARD.md\n")
    assert "| fer2013 PrivateTest, 7 classes, the set's own labels | 70 |" in (here / "CARD.md").read_text()


def test_a_model_as_onnx_in_8_bits_measured_on_a_folder_of_photographs(here, two_heads):
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name)
    few = ferline("export", two_heads, "--onnx", "small.onnx", "--int8", "photos")
    assert "2 faces are too few to measure on" in few.stderr
    assert not (here / "small.onnx").exists()
    for person in range(32):
        cv2.imwrite(str(here / "photos" / f"{person}.jpg"), scene(7, person, "happy", 0)[..., ::-1])
    (here / "photos" / "cut.jpg").write_bytes((here / "photos" / "0.jpg").read_bytes()[:900])
    done = ferline("export", two_heads, "--onnx", "small.onnx", "--int8", "photos")
    assert done.exit_code == 0, done.stderr
    assert "8 bits; tells " in done.stdout
    alone = ferline("export", two_heads, "--card", "c.md", "--int8", "photos")
    assert "--int8 is a form of the file that --onnx writes" in alone.stderr


def test_a_model_as_onnx(here, model):
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name)
    done = ferline("export", model, "--onnx", "small.onnx")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("small.onnx: 0.")
    assert (here / "small.onnx").stat().st_size > 10_000
