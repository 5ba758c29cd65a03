"""What the numbers do not say."""

from collections.abc import Iterator

from ferline.reporting.blocks import Block, bullets, section
from ferline.reporting.material import Material
from ferline.reporting.words import counted

SMALL = 50  # faces of an emotion; of fewer, an interval of recall is wider than 0.25


def limits(material: Material) -> Block:
    """From the data of this run, then what holds for every one."""
    return section("Limits", [bullets([[line] for line in [*_of_this(material), *_of_all(material)]])])


def _of_this(material: Material) -> Iterator[str]:
    first, row = material.ranked[0], material.leaderboard.rows[0]
    dataset, scores = first.card["dataset"], first.scores("test")
    if str(dataset["name"]).startswith("synthetic"):
        yield "The faces are drawn: these numbers say that the networks learn, and nothing of real faces."
    if first.members == 1:
        yield "Every model was trained once: what another seed would change is not in the intervals."
    if row.get("folds"):
        yield "Numbers are means over folds; what may be promoted is one model, the first fold's."
    yield from _of_faces(first.content["bootstrap"]["by"])
    few = [f"{name} {each['support']}" for name, each in scores["per_class"].items() if each["support"] < SMALL]
    if few:
        yield f"Some emotions have few test faces ({', '.join(few)}): a face is two points of their recall or more."
    if first.content["robustness"]:
        faces = first.content["robustness"]["faces"]
        yield f"Robustness was measured with {counted(faces, 'face')} and made-up corruptions; cameras have others."
    if first.content["slices"]:
        yield "Groups of faces differ in more than the name of their column: a gap between them is no cause."


def _of_faces(drawn_by: str) -> Iterator[str]:
    if drawn_by == "subject":
        yield "Intervals draw people whole and tests hold a person's faces together: both speak of people like these."
    elif drawn_by == "sequence":
        yield "Intervals draw videos whole, for nobody is named: where a person is in several, they are too narrow."
    else:
        yield "Nothing says who is in the faces: where people recur, the intervals are too narrow."


def _of_all(material: Material) -> Iterator[str]:
    metric = material.leaderboard.content["select_on"]
    yield (
        f"The first of {counted(len(material.evaluations), 'model')} was chosen on {metric}, so its {metric} number "
        "is a little too good. The test faces had no part in the choice."
    )
    yield "One set was tested. Other cameras, ages, light and labels than its own are not in these numbers."
    yield "Milliseconds are of the machine that evaluated; another has others."
    yield "Occlusion maps show what an answer hangs on, not why, nor that it should."
    yield "A label is what somebody saw in a face. An expression is not a feeling: do not use this to judge people."
