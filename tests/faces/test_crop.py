"""crop: Samples in, a FaceSet and its records out, whatever the images are."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from disks import small_disk
from face_pictures import noise, png

from ferline.datasets.samples import Samples
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.faces.crop import FaceCropper, crop
from ferline.faces.faceset import TABLE_COLUMNS
from ferline.images.decode import decode
from ferline.params import FaceParams

Make = Callable[..., Samples]
PLAIN = FaceParams(detect=False, side=48)


def test_every_face_is_cut_out_and_keeps_what_is_known_of_it(make_samples: Make, scenes: list[np.ndarray]) -> None:
    samples = make_samples([png(scene) for scene in scenes])
    faces = crop(samples, FaceParams())
    assert faces.images.shape == (8, 96, 96, 3)
    assert list(faces.table.columns) == TABLE_COLUMNS
    for column in ("id", "subject", "split", "source", "sha256"):
        assert faces.table[column].tolist() == samples.table[column].tolist()
    assert [EMOTIONS[label] for label in faces.labels] == samples.table["label"].tolist()
    np.testing.assert_array_equal(faces.table["votes"][1], [0.5, 0.5, 0, 0, 0, 0, 0])
    assert faces.table["votes"][0] is None
    assert faces.table["found"].mean() >= 0.75
    assert faces.table["levelled"].mean() >= 0.5
    cropper = FaceCropper(FaceParams())
    for scene, image, box in zip(scenes, faces.images, faces.table["box"], strict=True):
        expected = cropper.crop(scene)
        np.testing.assert_array_equal(image, expected.image)
        assert tuple(box) == expected.box


def test_the_bytes_do_not_depend_on_the_number_of_workers(make_samples: Make, scenes: list[np.ndarray]) -> None:
    samples = make_samples([png(scene) for scene in scenes] * 5 + [b"broken", png(noise(90, 120))])
    digests = {crop(samples, FaceParams(workers=workers)).digest for workers in (1, 2, 5)}
    assert len(digests) == 1


def test_other_parameters_make_another_digest(make_samples: Make, scenes: list[np.ndarray]) -> None:
    samples = make_samples([png(scene) for scene in scenes[:3]])
    changes = [{}, {"margin": 0.2}, {"level": False}, {"denoise": "median"}, {"equalise": "clahe"}, {"colour": "grey"}]
    assert len({crop(samples, replace(FaceParams(), **change)).digest for change in changes}) == len(changes)


def test_what_cannot_be_read_is_set_aside_with_the_reason(make_samples: Make, scenes: list[np.ndarray]) -> None:
    jpeg = cv2.imencode(".jpg", scenes[1])[1].tobytes()
    bomb = png(np.zeros((9000, 9000), np.uint8))
    images = [png(scenes[0]), jpeg[: len(jpeg) // 2], b"just text", b"", bomb, png(scenes[2])]
    faces = crop(make_samples(images), FaceParams())
    assert faces.table["id"].tolist() == ["image-000", "image-005"]
    assert len(faces.images) == 2
    quarantine = pd.read_parquet(faces.folder / "quarantine.parquet")
    assert quarantine["id"].tolist() == ["image-001", "image-002", "image-003", "image-004"]
    assert quarantine["source"].tolist() == [f"pictures/{number}.png" for number in (1, 2, 3, 4)]
    words = ["truncated", "not an image", "empty file", "9000 x 9000 is more than"]
    assert all(word in reason for word, reason in zip(words, quarantine["reason"], strict=True))
    assert faces.read_json("report.json")["unreadable"] == 4


def test_an_image_without_a_face_is_used_whole(make_samples: Make, scenes: list[np.ndarray]) -> None:
    empty = noise(96, 140)
    faces = crop(make_samples([png(scenes[0]), png(empty)]), FaceParams(when_none="whole_image"))
    assert faces.table["found"].tolist() == [True, False]
    assert faces.table["faces"].tolist() == [1, 0]
    assert faces.table["box"][1].tolist() == [22, 0, 96, 96]
    np.testing.assert_array_equal(faces.images[1], empty[:, 22:118])
    assert len(pd.read_parquet(faces.folder / "quarantine.parquet")) == 0


def test_an_image_without_a_face_is_set_aside(make_samples: Make, scenes: list[np.ndarray]) -> None:
    samples = make_samples([png(noise(96, 140)), png(scenes[0])])
    faces = crop(samples, FaceParams(when_none="quarantine"))
    assert faces.table["id"].tolist() == ["image-001"]
    assert faces.images.shape == (1, 96, 96, 3)
    quarantine = pd.read_parquet(faces.folder / "quarantine.parquet")
    assert quarantine[["id", "reason"]].to_numpy().tolist() == [["image-000", "no face found"]]


def test_a_set_that_is_cropped_already_passes_bit_for_bit(make_samples: Make) -> None:
    images = [noise(48, 48, seed) for seed in range(5)]
    faces = crop(make_samples([png(image) for image in images]), PLAIN)
    np.testing.assert_array_equal(faces.images, images)
    assert faces.table["found"].isna().all()  # it was not looked for
    assert "detection_rate" not in faces.summary()
    grey = crop(make_samples([png(image[:, :, 0]) for image in images]), replace(PLAIN, colour="grey"))
    np.testing.assert_array_equal(grey.images[:, :, :, 0], [image[:, :, 0] for image in images])


def test_of_several_faces_the_ruled_one_is_taken(make_samples: Make, scenes: list[np.ndarray]) -> None:
    person = cv2.resize(scenes[0], (240, 256))
    small = cv2.resize(person, (150, 160), interpolation=cv2.INTER_AREA)
    picture = noise(300, 700)
    picture[20:276, 10:250] = person
    picture[70:230, 300:450] = small
    samples = make_samples([png(picture)])
    largest, central = (crop(samples, FaceParams(choose=rule)).table.iloc[0] for rule in ("largest", "central"))
    assert largest["faces"] == central["faces"] == 2
    assert 10 < largest["box"][0] < 250
    assert 300 < central["box"][0] < 450
    assert largest["box"][2] > central["box"][2]


def test_the_report_says_how_it_went(make_samples: Make, scenes: list[np.ndarray]) -> None:
    found = [scene for scene in scenes if FaceCropper(FaceParams()).crop(scene).found]
    images = [png(scene) for scene in found] + [png(noise(96, 140)), b"", png(noise(96, 140, 5))]
    faces = crop(make_samples(images), FaceParams(when_none="quarantine"))
    report = faces.read_json("report.json")
    assert report["images"] == len(images)
    assert (report["unreadable"], report["quarantined"], report["sought"]) == (1, 3, len(images) - 1)
    assert report["detection_rate"] == pytest.approx(len(found) / (len(found) + 2))
    assert report["faces_per_image"] == {"0": 2, "1": len(found)}
    assert report["levelled_share"] == pytest.approx(faces.table["levelled"].mean())


def test_the_sheets_can_be_looked_at(make_samples: Make, scenes: list[np.ndarray]) -> None:
    without = crop(make_samples([png(scene) for scene in scenes[:2]]), PLAIN)
    assert without.pictures() == ["crops.png"]
    faces = crop(make_samples([png(scenes[0]), png(noise(96, 140))]), FaceParams(when_none="quarantine"))
    assert faces.pictures() == ["crops.png", "failures.png"]
    for name in faces.pictures():
        sheet = decode((faces.folder / name).read_bytes())
        assert min(sheet.shape[:2]) > 96
        assert sheet.std() > 10


def test_the_origin_is_enough_to_crop_a_new_image_alike(make_samples: Make, scenes: list[np.ndarray]) -> None:
    samples = make_samples([png(scenes[0])])
    faces = crop(samples, FaceParams(margin=0.3, equalise="clahe"))
    assert faces.origin["dataset"] == {"name": "test"}
    assert faces.origin["data_digest"] == samples.digest
    again = FaceCropper(FaceParams(**faces.origin["preprocessing"])).crop(scenes[0])
    np.testing.assert_array_equal(again.image, faces.images[0])


def test_rows_without_an_emotion_are_refused_by_name(make_samples: Make) -> None:
    samples = make_samples([png(noise(48, 48))] * 3, labels=["happy", "contempt", None])
    with pytest.raises(
        FerlineError, match=r"2 rows .* the first is image-001: 'contempt'\. Validate the samples first"
    ):
        crop(samples, PLAIN)


def test_a_set_without_one_usable_image_is_an_error(make_samples: Make, tmp_path: Path) -> None:
    target = tmp_path / "faces"
    with pytest.raises(FerlineError, match=r"none of 2 images can be used; image-000: empty file"):
        crop(make_samples([b"", b"text"]), PLAIN, target)
    assert not target.exists()


def test_a_missing_or_cut_shard_is_named_as_the_samples_fault(make_samples: Make, tmp_path: Path) -> None:
    samples = make_samples([png(noise(48, 48, seed)) for seed in range(9)])
    shard = samples.folder / "shards" / "0001.parquet"
    content = shard.read_bytes()
    for change in (shard.unlink, lambda: shard.write_bytes(content[: len(content) // 2])):
        change()
        with pytest.raises(FerlineError, match=r"samples: a shard cannot be read \(.*\)\. Make or pull it again"):
            crop(samples, PLAIN, tmp_path / "faces")
        assert not (tmp_path / "faces").exists()


def test_an_empty_set_is_an_error(make_samples: Make) -> None:
    empty = make_samples([png(noise(48, 48))]).keep(pd.Series([False]))
    with pytest.raises(FerlineError, match="holds no images"):
        crop(empty, PLAIN)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(make_samples: Make, tmp_path: Path) -> None:
    samples = make_samples([png(noise(64, 64, seed)) for seed in range(60)])  # 60 x 256 x 256 x 3 bytes: 12 MB
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        message = (
            r"disk/faces: could not be written \((No space left on device|File too large)\)\. Nothing was left behind"
        )
        with pytest.raises(FerlineError, match=message):
            crop(samples, replace(PLAIN, side=256), disk / "faces")
        assert list(disk.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("faces")]


def test_a_folder_that_cannot_be_written_is_one_clear_error(make_samples: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FerlineError, match=r"file/faces: could not be written \(.*\)"):
        crop(make_samples([png(noise(48, 48))]), PLAIN, tmp_path / "file" / "faces")


def test_a_run_that_fails_leaves_the_old_faces(make_samples: Make, tmp_path: Path) -> None:
    old = crop(make_samples([png(noise(48, 48))]), PLAIN, tmp_path / "faces")
    with pytest.raises(FerlineError, match="can be used"):
        crop(make_samples([b"text"]), PLAIN, tmp_path / "faces")
    assert old.verify().images.shape == (1, 48, 48, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "samples", "shards"]
