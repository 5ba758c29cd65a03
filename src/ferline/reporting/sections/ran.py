"""What was run: enough to find it again and to run it again."""

from typing import Any

from ferline.reporting.blocks import Block, Spans, code, facts, section, strong, text
from ferline.reporting.material import Material
from ferline.reporting.words import counted, digest, members

LEAKS = {"exact": "an exact copy", "subject": "the same person", "sequence": "a frame of the same video"}


def ran(material: Material) -> Block:
    """Dataset, protocol, digests, commit, seeds, device, time."""
    run, card = material.run, material.ranked[0].card
    rows: list[tuple[str, Spans]] = [
        ("Dataset", _dataset(card["dataset"])),
        ("Protocol", [code(card["dataset"]["protocol"]), *_cut(card["dataset"])]),
        ("Emotions", [", ".join(card["emotions"])]),
        ("Faces", [_faces(material)]),
        ("Models", [_models(material)]),
        ("Data digest", [code(digest(card["data_digest"]))]),
        ("Git commit", _commit(material)),
        ("Seed", [_seed(material)]),
        ("Scored on", [", ".join(sorted({str(each.content["device"]) for each in material.evaluations}))]),
        ("Time", [f"{run.started} to {run.ended} UTC" if run.ended else f"from {run.started} UTC, not ended"]),
        ("MLflow run", [code(run.name), " ", code(run.run_id)]),
    ]
    return section("What was run", [facts(rows)])


def warnings(material: Material) -> list[Block]:
    """What must be known before the first number is read."""
    card = material.ranked[0].card
    protocol, leaks = str(card["dataset"]["protocol"]), card.get("leaks") or {}
    found = [
        f"{leaks[kind]:,} of them have {told} in training or validation"
        for kind, told in LEAKS.items()
        if leaks.get(kind)
    ]
    if protocol.startswith("paper:"):
        more = f" Of the test images, {'; '.join(found)}." if found else ""
        told = f"This split is a paper's own and leaks by design: no number below is a promise of performance.{more}"
        return [text(strong("Not performance."), f" {told}", tone="warning")]
    if found:
        told = f"Of the test images, {'; '.join(found)}. The numbers below are too high by an unknown amount."
        return [text(strong("This split leaks."), f" {told}", tone="warning")]
    return []


def _dataset(dataset: dict[str, Any]) -> Spans:
    share = dataset.get("fraction", 1.0)
    return [code(dataset["name"]), f", {100 * share:.0f} % of its images" if share < 1 else ""]


def _cut(dataset: dict[str, Any]) -> Spans:
    return [f", {dataset['folds']} folds"] if dataset.get("folds") else []


def _faces(material: Material) -> str:
    faces = material.leaderboard.content["faces"]
    tests = material.ranked[0].predictions
    people = tests.loc[tests["split"] == "test", "subject"].nunique()
    return f"{faces['validation']:,} validation, {faces['test']:,} test" + (
        f" of {counted(people, 'person', 'people')}" if people else ""
    )


def _models(material: Material) -> str:
    each = members(material.leaderboard.rows[0])
    return f"{len(material.evaluations)}" + (f", each the mean of {each}" if each else "")


def _commit(material: Material) -> Spans:
    changed = ", with uncommitted changes" if material.run.changed else ""
    return [code(digest(material.run.commit)), changed]


def _seed(material: Material) -> str:
    rows = material.leaderboard.rows
    first = ", ".join(sorted({str(row["seed"]) for row in rows}))
    return f"{rows[0]['seeds']} of each model" if rows[0].get("seeds") else first
