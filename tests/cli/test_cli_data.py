"""`ferline data ...` in a DVC project: what a user types, what is printed, what is on disk afterwards."""

import json
import os
import shutil
from pathlib import Path

import cv2
import pytest
import yaml
from data_commands import MINE, OPTIONS, PEOPLE, changes, content, data, new_face, refused, told

from ferline.datasets.add import add
from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.sources import SOURCES
from ferline.datasets.synthetic import faces
from ferline.emotions import EMOTIONS
from ferline.params import DatasetParams


def test_adding_a_folder_packs_versions_and_describes_it(first: tuple[Path, str]) -> None:
    project, printed = first
    lines = printed.splitlines()
    assert lines[0] == "data/raw/mine: 28 new images"
    assert {"  images      28", "  subjects    4", f"  all         {28:>12}"} < set(lines)
    assert {f"  {emotion:12}{PEOPLE:>12}" for emotion in EMOTIONS} < set(lines)
    assert "added from my_faces: class-named folders" in printed
    assert "terms     Your own set" in printed
    assert lines[-1].strip() == "dataset: {name: mine, protocol: subject, folds: 4}"
    assert sorted(path.name for path in (project / "data/raw").iterdir()) == [".gitignore", "mine", "mine.dvc"]
    assert sorted(content(project / "data/raw/mine")) == ["manifest.json", "shard-00000.parquet"]
    assert changes(project) == {}


def test_the_images_are_packed_byte_for_byte(first: tuple[Path, str]) -> None:
    samples = ingest(first[0], DatasetParams("mine", protocol="random"))
    packed = {
        row.id: image
        for rows, images in samples.batches()
        for row, image in zip(rows.itertuples(), images, strict=True)
    }
    files = {str(path.relative_to(first[0] / "my_faces")): path for path in (first[0] / "my_faces").rglob("*.jpg")}
    assert packed == {name: path.read_bytes() for name, path in files.items()}


def test_list_and_card_say_what_adding_said(project: Path, first: tuple[Path, str]) -> None:
    assert told("list") == "mine                    28 images  versioned  a folder of your own images\n"
    assert json.loads(told("list", "--json")) == [
        {"name": "mine", "title": "a folder of your own images", "images": 28, "shards": 1, "state": "versioned"}
    ]
    assert first[1].endswith(told("card", "mine"))
    card = json.loads(told("card", "mine", "--json"))
    assert card["digest"] == RawSet(project / "data/raw/mine").digest
    assert card["counts"] == {emotion: {"no split": PEOPLE} for emotion in EMOTIONS}
    assert card["suggested"] == {"name": "mine", "protocol": "subject", "folds": 4}


def test_a_set_goes_to_the_remote_and_comes_back(project: Path) -> None:
    from dvc.repo import Repo

    digest = RawSet(project / "data/raw/mine").digest
    with Repo(str(project)) as repo:
        repo.push()
    shutil.rmtree(project / "data/raw/mine")
    shutil.rmtree(project / ".dvc" / "cache")
    assert "not here; run `dvc pull data/raw/mine.dvc`" in told("list")
    assert "not here" in refused("card", "mine")
    assert "Run `dvc pull" in refused(*MINE)
    with Repo(str(project)) as repo:
        repo.pull()
    assert RawSet(project / "data/raw/mine").verify().digest == digest
    assert "versioned" in told("list")


def test_list_without_a_set_says_how_to_add_one(bare: Path) -> None:
    assert told("list") == "no sets yet; `ferline data add --help` lists what can be added\n"
    assert json.loads(told("list", "--json")) == []


def test_the_sheet_is_a_picture_with_a_row_for_every_emotion(project: Path) -> None:
    path = Path(told("sheet", "mine").strip())
    picture = cv2.imread(str(path))
    assert path.is_relative_to(os.environ["FERLINE_SCRATCH"].removesuffix("scratch"))
    assert picture.shape[0] > 7 * 96
    assert picture.shape[1] > PEOPLE * 96
    for row in range(7):  # a face, not a blank place, in every row
        middle = picture.shape[0] * (2 * row + 1) // 14
        assert picture[middle - 20 : middle + 20, -100:].std() > 15
    assert told("sheet", "mine", "--out", "out/sheet.png") == "out/sheet.png\n"
    assert Path("out/sheet.png").read_bytes() == path.read_bytes()


def test_an_audit_prints_figures_and_leaves_a_page_of_pictures(project: Path) -> None:
    copied = project / "my_faces/sad/p001-again.jpg"
    shutil.copy(project / "my_faces/happy/p001-happy-0.jpg", copied)
    add(project, SOURCES["folder"], Path("my_faces"), "mine", OPTIONS)
    printed = told("audit", "mine", "--out", "audit")
    assert printed.startswith("29 images (train ")
    assert "28 of them different pixel for pixel" in printed
    assert "identical images with different labels: 1 groups of 2 images" in printed
    assert "subjects: 4, 0 of them in more than one split" in printed
    assert printed.splitlines()[-1] == "To look at: audit/page.html"
    page = Path("audit/page.html").read_text()
    assert "Leakage audit of mine (protocol subject)" in page
    assert "p001-again.jpg" in page
    assert page.count("data:image/png;base64,") >= 2
    figures = json.loads(told("audit", "mine", "--json"))["figures"]
    assert (figures["images"], figures["different"], figures["conflict_images"]) == (29, 28, 2)


def test_an_audit_of_several_sets_finds_images_that_stand_in_both(project: Path) -> None:
    for number, path in enumerate(sorted((project / "my_faces/happy").iterdir())):
        if number < 2:
            target = project / "others/happy" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        else:  # the same photographs after another program saved them
            cv2.imwrite(
                str(project / "others/happy" / path.name), cv2.imread(str(path)), [cv2.IMWRITE_JPEG_QUALITY, 60]
            )
    for number in range(6):
        new_face(project / f"others/sad/{number}.png", number)
    told_of = add(project, SOURCES["folder"], Path("others"), "others", OPTIONS | {"subject": ""})
    assert told_of.new == 10
    report = json.loads(told("audit", "mine", "others", "--json"))
    figures = report["figures"]
    assert report["title"] == "Leakage audit of mine (protocol subject), others (protocol random)"
    assert (figures["images"], figures["different"]) == (38, 36)
    assert (figures["exact_groups"], figures["exact_groups_across"], figures["near_groups_across"]) == (2, 2, 2)
    found = [(place.split()[0], count) for place, others in figures["exact_in"].items() for count in others.values()]
    assert {name: sum(count for of, count in found if of == name) for name, _ in found} == {"mine": 2, "others": 2}
    assert "have an identical one in others" in told("audit", "mine", "others")


def test_adding_the_same_again_changes_nothing(project: Path) -> None:
    before, pointer = content(project / "data/raw/mine"), (project / "data/raw/mine.dvc").read_bytes()
    assert told(*MINE).startswith("data/raw/mine: 0 new images, 28 were there already\n")
    assert content(project / "data/raw/mine") == before
    assert (project / "data/raw/mine.dvc").read_bytes() == pointer
    assert changes(project) == {}


def test_adding_more_images_adds_shards_and_leaves_the_old_ones(project: Path) -> None:
    before, pointer = content(project / "data/raw/mine"), (project / "data/raw/mine.dvc").read_bytes()
    new_face(project / "my_faces/Sadness/p009-new.png")
    assert told(*MINE).startswith("data/raw/mine: 1 new images, 28 were there already\n")
    after = content(project / "data/raw/mine")
    assert sorted(set(after) - set(before)) == ["shard-00001.parquet"]
    assert after["shard-00000.parquet"] == before["shard-00000.parquet"]
    card = json.loads(told("card", "mine", "--json"))
    assert [each["from"] for each in card["added"]] == ["my_faces", "my_faces"]
    assert (card["images"], card["subjects"]) == (29, 5)
    assert (project / "data/raw/mine.dvc").read_bytes() != pointer
    assert changes(project) == {}


def test_list_tells_a_set_that_grew_since_it_was_versioned(project: Path) -> None:
    new_face(project / "my_faces/sad/p009-new.png")
    add(project, SOURCES["folder"], Path("my_faces"), "mine", OPTIONS)
    assert "changed since it was versioned; run `dvc add data/raw/mine`" in told("list")


def test_help_lists_every_source() -> None:
    listed = told("add", "--help")
    assert {line.split()[0] for line in listed.split("Commands:\n")[1].splitlines()} == set(SOURCES)
    for source in SOURCES.values():
        assert source.about.title[1:] in listed


@pytest.mark.parametrize("key", SOURCES)
def test_the_help_of_a_source_has_its_options_its_terms_and_where_to_ask(key: str) -> None:
    printed, about = told("add", key, "--help"), SOURCES[key].about
    assert f"  {about.where}\n" in printed  # on one line: an address that is cut in two cannot be followed
    listed = "".join(printed.split())  # lines are wrapped anywhere
    for text in (about.title[1:], about.terms, *(option.help for option in SOURCES[key].options)):
        assert "".join(text.split()) in listed
    options = {line.split()[0] for line in printed.split("Options:\n")[1].splitlines() if line.startswith("  -")}
    own = {f"--{option.name.replace('_', '-')}" for option in SOURCES[key].options}
    assert options == own | {"--source", "--name", "--skip-bad", "-h,"}


def test_a_suggestion_is_ready_for_params_yaml(project: Path) -> None:
    written = told("card", "mine").splitlines()[-1]
    params = DatasetParams(**yaml.safe_load(written)["dataset"])
    assert params == DatasetParams("mine", protocol="subject", folds=4)
    assert len(ingest(project, params)) == 28


def test_an_audit_says_what_the_policy_makes_of_it_and_fails_where_that_stops_the_pipeline(project: Path) -> None:
    """A copy of a test image in training, under each of the three policies."""
    copied_set()
    for policy, code, words in (
        ("drop", 0, "the pipeline sets 1 images aside: exact copy of an image in test"),
        ("report", 0, "the pipeline reports leakage.exact: 1 images"),
        ("fail", 1, "the pipeline stops: leakage.exact: 1 images"),
    ):
        set_params(dataset={"name": "copied", "protocol": "official"}, exact=policy)
        done = data("audit", "copied")
        assert (done.exit_code, words in done.output) == (code, True), done.output
        assert "\n\n\n" not in done.output
        as_json = data("audit", "copied", "--json")
        assert as_json.exit_code == code
        found = json.loads(as_json.stdout)["policy"]
        assert (found["set_aside"], len(found["reports"]), len(found["stops"])) == {
            "drop": (1, 0, 0),
            "report": (0, 1, 0),
            "fail": (0, 0, 1),
        }[policy]


def test_an_audit_is_of_the_folds_and_emotions_that_the_pipeline_trains_on(project: Path) -> None:
    set_params(dataset={"name": "mine", "protocol": "subject", "folds": 4, "emotions": ["happy", "sad"]}, exact="drop")
    printed = told("audit", "mine")
    assert printed.startswith("8 images (fold 0 2, fold 1 2, fold 2 2, fold 3 2), ")
    assert "\n\n\n" not in printed


def test_a_papers_protocol_only_reports_in_the_audit_too(project: Path) -> None:
    copied_set()
    set_params(dataset={"name": "copied", "protocol": "paper:resnet50_resnet34"}, exact="fail")
    assert "the pipeline reports leakage.exact: 1 images" in told("audit", "copied")


def test_of_what_no_pipeline_trains_on_an_audit_says_nothing_of_a_pipeline(project: Path) -> None:
    copied_set()
    set_params(dataset={"name": "copied", "protocol": "official"}, exact="fail")
    for arguments in (("copied", "--protocol", "official"), ("copied", "mine"), ("mine",)):
        printed = told("audit", *arguments)
        assert "the pipeline" not in printed
        assert "\n\n\n" not in printed
        assert printed.splitlines()[-2] == ""
        assert json.loads(told("audit", *arguments, "--json"))["policy"] is None


def copied_set() -> None:
    """The set `copied`, with a picture of test in training too, under one label."""
    rows = list(faces(4, 2, seed=5))
    for place, row in enumerate(rows):
        row["split"] = ("train", "validation", "test")[place % 3]
    rows[0] |= {name: rows[2][name] for name in ("image", "sha256", "label")}
    RawSet(Path("data/raw/copied")).append(rows)


def set_params(dataset: dict, exact: str) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["dataset"] = dataset
    params["validation"]["leakage"] = {"exact": exact, "near": "report", "conflicts": "report"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
