"""A report replaces its folder, so it takes care whose folder that is."""

import pytest

from ferline.errors import FerlineError
from ferline.reporting.report import write


@pytest.fixture(scope="module")
def material(make_evaluation, make_material):
    return make_material(make_evaluation("only"))


def test_a_folder_of_other_files_is_refused_and_left_as_it_was(material, tmp_path):
    work = tmp_path / "thesis"
    work.mkdir()
    (work / "chapter.txt").write_text("years of work")
    with pytest.raises(FerlineError, match=r"thesis: holds chapter\.txt, which is no part of a report"):
        write(material, work)
    assert [path.name for path in work.iterdir()] == ["chapter.txt"]


def test_a_file_that_was_put_beside_a_report_is_not_lost(material, tmp_path):
    folder = write(material, tmp_path / "report").folder
    (folder / "pictures" / "notes.txt").write_text("remember")
    with pytest.raises(FerlineError, match=r"holds pictures/notes\.txt"):
        write(material, folder)
    assert (folder / "pictures" / "notes.txt").read_text() == "remember"


def test_a_file_in_place_of_the_folder_is_refused(material, tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(FerlineError, match="a file; name a folder"):
        write(material, tmp_path / "report")


def test_an_empty_folder_is_taken(material, tmp_path):
    (tmp_path / "report").mkdir()
    assert write(material, tmp_path / "report").page.exists()


def test_a_place_that_cannot_be_written_is_one_error(material, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FerlineError, match="could not be written"):
        write(material, tmp_path / "file" / "report")
