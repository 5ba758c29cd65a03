"""The telling number, against scikit-learn's nearest neighbour and where it is known beforehand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from ferline.datasets.audit import nearest as module
from ferline.datasets.audit.audit import audit
from ferline.datasets.audit.nearest import nearest

Make = Callable[..., Any]


def people(make_photographs: Make, count: int = 20, frames: int = 6) -> tuple[np.ndarray, dict[str, Any]]:
    """Each person is one picture under noise; what each shows is one of two emotions by turns, seen by nobody."""
    faces = make_photographs(count)
    noise = np.random.default_rng(1).integers(-12, 13, (count * frames, 48, 48))
    images = np.clip(np.repeat(faces, frames, axis=0) + noise, 0, 255).astype(np.uint8)
    subject = np.repeat([f"p{n}" for n in range(count)], frames)
    return images, {"subject": subject, "label": np.repeat(np.resize(["happy", "sad"], count), frames)}


def test_a_split_through_persons_gives_the_answer_away_and_persons_apart_do_not(
    make_photographs: Make, make_table: Make
) -> None:
    images, columns = people(make_photographs)
    columns["split"] = np.resize(["train", "train", "train", "train", "validation", "test"], len(images))
    table, pictures = make_table(images, **columns)
    found = nearest(table, pictures.thumbs, np.arange(len(table)))
    assert found is not None
    assert (found.asked_split, found.asked, found.known, found.apart_by) == ("test", 20, 100, "subject")
    assert found.score == 1.0
    assert found.score_apart < 0.8
    assert not found.drawn


def test_under_a_split_that_keeps_persons_apart_both_numbers_are_the_same(
    make_photographs: Make, make_table: Make
) -> None:
    images, columns = people(make_photographs)
    columns["split"] = np.where(np.isin(columns["subject"], ["p0", "p1", "p2"]), "test", "train")
    table, pictures = make_table(images, **columns)
    found = nearest(table, pictures.thumbs, np.arange(len(table)))
    assert found is not None
    assert found.score == found.score_apart


def test_the_score_is_scikit_learns(make_photographs: Make, make_table: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASKED", 17)
    monkeypatch.setattr(module, "_KNOWN", 23)
    images, random = make_photographs(150), np.random.default_rng(3)
    split = random.permutation(np.repeat(["train", "test"], [110, 40]))
    table, pictures = make_table(images, label=random.choice(["happy", "sad", "fear"], 150), split=split)
    found = nearest(table, pictures.thumbs, np.arange(150))
    flat, train = images.reshape(150, -1).astype(float), split == "train"
    reference = KNeighborsClassifier(1).fit(flat[train], table["label"][train])
    assert found is not None
    assert found.score == pytest.approx(reference.score(flat[~train], table["label"][~train]))


def test_without_subjects_sequences_are_kept_apart_and_without_either_near_duplicates(
    make_photographs: Make, make_table: Make
) -> None:
    images, columns = people(make_photographs)
    columns["split"] = np.resize(["train", "train", "test"], len(images))
    table, pictures = make_table(images, **columns)
    by_subject = nearest(table, pictures.thumbs, np.arange(len(table)))
    of_sequences = table.assign(subject=None, sequence=table["subject"])
    by_sequence = nearest(of_sequences, pictures.thumbs, np.arange(len(table)))
    of_copies = nearest(table.assign(subject=""), pictures.thumbs, np.repeat(np.arange(20), 6))
    assert by_subject is not None
    assert by_sequence is not None
    assert of_copies is not None
    assert (by_sequence.apart_by, of_copies.apart_by) == ("sequence", "near-duplicates")
    assert by_subject.score_apart == by_sequence.score_apart == of_copies.score_apart < by_subject.score


def test_where_nobody_may_answer_the_answer_is_wrong(make_photographs: Make, make_table: Make) -> None:
    table, pictures = make_table(make_photographs(4), subject="one", split=["train", "train", "train", "test"])
    found = nearest(table, pictures.thumbs, np.arange(4))
    assert found is not None
    assert (found.score, found.score_apart) == (1.0, 0.0)


def test_of_very_many_a_part_is_drawn_by_the_seed_and_it_is_said(
    make_photographs: Make, make_table: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ASKED", 20)
    monkeypatch.setattr(module, "MOST_KNOWN", 50)
    random = np.random.default_rng(0)
    columns = {"label": random.choice(["happy", "sad"], 200), "split": random.choice(["train", "test"], 200)}
    table, pictures = make_table(make_photographs(200), **columns)
    found = [nearest(table, pictures.thumbs, np.arange(200), seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert found[0] is not None
    assert (found[0].asked, found[0].known, found[0].drawn) == (20, 50, True)
    assert any("a random part of all" in line for line in audit(table, pictures).lines())


@pytest.mark.parametrize("split", [None, "train", "test"])
def test_without_two_sides_there_is_no_such_number(make_photographs: Make, make_table: Make, split: Any) -> None:
    table, pictures = make_table(make_photographs(4), split=split)
    assert nearest(table, pictures.thumbs, np.arange(4)) is None
