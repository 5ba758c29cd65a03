"""The five papers on docs/results.md: what each claims, what was run of it and came of it, and the pictures."""

import math
from pathlib import Path
from typing import Any

from floor import PAPERS as SIZES

from ferline.emotions import in_order
from ferline.evaluation import figures
from ferline.reporting.claims import PAPERS, Claim, Paper

DASH = "–"
PICTURES = ("confusion", "curves")
# Why a paper's number and an honest one differ: what was measured of its data (docs/datasets.md).
WHY = {
    "resnet50_gru": "CK+48 is 327 videos of 118 people, three neighbouring frames each. Under a random split the "
    "nearest "
    "neighbour on raw pixels is right in 99.0 % of the test images, and in 53.5 % with people apart: a random split "
    "measures how well a picture is found again.",
    "cnn_lstm": "The paper prints no number. Of FER+'s images drawn one by one, copies stand on both sides of the "
    "split: "
    "of 32,298 pictures 30,766 are different.",
    "cnn_lstm_svm": "279 of PublicTest's 3,589 pictures stand in Training too, 47 groups of identical pictures have "
    "different labels, and FER+'s ten taggers agree with FER2013's label on about 66 % of the pictures: the best "
    "published single networks reach 72 to 74 % on its test, so 94 % cannot be a number of new faces. "
    "After the run that learnt nothing, with the paper's l2 of 0.0018, most of its weights were below 1e-38.",
    "resnet50_resnet34": "As above: no network can agree with labels in 98 % of the pictures that people who label "
    "them "
    "anew give another one in a third of the cases. Copies explain at most 8 points.",
    "resnet50_transfer": "RAF-DB is not at hand; FER2013 stands in for it, whose labels are noisier. The paper "
    "draws its "
    "split image by image.",
}


def section(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## The five papers",
        "",
        "Test accuracy in per cent: as claimed; on the split that the paper describes, leaks included; and on an "
        "honest one "
        "(copies out of training, people apart where they are known, chosen on validation). Only the last says "
        "what to expect "
        "of new faces. Without ImageNet's weights, which cannot be had where this was run, a ResNet starts from "
        "random ones.",
        "",
        "| paper | data | claimed | paper protocol | honest protocol |",
        "|---|---|---|---|---|",
    ]
    for paper in PAPERS:
        for claim in paper.claims:
            if claim.split == "test":
                lines.append(_paper(paper, claim, rows))
    for paper in PAPERS:
        lines += ["", f"**`{paper.key}`**: {WHY[paper.key]}{_lost(paper, rows)}"]
    return lines + (_runs(rows) if rows else [])


def _runs(rows: list[dict[str, Any]]) -> list[str]:
    """Protocol, seeds, digest, commit, device and time of every run, and pictures of the honest ones."""
    lines = [
        "",
        "What was run, by `benchmarks/papers.py`; per cent; training's own accuracy is its last epoch's, as augmented:",
        "",
        "| run | members | test accuracy | macro-F1 | training | best epochs | minutes | on | data | code |",
        "|" + "---|" * 10,
    ]
    for row in rows:
        members = row["members"]
        named = "fold" if row["dataset"]["folds"] else "seed"
        cells = [
            f"`{row['name']}`",
            f"{named} {', '.join(str(each[named]) for each in members)}",
            accuracy(row),
            f"{row['mean']['macro_f1']:.3f}",
            f"{100 * sum(each['train_accuracy'] for each in members) / len(members):.1f}",
            ", ".join(f"{each['best_epoch']} of {each['epochs']}" for each in members),
            f"{sum(each['seconds'] for each in members) / 60:.0f}",
            f"{members[0]['computed']['device']}, {members[0]['computed']['numbers']}",
            f"`{row['data_digest'][:12]}`",
            f"`{row['commit']}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for row in filter(to_draw, rows):
        lines += ["", *(f"![{row['name']}, {kind}](images/results-{row['name']}-{kind}.png)" for kind in PICTURES)]
    return lines


def to_draw(row: dict[str, Any]) -> bool:
    """With its epochs on record: those of an older sitting have none to draw."""
    return not row["dataset"]["protocol"].startswith("paper:") and "history" in row["members"][0]


def _paper(paper: Paper, claim: Claim, rows: list[dict[str, Any]]) -> str:
    runs = map(_run, _sides(paper, claim, rows))
    return f"| {' | '.join([f'`{paper.key}`', claim.what, claim.numbers.get('accuracy', DASH), *runs])} |"


def _sides(paper: Paper, claim: Claim, rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """What was run beside a claim: on the paper's split, and on honest ones; with the paper's own faces first."""
    own = [row for row in rows if row["model"] == paper.key and claim.fits(row["dataset"]["name"], row["optimiser"])]
    own.sort(key=lambda row: _smaller(row) is not None)
    return [[row for row in own if row["dataset"]["protocol"].startswith("paper:") is side] for side in (True, False)]


def _lost(paper: Paper, rows: list[dict[str, Any]]) -> str:
    """By the same network, faces of the same size, from the paper's split to an honest one."""
    told = ""
    for claim in paper.claims:
        first = [side[0] for side in _sides(paper, claim, rows) if side]
        if len(first) == 2 and _smaller(first[0]) == _smaller(first[1]):
            if idle := [row["name"] for row in first if learnt_nothing(row)]:
                return (
                    f" With the paper's values `{'`, `'.join(idle)}` learnt nothing: its loss ends at that of a guess, "
                    "so the two splits cannot be held against each other."
                )
            lost = 100 * (first[0]["mean"]["accuracy"] - first[1]["mean"]["accuracy"])
            told = f" The same network, trained here on both splits, loses {lost:.1f} points from the one to the other."
    return told


def learnt_nothing(row: dict[str, Any]) -> bool:
    """The last epoch of some member is no better than a guess."""
    guess = math.log(len(row["dataset"]["emotions"]))
    losses = [each["history"][-1]["train_loss"] for each in row["members"] if "history" in each]
    return any(loss > guess - 0.02 for loss in losses)


def _run(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "not run"
    row = rows[0]
    members = row["members"]
    size = f", {side} pixels" if (side := _smaller(row)) else ""
    what = "folds" if row["dataset"]["folds"] else "seed" if len(members) == 1 else "seeds"
    on = members[0]["computed"]["device"] + (", learnt nothing" if learnt_nothing(row) else "")
    return f"{accuracy(row)} ({row['dataset']['protocol']}, {len(members)} {what}{size}, {on})"


def _smaller(row: dict[str, Any]) -> int | None:
    """The side of a run's faces, where it is not the paper's."""
    side = row.get("side")  # earlier runs, all with the paper's, do not say it
    return side if side != SIZES[row["model"]].input.side else None


def accuracy(row: dict[str, Any]) -> str:
    """The mean of a row's members, with their spread where there are several."""
    spread = f" ± {100 * row['sd']['accuracy']:.1f}" if row["sd"] else ""
    return f"{100 * row['mean']['accuracy']:.1f}{spread}"


def pictures(row: dict[str, Any], folder: Path) -> None:
    first, emotions = row["members"][0], in_order(row["dataset"]["emotions"])
    drawn = {
        "confusion": figures.confusion(row["scores"]["confusion"], emotions, f"{row['name']}: test"),
        "curves": figures.curves(first["history"], f"{row['name']}: training and validation", first["best_epoch"]),
    }
    for kind, figure in drawn.items():
        figures.save(figure, folder / f"results-{row['name']}-{kind}.png")
