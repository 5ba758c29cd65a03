"""What `ferline data ...` refuses: one clear message each, and the set that was there is intact."""

import shutil
from pathlib import Path

import pytest
from data_commands import MINE, changes, data, everything, new_face, refused, told


def test_bad_images_are_listed_and_refused_then_left_out(project: Path) -> None:
    before = everything(project)
    whole = (project / "my_faces/fear/p002-fear-0.jpg").read_bytes()
    (project / "my_faces/fear/nothing.jpg").write_bytes(b"")
    (project / "my_faces/fear/half.jpg").write_bytes(whole[: len(whole) // 2])
    new_face(project / "my_faces/fear/p007-new.png")
    message = refused(*MINE)
    assert message.startswith("Error: 2 of 31 files are no whole images:\n")
    assert "  - fear/half.jpg: truncated" in message
    assert "  - fear/nothing.jpg: empty file (0 bytes)" in message
    assert "Nothing was added. Mend or remove them, or write --skip-bad to leave them out" in message
    assert everything(project) == before
    assert changes(project) == {}
    assert told(*MINE, "--skip-bad").startswith(
        "data/raw/mine: 1 new images, 28 were there already, 2 left out that are no whole images\n"
    )
    assert "    - 2 files that are no whole images were left out" in told("card", "mine").splitlines()


def test_a_new_set_of_bad_images_alone_leaves_nothing(bare: Path) -> None:
    (bare / "bad/happy").mkdir(parents=True)
    (bare / "bad/happy/a.jpg").write_bytes(b"")
    message = refused("add", "folder", "--source", "bad", "--skip-bad")
    assert message == "Error: there is not one image to add. Nothing was added"
    assert told("list").startswith("no sets yet")


def test_another_image_under_a_known_id_is_refused(intact: Path) -> None:
    new_face(intact / "my_faces/happy/p000-happy-0.jpg")
    new_face(intact / "my_faces/angry/p008-new.png")
    message = refused(*MINE)
    assert "data/raw/mine: id 'happy/p000-happy-0.jpg' stands for two images" in message
    assert message.endswith("Nothing was added")


def test_another_kind_of_set_under_the_name_is_refused(intact: Path) -> None:
    new_face(intact / "jaffe/KA.AN1.39.png")
    message = refused("add", "jaffe", "--source", "jaffe", "--name", "mine")
    assert "a set of the kind 'folder' is there already, and 'jaffe' images do not belong into it" in message
    assert message.endswith("Give the new set another --name. Nothing was added")
    message = refused("synthesize", "--identities", "1", "--takes", "1", "--name", "mine")
    assert "a set of the kind 'folder' is there already, and synthetic images do not belong into it" in message


def test_what_is_said_otherwise_of_a_known_image_is_not_lost_in_silence(intact: Path) -> None:
    message = refused(*MINE[:-2])
    assert "28 of its images are described otherwise now" in message
    assert "'angry/p000-angry-0.jpg': subject is 'p000' there and None here" in message
    assert message.endswith("Nothing was added")


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden", "mine.dvc", ""])
def test_a_name_that_is_none_is_refused(intact: Path, name: str) -> None:
    message = f"Error: name: {name!r} is not allowed; write the name of a set under data/raw/"
    assert refused("add", "folder", "--source", "my_faces", "--name", name) == message
    assert refused("card", name) == refused("audit", name) == message


def test_a_source_that_is_not_there_is_refused(intact: Path) -> None:
    message = refused("add", "folder", "--source", "my_fases", "--name", "mine")
    assert message.startswith("Error: my_fases: this is not a folder of your own images")
    assert "Nothing was added" in message
    assert "Found: nothing; the path does not exist" in message


def test_an_unknown_option_is_refused(intact: Path) -> None:
    result = data(*MINE, "--skip")
    assert result.exit_code == 2
    assert "No such option '--skip'" in result.stderr


def test_a_set_that_is_not_there_is_refused_with_those_that_are(intact: Path) -> None:
    for command in ("card", "sheet", "audit"):
        assert "'yours' is no set in data/raw; known sets here: mine" in refused(command, "yours")


def test_where_no_dvc_is_nothing_is_read(bare: Path) -> None:
    shutil.rmtree(bare / ".dvc")
    message = refused(*MINE)
    assert message == (f"Error: {bare}: no DVC project. Run this in the project's folder, or `dvc init` there first")
    assert not (bare / "data").exists()


def test_a_sheet_that_cannot_be_written_is_told(intact: Path) -> None:
    assert "my_faces/happy/p000-happy-0.jpg/x.png: could not be written" in refused(
        "sheet", "mine", "--out", "my_faces/happy/p000-happy-0.jpg/x.png"
    )
