"""From names to an audit: which split each set is audited under, and what several sets have in common."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferline.datasets.audit.sets import as_trained, audited, whole
from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.validation import validate
from ferline.emotions import KNOWN
from ferline.errors import FerlineError
from ferline.params import DatasetParams, Params, ValidationParams, load

PARAMS = load(Path(__file__).parents[3] / "params.yaml")


def params_of(**dataset: Any) -> Params:
    return replace(PARAMS, dataset=DatasetParams(**dataset))


Photographs = Callable[..., np.ndarray]


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., RawSet]:
    """Pictures into a raw set: eight emotions and ten people in turn, the set's own split two thirds train."""

    def make(name: str, pictures: np.ndarray, **columns: Any) -> RawSet:
        raw = RawSet(tmp_path / "data" / "raw" / name)
        raw.append(
            {
                "id": f"{name}-{n}",
                "image": cv2.imencode(".png", picture)[1].tobytes(),
                "label": KNOWN[n % 8],
                "subject": f"p{n % 10}",
                "split": ("train", "train", "test")[n % 3],
                "attributes": f'{{"mine": "{("train", "val", "test")[n % 3]}"}}',
                **columns,
            }
            for n, picture in enumerate(pictures)
        )
        return raw

    return make


@pytest.fixture
def root(tmp_path: Path, put: Callable[..., RawSet], make_photographs: Photographs) -> Path:
    put("tiny", make_photographs(80))
    return tmp_path


def asked(samples: Any) -> dict[str, Any]:
    return dict(samples.origin["dataset"])


def test_the_set_of_params_yaml_is_split_as_it_says_there(root: Path) -> None:
    params = params_of(name="tiny", protocol="random", seed=5, shares=(0.6, 0.2, 0.2), labels="own")
    samples = whole(root, "tiny", params=params)
    found = asked(samples)
    assert (found["protocol"], found["seed"], found["shares"], found["labels"]) == ("random", 5, [0.6, 0.2, 0.2], "own")
    assert (samples.table["split"] == "test").sum() == 16


def test_all_of_it_is_audited_whatever_part_is_trained_on(root: Path) -> None:
    params = params_of(name="tiny", protocol="subject", folds=5, fraction=0.5, emotions=("sad", "happy"))
    samples = whole(root, "tiny", params=params)
    assert len(samples) == 80
    assert set(samples.table["label"]) == set(KNOWN)
    assert (asked(samples)["protocol"], asked(samples)["folds"], asked(samples)["fraction"]) == ("subject", 0, 1.0)


def test_another_set_is_split_as_its_card_suggests(root: Path) -> None:
    assert asked(whole(root, "tiny", params=params_of(name="other", protocol="official")))["protocol"] == "subject"
    assert asked(whole(root, "tiny"))["protocol"] == "subject"


@pytest.mark.parametrize("protocol", ["official", "random", "column:mine", "paper:cnn_lstm"])
def test_the_protocol_that_is_asked_for_wins_and_the_rest_stays_as_in_params_yaml(root: Path, protocol: str) -> None:
    params = params_of(name="tiny", protocol="subject", seed=5, folds=5)
    found = asked(whole(root, "tiny", protocol, params))
    assert (found["protocol"], found["seed"], found["folds"]) == (protocol, 5, 0)
    assert asked(whole(root, "tiny", protocol))["protocol"] == protocol


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("subjects", "protocol: 'subjects' is not allowed; write official, random, subject, sequence, column:NAME or"),
        ("paper:mine", "protocol: 'paper:mine' is not allowed; write official"),
        ("sequence", "dataset.protocol: 'sequence' needs to know which video each image is from; 80 of 80"),
        ("column:age", "dataset.protocol: 'column:age' needs train, validation, test for every image; 80 of 80"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused_in_one_line(root: Path, protocol: str, message: str) -> None:
    for params in (None, params_of(name="tiny")):
        with pytest.raises(FerlineError) as error:
            audited(root, ("tiny",), protocol, params or PARAMS, root / "audit")
        assert str(error.value).startswith(message)
        assert "\n" not in str(error.value)
    assert not (root / "audit").exists()


def test_a_column_of_a_set_without_attributes_is_refused(
    tmp_path: Path, put: Callable[..., RawSet], make_photographs: Photographs
) -> None:
    put("plain", make_photographs(8), attributes=None)
    with pytest.raises(FerlineError, match=r"8 of 8 have something else \(first: plain-0: nothing\).*columns: none"):
        whole(tmp_path, "plain", "column:mine")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("tiny", "tiny"), "tiny is named twice"),
        (("tiny", "nope"), "'nope' is no set in .*known sets here: tiny"),
        (("a/b",), "name: 'a/b' is not allowed"),
    ],
)
def test_names_that_are_no_sets_are_refused(root: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(FerlineError, match=message):
        audited(root, names, None, PARAMS, root / "audit")
    assert not (root / "audit").exists()


def test_the_set_of_params_yaml_alone_is_audited_as_the_pipeline_trains_on_it(root: Path) -> None:
    dataset = DatasetParams(name="tiny", protocol="subject", folds=4, fraction=0.5, emotions=("sad", "happy", "fear"))
    params = replace(PARAMS, dataset=dataset)
    trained = ingest(root, dataset).table
    result, findings = audited(root, ("tiny",), None, params, root / "audit")
    assert as_trained(("tiny",), None, params)
    assert findings.images == len(trained) < 30
    assert findings.places == {f"fold {n}": count for n, count in sorted(trained["fold"].value_counts().items())}
    assert findings.subjects_across == []
    assert "Leakage audit of tiny (protocol subject, 4 folds)" in result.page.read_text()
    _, report = validate(ingest(root, dataset), ValidationParams(min_per_class=1), dataset)
    assert report.read_json("report.json")["leakage"] == findings.figures()


@pytest.mark.parametrize(("names", "protocol"), [(("tiny",), "subject"), (("other",), None), (("tiny", "other"), None)])
def test_anything_else_is_audited_whole_and_no_pipeline_trains_on_it(
    root: Path, put: Callable[..., RawSet], make_photographs: Photographs, names: tuple[str, ...], protocol: str | None
) -> None:
    put("other", make_photographs(80, seed=1))
    params = params_of(name="tiny", protocol="subject", folds=4, fraction=0.5, emotions=("sad", "happy", "fear"))
    _, findings = audited(root, names, protocol, params, root / "audit")
    assert not as_trained(names, protocol, params)
    assert findings.images == 80 * len(names)
    assert {place.split()[-1] for place in findings.places} == {"train", "validation", "test"}


def test_the_audit_of_one_set_is_an_artifact_of_figures_groups_and_a_page(
    tmp_path: Path, put: Callable[..., RawSet], make_photographs: Photographs
) -> None:
    pictures = make_photographs(80)
    pictures[42] = pictures[1]
    put("tiny", pictures)
    result, findings = audited(tmp_path, ("tiny",), "official", PARAMS, tmp_path / "audit")
    figures = result.verify().read_json("audit.json")["figures"]
    assert figures == findings.figures()
    assert (figures["images"], figures["different"], figures["exact_groups"]) == (80, 79, 1)
    assert (figures["places"]["test"], sum(figures["places"].values())) == (26, 80)
    assert set(result.groups[result.groups["kind"] == "exact"]["id"]) == {"tiny-1", "tiny-42"}
    assert "Leakage audit of tiny (protocol official)" in result.page.read_text()


def test_several_sets_are_held_against_each_other(
    tmp_path: Path, put: Callable[..., RawSet], make_photographs: Photographs
) -> None:
    theirs, mine = make_photographs(40), make_photographs(40, seed=1)
    mine[:3] = theirs[10:13]
    mine[3] = cv2.flip(theirs[13], 1)
    put("theirs", theirs)
    put("mine", mine)
    result, findings = audited(tmp_path, ("mine", "theirs"), "random", PARAMS, tmp_path / "audit")
    exact, near = findings.of_kind("exact"), findings.of_kind("near")
    pairs = [{member.id for member in group.members} for group in exact]
    assert sorted(map(sorted, pairs)) == [[f"mine-{n}", f"theirs-{n + 10}"] for n in range(3)]
    assert [{member.id for member in group.members} for group in near] == [{"mine-3", "theirs-13"}]
    assert all(group.across for group in [*exact, *near])
    assert findings.subjects == 20  # p1 of one set is nobody of the other
    assert "mine (protocol random), theirs (protocol random)" in result.page.read_text()
    assert set(result.groups["dataset"]) == {"mine", "theirs"}


def test_sets_that_have_nothing_in_common_have_nothing_found(
    tmp_path: Path, put: Callable[..., RawSet], make_photographs: Photographs
) -> None:
    put("theirs", make_photographs(40))
    put("mine", make_photographs(40, seed=1))
    _, findings = audited(tmp_path, ("mine", "theirs"), None, PARAMS, tmp_path / "audit")
    assert findings.groups == []
    assert (findings.exact_in, findings.near_in, findings.different) == ({}, {}, 80)
