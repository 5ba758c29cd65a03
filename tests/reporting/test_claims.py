"""What the papers claim, as data: whole, and laid beside the right runs."""

import numpy as np
import pytest

from ferline import params
from ferline.evaluation.metrics import score
from ferline.reporting.claims import METRICS, PAPERS, Claim


def test_every_paper_is_there_in_the_order_of_the_parameters():
    assert tuple(paper.key for paper in PAPERS) == params.PAPERS


def test_every_number_is_a_percentage_with_its_place_in_the_paper():
    claims = [claim for paper in PAPERS for claim in paper.claims]
    assert all(claim.where for claim in claims)
    numbers = [(metric, float(number)) for claim in claims for metric, number in claim.numbers.items()]
    assert len(numbers) == 25
    assert all(metric in METRICS and 50 < number < 100 for metric, number in numbers)


def test_every_metric_of_the_papers_is_one_that_is_measured_here():
    measured = score(np.arange(7), np.eye(7))
    assert set(METRICS.values()) <= set(measured)


def test_numbers_stand_as_printed():
    printed = {claim.what: claim.numbers for paper in PAPERS for claim in paper.claims}
    assert printed["FERG"] == {"accuracy": "68.10"}
    assert printed["FER2013, RMSprop"]["sensitivity"] == "96.25"
    assert printed["FERPlus"] == {}


@pytest.mark.parametrize(
    ("dataset", "optimiser", "fits"),
    [
        ("fer2013", "sgd", True),
        ("fer2013-small", "sgd", True),
        ("fer2013_tenth", "sgd", True),
        ("fer2013", "adam", False),
        ("fer20131", "sgd", False),
        ("my_fer2013", "sgd", False),
    ],
)
def test_a_run_stands_beside_a_claim_of_its_own_data_and_optimiser(dataset, optimiser, fits):
    claim = Claim("FER2013, SGDM", ("fer2013",), {}, "table 1", optimiser="sgd")
    assert claim.fits(dataset, optimiser) is fits
