"""From two batches to a finding: what is drawn, what is said, and that it is the same again."""

import numpy as np
import pytest
from drift_pictures import face, png

from ferline.drift.batches import find
from ferline.drift.compare import Drift, Settings, compare
from ferline.drift.judge import LEAST
from ferline.drift.unusual import unusual
from ferline.drift.words import as_text
from ferline.errors import FerlineError
from ferline.params import DatasetParams, FaceParams

MINE = DatasetParams("mine", emotions=("angry", "happy", "sad"))


def images(first: int, count: int, light: float = 1.0) -> list[bytes]:
    return [png(face(number, light)) for number in range(first, first + count)]


@pytest.fixture
def compared(tmp_path):
    def run(reference: str, new: str, model=None, **settings) -> Drift:
        sides = [find(where, tmp_path, MINE) for where in (reference, new)]
        return compare(sides[0], sides[1], model, FaceParams(), Settings(**settings))

    return run


def names(drift: Drift) -> list[str]:
    return [line.name for line in drift.found]


def test_more_of_the_same_is_no_drift(make_set, compared, make_model):
    make_set("mine", images(0, 80))
    make_set("more", images(100, 60))
    found = compared("mine", "more", make_model())
    assert names(found) == []
    assert found.verdict.people == (10, 10)
    assert found.notes == []
    assert as_text(found).startswith("more (60 images of 10 people) against mine (80 images of 10 people)\nsmall ")
    assert as_text(found).endswith("No drift")


def test_a_darker_batch_is_a_drift_with_and_without_a_model(make_set, compared, make_model):
    make_set("mine", images(0, 80))
    make_set("dark", images(100, 60, light=0.6))
    assert {"embedding", "brightness", "contrast"} <= set(names(compared("mine", "dark", make_model())))
    bare = compared("mine", "dark")
    assert {"brightness", "contrast"} <= set(names(bare))
    assert "predicted" not in {line.name for line in bare.verdict.lines}
    assert "DRIFT: " in as_text(bare)
    assert "no model; level 0.01 over" in as_text(bare)


def test_the_same_seed_gives_the_same_document_and_another_seed_another(make_set, make_folder, compared, make_model):
    make_set("mine", images(0, 80))
    folder = str(make_folder("new", images(90, 60)))
    first, again, other = (compared("mine", folder, make_model(), images=40, seed=seed).content() for seed in (1, 1, 2))
    assert first == again
    assert first["lines"] != other["lines"]
    assert (first["reference"]["images"], first["reference"]["there"]) == (40, 80)


def test_the_document_says_everything(make_set, compared, make_model):
    make_set("mine", images(0, 80))
    make_set("dark", images(100, 60, light=0.6))
    model = make_model()
    content = compared("mine", "dark", model, level=0.02).content()
    assert content["drift"] is True
    assert content["model"] == {"architecture": "small", "digest": model.digest}
    assert content["settings"] == {"images": 2000, "level": 0.02, "seed": 0, "cropped": None}
    assert content["people"] == [10, 10]
    line = next(each for each in content["lines"] if each["name"] == "brightness")
    assert (line["unit"], line["least"], line["verdict"]) == ("levels", 12.0, "drift")
    assert line["effect"] == pytest.approx(line["reference"] - line["new"], rel=0.1)
    assert line["p"] <= line["p_adjusted"] <= 0.02
    assert len(content["unusual"]) == 12
    distances = [row["distance"] for row in content["unusual"]]
    assert distances == sorted(distances, reverse=True)


def test_the_most_unusual_image_is_the_one_farthest_from_its_fifth_nearest():
    random = np.random.default_rng(0)
    reference, new = random.normal(size=(300, 3)) * [1, 100, 1], random.normal(size=(200, 3)) * [1, 100, 1]
    new[17] = [9, 0, 0]  # far by the first feature's own measure, though not by the second's
    found = unusual(reference, new)
    assert found.distance.argmax() == 17
    scaled = [(each - reference.mean(axis=0)) / reference.std(axis=0) for each in (reference, new)]
    own = np.sort(np.linalg.norm(scaled[0][:, None] - scaled[0], axis=2), axis=1)[:, 5]
    expected = np.sort(np.linalg.norm(scaled[1][:, None] - scaled[0], axis=2), axis=1)[:, 4] / np.median(own)
    assert found.distance == pytest.approx(expected)
    assert found.outside == pytest.approx(0.015, abs=0.015)
    assert unusual(reference, reference + 5 * np.eye(3)[0]).outside > 0.9


def test_what_the_model_was_trained_on_is_drawn_last_and_not_held_against_its_answers(make_set, compared, make_model):
    raw = make_set("mine", images(0, 80))
    make_set("more", images(100, 40))
    model = make_model(seen=raw.table["sha256"][:50].tolist())
    only = compared("mine", "more", model, images=30)
    assert only.fair.all()
    assert only.notes == []
    some = compared("mine", "more", model, images=60)
    assert some.fair.sum() == 30
    assert some.notes[0].startswith("the model was trained or chosen on 30 of 60 images of mine: its answers are")


def test_where_the_model_knows_all_of_the_reference_its_answers_are_not_compared(make_set, compared, make_model):
    raw = make_set("mine", images(0, 80))
    make_set("more", images(100, 40))
    found = compared("mine", "more", make_model(seen=raw.table["sha256"].tolist()))
    assert not {"predicted", "confidence"} & {line.name for line in found.verdict.lines}
    assert found.reference.features.shape[1] == 63  # the audit's descriptor
    assert "its answers are not compared, and the embedding is that of --no-model" in found.notes[0]


def test_the_very_same_files_on_both_sides_are_counted(make_set, make_folder, compared):
    make_set("mine", images(0, 80))
    found = compared("mine", str(make_folder("new", images(70, 40))), images=30)
    copies = int(found.notes[1].split()[0])
    assert 1 <= copies <= 10
    assert found.notes[1].endswith("new are in mine too, the very same files")
    both = compared("mine", "mine")
    assert both.notes == ["80 of 80 images of mine are in mine too, the very same files"]
    assert names(both) == []


def test_new_images_that_the_model_was_trained_on_are_counted(make_set, compared, make_model):
    make_set("mine", images(0, 40))
    new = make_set("more", images(100, 40))
    found = compared("mine", "more", make_model(seen=new.table["sha256"][:1].tolist()))
    assert found.notes == ["the model was trained or chosen on 1 image of more"]


def test_a_folder_is_taken_as_the_other_side_unless_it_is_said(make_set, make_folder, compared):
    make_set("faces", images(0, 30))
    make_set("photos", images(200, 30), cropped=False)
    folder = str(make_folder("new", images(100, 30)))

    def looked(found: Drift) -> bool:
        return bool(found.new.table["found"].notna().all())

    assert not looked(compared("faces", folder))
    assert looked(compared("photos", folder))
    said = compared("faces", folder, cropped=False)
    assert looked(said)
    assert said.notes[0] == f"the images of {folder} are taken to be photographs (--cropped if not)"
    assert said.notes[1].startswith(f"faces are looked for in {folder} alone")
    assert "found" not in {line.name for line in said.verdict.lines}


def test_unreadable_images_are_counted_and_the_rest_is_compared(make_set, make_folder, compared):
    make_set("mine", images(0, 40))
    folder = str(make_folder("new", [*images(100, 30), b"text", images(0, 1)[0][:50]]))
    found = compared("mine", folder)
    assert len(found.new.table) == 30
    assert len(found.content()["new"]["unreadable"]) == 2
    assert f"2 images of {folder} left out, unreadable: p0/030.png: not an image" in found.notes[-1]


@pytest.mark.parametrize(("good", "bad", "more"), [(19, 0, ""), (19, 5, ", 5 more cannot be read")])
def test_fewer_than_twenty_images_are_refused(make_set, make_folder, compared, good, bad, more):
    make_set("mine", images(0, 40))
    folder = str(make_folder("few", images(100, good) + [b"text"] * bad))
    for sides in (("mine", folder), (folder, "mine")):
        with pytest.raises(FerlineError, match=f"few: {good} images{more}; at least {LEAST} a side are needed"):
            compared(*sides)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"images": 19}, "--images: 19 is not allowed; write 20 or more"),
        ({"level": 0.0}, "--level: 0.0 is not allowed; write a probability from 0.001 to 0.2"),
        ({"seed": -1}, "--seed: -1 is not allowed; write 0 or more"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, said):
    with pytest.raises(FerlineError, match=said):
        Settings(**settings)
