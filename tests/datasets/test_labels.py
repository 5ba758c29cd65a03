"""The rules that turn ten people's votes into a label, and the shares that are trained on."""

import time

import numpy as np
import pandas as pd
import pytest

from ferline.datasets.labels import UNDECIDED, decide, distribution, labelled
from ferline.emotions import EMOTIONS, KNOWN, VOTES
from ferline.errors import FerlineError
from ferline.params import DatasetParams


def votes(**counts: float) -> list[float]:
    return [float(counts.get(name.replace(" ", "_"), 0)) for name in VOTES]


def winner(rule: str, **counts: float) -> str | None:
    (place,) = decide(np.array([votes(**counts)]), rule)
    return None if place == UNDECIDED else VOTES[place]


def test_a_majority_is_more_than_half_of_what_is_left_without_single_votes() -> None:
    assert winner("majority", happy=6, sad=4) == "happy"
    assert winner("majority", happy=5, sad=5) is None
    assert winner("majority", happy=5, sad=4, fear=1) == "happy"  # 5 of 9
    assert winner("majority", happy=4, sad=3, fear=3) is None
    assert winner("majority", happy=4, sad=1, fear=1, angry=1, neutral=1, contempt=1, unknown=1) == "happy"
    assert winner("majority", unknown=8, sad=2) == "unknown"
    assert winner("majority", no_face=10) == "no face"
    assert winner("majority", **dict.fromkeys(KNOWN, 1)) is None
    assert winner("majority") is None


def test_a_plurality_is_more_than_any_other_and_a_tie_is_none() -> None:
    assert winner("plurality", happy=4, sad=3, fear=3) == "happy"
    assert winner("plurality", happy=4, sad=4, fear=2) is None
    assert winner("plurality", happy=4, unknown=4, fear=2) is None
    assert winner("plurality", **dict.fromkeys(KNOWN, 1)) is None
    assert winner("plurality", contempt=3, sad=2) == "contempt"


def test_majority_follows_the_rule_as_ferplus_states_it_for_any_votes() -> None:
    """Row by row in plain Python against the arrays."""
    given = np.random.default_rng(0).multinomial(10, np.full(10, 0.1) ** 0.5 / (np.full(10, 0.1) ** 0.5).sum(), 2000)
    for row, place in zip(given.tolist(), decide(given, "majority").tolist(), strict=True):
        left = [count if count > 1 else 0 for count in row]
        assert place == (left.index(max(left)) if max(left) > 0.5 * sum(left) else UNDECIDED)


def test_an_unknown_rule_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="majority or plurality"):
        decide(np.zeros((1, 10)), "own")


def test_the_distribution_is_the_share_of_each_chosen_emotion() -> None:
    given = np.array([votes(happy=6, sad=2, fear=1, unknown=1), votes(contempt=4, sad=4, unknown=2), votes(unknown=9)])
    seven, eight = distribution(given, EMOTIONS), distribution(given, KNOWN)
    assert seven.dtype == np.float32
    np.testing.assert_allclose(seven, [[0, 0, 0, 0.75, 0.25, 0, 0], [0, 0, 0, 0, 1, 0, 0], [0] * 7])
    np.testing.assert_allclose(eight[1], [0, 0, 0, 0, 0.5, 0, 0, 0.5])
    np.testing.assert_allclose(distribution(given, ("happy", "sad"))[0], [0.75, 0.25])


def table(**rows: tuple[str | None, list[float] | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": list(rows),
            "label": [label for label, _ in rows.values()],
            "votes": pd.Series(
                [None if given is None else np.array(given) for _, given in rows.values()], dtype=object
            ),
            "split": "train",
        }
    )


ROWS = table(
    agreed=("angry", votes(happy=8, sad=2)),
    split=("angry", votes(happy=4, sad=4, fear=2)),
    leading=("angry", votes(happy=4, sad=3, fear=3)),
    contempt=("angry", votes(contempt=8, sad=2)),
    unknown=("angry", votes(unknown=8, sad=2)),
    no_face=("angry", votes(no_face=10)),
    unvoted=("sad", None),
    scornful=("contempt", None),
    typo=("hapy", None),
    nothing=(None, None),
)


def kept(frame: pd.DataFrame) -> dict[str, str | None]:
    return {
        row_id: None if pd.isna(label) else label for row_id, label in zip(frame["id"], frame["label"], strict=True)
    }


def test_majority_labels_rows_with_votes_and_leaves_the_others_theirs() -> None:
    frame, left_out = labelled(ROWS, DatasetParams("ferplus"))
    assert kept(frame) == {"agreed": "happy", "unvoted": "sad", "typo": "hapy", "nothing": None}
    assert left_out == {
        "no majority": 2,
        "contempt is not among dataset.emotions": 2,
        "unknown": 1,
        "no face": 1,
    }
    np.testing.assert_allclose(frame["votes"][0], [0, 0, 0, 0.8, 0.2, 0, 0])
    assert frame["votes"][1:].tolist() == [None, None, None]
    assert frame.index.tolist() == [0, 1, 2, 3]
    assert frame.columns.tolist() == ROWS.columns.tolist()


def test_plurality_keeps_more() -> None:
    frame, left_out = labelled(ROWS, DatasetParams("ferplus", labels="plurality"))
    assert kept(frame)["leading"] == "happy"
    assert left_out["no plurality"] == 1


def test_own_keeps_the_labels_and_has_the_votes_as_a_second_opinion_of_all_known_emotions() -> None:
    frame, left_out = labelled(ROWS, DatasetParams("ferplus", labels="own"))
    assert list(kept(frame).values()) == ["angry"] * 6 + ["sad", "hapy", None]
    assert left_out == {"contempt is not among dataset.emotions": 1}
    shares = dict(zip(frame["id"], frame["votes"], strict=True))
    np.testing.assert_allclose(shares["agreed"], [0, 0, 0, 0.8, 0.2, 0, 0, 0])
    assert shares["unvoted"] is None
    assert all(votes is None or sum(votes) == pytest.approx(1) for votes in shares.values())
    nobody, _ = labelled(table(unsure=("sad", votes(unknown=10))), DatasetParams("ferplus", labels="own"))
    assert nobody["votes"].tolist() == [None]


def test_eight_classes_keep_contempt_with_eight_shares() -> None:
    frame, left_out = labelled(ROWS, DatasetParams("ferplus", emotions=KNOWN))
    assert kept(frame)["contempt"] == kept(frame)["scornful"] == "contempt"
    np.testing.assert_allclose(frame["votes"][1], [0, 0, 0, 0, 0.2, 0, 0, 0.8])
    assert "contempt is not among dataset.emotions" not in left_out


def test_fewer_emotions_leave_out_the_rest_by_name() -> None:
    _, left_out = labelled(ROWS, DatasetParams("ferplus", emotions=("angry", "happy"), labels="own"))
    assert left_out == {"sad is not among dataset.emotions": 1, "contempt is not among dataset.emotions": 1}


def test_a_table_without_any_votes_and_an_empty_one() -> None:
    frame, left_out = labelled(ROWS[6:], DatasetParams("ckplus"))
    assert kept(frame) == {"unvoted": "sad", "typo": "hapy", "nothing": None}
    assert left_out == {"contempt is not among dataset.emotions": 1}
    frame, left_out = labelled(ROWS[:0], DatasetParams("ckplus"))
    assert (len(frame), left_out) == (0, {})


def test_the_table_given_stays_as_it_was() -> None:
    before = ROWS.copy(deep=True)
    labelled(ROWS, DatasetParams("ferplus"))
    pd.testing.assert_frame_equal(ROWS, before)


def test_votes_of_another_length_are_refused() -> None:
    with pytest.raises(FerlineError, match="id 'eight': 8 votes, there must be one number for each of angry"):
        labelled(table(good=("sad", votes(sad=10)), eight=("sad", [1.0] * 8)), DatasetParams("ferplus"))


def test_as_many_rows_as_ferplus_has_take_well_under_a_second() -> None:
    given = np.random.default_rng(0).multinomial(10, np.full(10, 0.1), 35_000).astype(np.float32)
    frame = pd.DataFrame({"id": np.arange(35_000).astype(str), "label": "sad", "votes": list(given)})
    started = time.process_time()
    labelled(frame, DatasetParams("ferplus"))
    assert time.process_time() - started < 1
