"""The synthetic faces: the same everywhere, nobody in two splits, faces to a detector, emotions to a classifier."""

import hashlib
import subprocess
import sys
from itertools import combinations

import cv2
import numpy as np
import pyarrow as pa
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from ferline.datasets.samples import SHARD_SCHEMA, SPLITS
from ferline.datasets.synthetic import contact_sheet, faces, scene, scene_with_box, split_of
from ferline.datasets.synthetic.expression import PROTOTYPES, UNITS, ActionUnits, perform
from ferline.datasets.synthetic.identity import identity_of
from ferline.datasets.synthetic.landmarks import Landmarks
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return list(faces(identities=7, takes=1, seed=3))


@pytest.fixture(scope="module")
def photographs() -> list[tuple[np.ndarray, tuple[int, int, int, int]]]:
    """140 scenes: 20 people, each showing all seven emotions once."""
    return [scene_with_box(7, who, emotion, 0) for who in range(20) for emotion in EMOTIONS]


def levels(actions: ActionUnits) -> np.ndarray:
    return np.array([getattr(actions, name) for name in UNITS])


def test_the_rows_are_those_of_a_shard(rows: list[dict]) -> None:
    table = pa.Table.from_pylist(rows, schema=SHARD_SCHEMA)
    assert table.num_rows == 7 * 7
    assert set(rows[0]) == set(SHARD_SCHEMA.names) - {"attributes"}
    assert len(set(table["id"].to_pylist())) == len(set(table["sha256"].to_pylist())) == 49
    assert rows[3] | {"image": b"", "sha256": ""} == {
        "id": "p000-happy-0",
        "image": b"",
        "label": "happy",
        "votes": None,
        "subject": "p000",
        "sequence": "p000_happy",
        "split": "train",
        "source": "synthetic:seed=3",
        "sha256": "",
    }


def test_the_bytes_are_jpeg_of_the_scene_and_their_checksum_is_right(rows: list[dict]) -> None:
    for row in rows[::8]:
        assert row["image"][:3] == b"\xff\xd8\xff"
        assert hashlib.sha256(row["image"]).hexdigest() == row["sha256"]
    drawn = scene(3, 1, "fear", 0)
    stored = cv2.imdecode(np.frombuffer(rows[9]["image"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert rows[9]["id"] == "p001-fear-0"
    assert stored.shape == drawn.shape
    assert np.abs(stored.astype(int) - drawn).mean() < 4  # what JPEG at quality 88 takes away


def test_another_process_draws_the_same_picture() -> None:
    here = hashlib.sha256(scene(7, 5, "disgust", 2).tobytes()).hexdigest()
    code = (
        "import hashlib; from ferline.datasets.synthetic import scene;"
        "print(hashlib.sha256(scene(7, 5, 'disgust', 2).tobytes()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == here


def test_a_picture_does_not_depend_on_how_many_are_drawn(rows: list[dict]) -> None:
    more = {row["id"]: row for row in faces(identities=2, takes=2, seed=3)}
    assert len(more) == 2 * 7 * 2
    for row in rows[:14]:
        assert more[row["id"]] == row


@pytest.mark.parametrize("other", [(8, 4, "sad", 0), (7, 5, "sad", 0), (7, 4, "fear", 0), (7, 4, "sad", 1)])
def test_seed_person_emotion_and_take_each_change_the_picture(other: tuple[int, int, str, int]) -> None:
    one, two = scene(7, 4, "sad", 0), scene(*other)
    assert one.shape != two.shape or np.abs(one.astype(int) - two).mean() > 5


def test_nobody_is_in_two_splits_and_every_split_has_every_emotion(rows: list[dict]) -> None:
    by_split = {split: {row["subject"] for row in rows if row["split"] == split} for split in SPLITS}
    assert sum(len(subjects) for subjects in by_split.values()) == len(set.union(*by_split.values())) == 7
    for split in SPLITS:
        assert {row["label"] for row in rows if row["split"] == split} == set(EMOTIONS)


def test_about_70_15_15_of_the_people_are_in_train_validation_and_test() -> None:
    splits = [split_of(who) for who in range(84)]
    assert [splits.count(split) for split in SPLITS] == [60, 12, 12]


@pytest.mark.parametrize("wrong", [{"identities": 0}, {"takes": 0}, {"seed": -1}])
def test_a_set_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(FerlineError, match=f"{next(iter(wrong))}={next(iter(wrong.values()))}.*at least"):
        faces(**wrong)


def test_an_unknown_emotion_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown emotion 'bored': write one of angry"):
        scene(7, 0, "bored", 0)


def test_haar_finds_the_face_that_is_there(photographs: list[tuple]) -> None:
    """One setting for all picture sizes: a 240-pixel short side, faces from a fifth of it."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    found = 0
    for image, truth in photographs:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        scale = 240 / min(grey.shape)
        boxes = cascade.detectMultiScale(cv2.resize(grey, None, fx=scale, fy=scale), 1.2, 3, minSize=(48, 48))
        found += any(overlap(box / scale, truth) > 0.5 for box in boxes)
    assert found / len(photographs) >= 0.95


def test_emotions_carry_over_to_people_never_seen(photographs: list[tuple]) -> None:
    """Gradients learnt on 15 people tell the emotions of 5 others; comparing pixels does not: no trivial task."""
    crops = np.array([crop(image, box) for image, box in photographs])
    labels = np.tile(np.arange(7), 20)
    seen = np.arange(140) < 15 * 7
    hog = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    gradients = np.array([hog.compute(each).ravel() for each in crops])
    learnt = LinearSVC(C=0.1).fit(gradients[seen], labels[seen]).score(gradients[~seen], labels[~seen])
    pixels = crops.reshape(140, -1) / 255
    copied = KNeighborsClassifier(1).fit(pixels[seen], labels[seen]).score(pixels[~seen], labels[~seen])
    assert learnt > 0.5 > copied


def crop(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, width, height = box
    return cv2.resize(cv2.cvtColor(image[y : y + height, x : x + width], cv2.COLOR_RGB2GRAY), (48, 48))


def overlap(one: np.ndarray, two: tuple[int, int, int, int]) -> float:
    """Intersection over union of two boxes given as x, y, width, height."""
    width = min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    height = min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    shared = max(0, width) * max(0, height)
    return shared / (one[2] * one[3] + two[2] * two[3] - shared)


def test_scenes_are_larger_than_the_face_and_hold_all_of_it(photographs: list[tuple]) -> None:
    shares, sizes = [], set()
    for image, (x, y, width, height) in photographs:
        assert x >= 0
        assert y >= 0
        assert x + width <= image.shape[1]
        assert y + height <= image.shape[0]
        shares.append(height / min(image.shape[:2]))
        sizes.add(image.shape)
    assert min(shares) > 0.4
    assert max(shares) < 0.8
    assert len(sizes) > 100


def test_an_image_takes_about_8_kilobytes(rows: list[dict]) -> None:
    assert 5_000 < np.mean([len(row["image"]) for row in rows]) < 10_000


@pytest.mark.parametrize(("one", "two"), combinations(EMOTIONS, 2))
def test_no_two_emotions_move_the_same_muscles(one: str, two: str) -> None:
    nearest = min(np.abs(levels(a) - levels(b)).sum() for a in PROTOTYPES[one] for b in PROTOTYPES[two])
    assert nearest > 1


def test_a_performance_is_nearest_to_its_own_emotion_more_often_than_not() -> None:
    """Intensity, slack and incidents blur the prototypes without burying them."""
    rng = np.random.default_rng(0)
    directions = {e: [levels(p) / max(np.linalg.norm(levels(p)), 1e-9) for p in PROTOTYPES[e]] for e in EMOTIONS[:-1]}
    for emotion in EMOTIONS[:-1]:
        shown = [levels(perform(emotion, rng)) for _ in range(200)]
        guesses = [max(directions, key=lambda e: max(actions @ d for d in directions[e])) for actions in shown]
        assert np.mean([guess == emotion for guess in guesses]) > 0.8
    quiet = [levels(perform("neutral", rng)).sum() for _ in range(200)]
    assert np.median(quiet) < 1 < np.median([levels(perform("happy", rng)).sum() for _ in range(200)])


def test_action_units_move_the_features_they_are_named_for() -> None:
    me = identity_of(7, 0)

    def face(**units: float) -> Landmarks:
        return Landmarks.of(me, ActionUnits(**units))

    rest = face()
    assert face(brow_inner_raise=1).brow(1)[0, 1] < rest.brow(1)[0, 1] - 0.05
    assert face(brow_lower=1).brow(1)[0, 1] > rest.brow(1)[0, 1] + 0.05
    assert np.ptp(face(upper_lid_raise=1).eye(-1).opening[:, 1]) > np.ptp(rest.eye(-1).opening[:, 1]) * 1.3
    assert face(lip_corner_pull=1).mouth.corner(-1)[1] < rest.mouth.corner(-1)[1] - 0.05
    assert face(lip_corner_depress=1).mouth.corner(1)[1] > rest.mouth.corner(1)[1] + 0.05
    assert face(jaw_drop=1).mouth.gap > rest.mouth.gap + 0.15
    assert face(jaw_drop=1).chin > rest.chin + 0.1
    assert face(lip_stretch=1).mouth.corner(1)[0] > rest.mouth.corner(1)[0] * 1.15


def test_a_leaning_face_is_stronger_on_one_side() -> None:
    marks = Landmarks.of(identity_of(7, 0), ActionUnits(lip_corner_pull=0.8, lean=0.2))
    assert marks.mouth.corner(1)[1] < marks.mouth.corner(-1)[1]


def test_people_differ_and_stay_themselves() -> None:
    people = [identity_of(7, who) for who in range(84)]
    assert people == [identity_of(7, who) for who in range(84)]
    assert len(set(people)) == 84
    assert sum(person.masculine for person in people) == 42
    assert len({person.hair for person in people}) == 13
    assert 8 < sum(person.glasses != "none" for person in people) < 32


def test_the_contact_sheet_has_a_row_a_person_and_a_column_an_emotion() -> None:
    sheet = contact_sheet(identities=(0, 3), emotions=("happy", "sad"), side=64)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (11 + 2 * 64, 2 * 64, 3)
    tile = sheet[11:75, :64].astype(int)
    assert tile.std() > 20
    assert np.abs(tile - sheet[75:, :64]).mean() > 10
