"""The model card: what a model is, what it was measured to do, and what it must not be used for, in Markdown.

Made from the TrainedModel and what was measured of it, with no date and no machine in it: equal content, equal bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferline.artifact import write_text
from ferline.emotions import in_order
from ferline.errors import FerlineError
from ferline.evaluation.evaluate import Evaluation
from ferline.models.trained import TrainedModel
from ferline.serving.exam_text import NUMBERS
from ferline.serving.predictor import detector_of

DASH = "–"
ENOUGH = 100  # faces, of which a score of a part of an exam says anything
NOISY = ("fer2013", "ferplus")  # readers and sets whose labels and images have the faults that `_of_fer` names

USES = (
    "Research and teaching on facial expressions; a baseline to compare with; sorting one's own pictures; measuring "
    "how a pipeline behaves. A person should see what it says, and be able to disregard it."
)
MISUSES = (
    "**Judging people**: hiring, grading, policing, border control, insurance, credit, lie detection, diagnosis.",
    "**Watching people at work or at school.** The European Union's AI Act forbids inferring emotions there "
    "(article 5(1)(f)), except for medical or safety reasons.",
    "**Watching people who have not agreed**, or who cannot refuse.",
    "**Saying what somebody feels.** It says which of a few words people would give to a picture of a face.",
)
HARMS = (
    "An expression is not a feeling. People scowl when they are not angry and are angry without a scowl; how faces "
    "move differs between people, situations and cultures (Barrett et al., *Psychological Science in the Public "
    "Interest*, 2019).",
    "Commercial systems of this kind gave Black men's faces more anger and contempt than white men's, their "
    "smiles being alike (Rhue, 2018). Where no groups were measured, nothing says that this model does better.",
    "Errors are not spread evenly: the rare emotions, and faces that are turned, covered, old, very young or badly "
    "lit, are told worse. A paralysis, a scar or a veil can turn into an emotion that nobody showed.",
    "A confidence is calibrated on pictures like those it was measured on. On others it is too high.",
)
OF_FER = (
    "FER2013's pictures were collected from the web by emotion words. Nobody in them was asked, and nobody knows who "
    "they are: age, gender, skin tone and origin cannot be balanced, nor measured.",
    "Its labels are noisy: people who label it anew agree with them in about two of three pictures (65 ± 5%, "
    "Goodfellow et al., 2013). FER+'s ten votes a picture are better, and disagree with FER2013's own labels often.",
    "Many of its pictures are posed, acted or stock photographs: these expressions are stronger than everyday ones.",
    "It holds the same picture several times, on both sides of its split and under different labels.",
)


def write(
    path: Path, model: TrainedModel, evaluation: Evaluation | None = None, exams: Sequence[Mapping[str, Any]] = ()
) -> None:
    """The card as a file."""
    try:
        write_text(path, as_markdown(model, evaluation, exams))
    except OSError as error:
        raise FerlineError(f"{path}: could not be written ({error.strerror})") from None


def as_markdown(
    model: TrainedModel, evaluation: Evaluation | None = None, exams: Sequence[Mapping[str, Any]] = ()
) -> str:
    """`exams`: what `ferline evaluate` wrote (exam.json) of this model on other sets or splits."""
    _require_own(model, evaluation, exams)
    scored = list(_scored(evaluation, exams))
    sections = [
        _head(model),
        ("Use", [USES, "", "Not for:", "", *_bullets(MISUSES)]),
        ("Data and protocol", _data(model, exams)),
        ("Training", _training(model)),
        ("Results", _results(scored)),
        *((f"By emotion: {title}", _classes(scores)) for title, scores, found in scored if found),
        ("Confidence", _calibration(model, scored, exams)),
        ("When the picture is bad", _robustness(evaluation, exams)),
        ("For whom it works", _groups(evaluation)),
        ("Harms and limits", _limits(model, exams)),
    ]
    text = "\n\n".join(
        f"{'#' if number == 0 else '##'} {title}\n\n{_joined(lines)}" for number, (title, lines) in enumerate(sections)
    )
    return f"{text}\n"


Scored = tuple[str, Mapping[str, Any], Mapping[str, Any]]  # a title, scores with intervals, calibration


def _require_own(model: TrainedModel, evaluation: Evaluation | None, exams: Sequence[Mapping[str, Any]]) -> None:
    digests = [evaluation.model_digest] if evaluation else []
    for digest in [*digests, *(exam["model"]["digest"] for exam in exams)]:
        if digest != model.digest:
            raise FerlineError(
                f"{model.folder}: the numbers are of another model ({digest[:12]}, this is {model.digest[:12]}). "
                "Evaluate this one"
            )


def _scored(evaluation: Evaluation | None, exams: Sequence[Mapping[str, Any]]) -> Iterator[Scored]:
    if evaluation:
        for split in ("validation", "test"):
            scores = evaluation.scores(split)
            yield split, scores, scores["calibration"]
    for exam in exams:
        for question in exam["questions"].values():
            title = _title(exam, question)
            yield f"{title}{_seen(question)}", question["scores"], question["calibration"]
            if question["unseen"] and question["unseen"]["faces"] >= ENOUGH:
                yield f"{title}, without images it was trained or chosen on", question["unseen"], {}


def _called(data: Mapping[str, Any]) -> str:
    return data.get("called", data["split"])  # exams of before do not say how their set calls it


def _title(exam: Mapping[str, Any], question: Mapping[str, Any]) -> str:
    data, views = exam["data"], exam["model"]["views"]
    averaged = f", mean of {views} views" if views > 1 else ""
    return f"{data['reader']} {_called(data)}, {question['title']}{averaged}"


def _seen(question: Mapping[str, Any]) -> str:
    return f" ({question['seen']:,} of them trained or chose it: no test)" if question["seen"] else ""


def _head(model: TrainedModel) -> tuple[str, list[str]]:
    card = model.card
    side, channels = card["input"]["side"], card["input"]["channels"]
    lines = [
        f"`{card['model']}`, {card['parameters']:,} parameters. It takes a face of {side} x {side} pixels "
        f"({'grey' if channels == 1 else 'RGB'}) and gives a share to each of {len(model.emotions)} emotions: "
        f"{', '.join(model.emotions)}.",
        "",
        f"Digest `{model.digest}`.",
    ]
    if model.tells_votes:
        told = ", ".join(model.voted().emotions)
        lines[1:1] = [
            "",
            "It has two heads, which learnt from the same pictures. The first tells the label that the set gives; the "
            f"second, how likely each of these is to be what most people would say: {told}.",
        ]
    return str(card["architecture"]), lines


def _data(model: TrainedModel, exams: Sequence[Mapping[str, Any]]) -> list[str]:
    card = model.card
    dataset, leaks = card.get("dataset", {}), card.get("leaks")
    lines = []
    if dataset:
        fold = "" if card.get("fold") is None else f", fold {card['fold']} tested"
        lines.append(f"- Trained on `{dataset['name']}`, protocol `{dataset.get('protocol', 'official')}`{fold}.")
    lines.append(f"- Data digest `{card['data_digest']}`.")
    if leaks:
        lines.append(f"- Leaks between its splits, counted: {', '.join(f'{n} {kind}' for kind, n in leaks.items())}.")
    faces = ", ".join(f"{key} {_plain(value)}" for key, value in sorted(card["preprocessing"].items()))
    lines.append(f"- How faces were cut out: {faces or 'not said'}.")
    lines.append(f"- In photographs, faces are found by `{detector_of(card)}` unless told otherwise.")
    for exam in exams:
        data = exam["data"]
        found = "" if data["cropped"] else f"; in {data['no_face']:,} no face was found, their middle was told"
        lines.append(
            f"- Measured on `{data['file']}` ({data['reader']}, {_called(data)}, {data['images']:,} images{found})."
        )
    return lines


def _training(model: TrainedModel) -> list[str]:
    card = model.card
    settings = {**card["training"], "seed": card["seed"], "weights": card.get("weights", "none"), **card["options"]}
    lines = _table(("setting", "value"), [(f"`{key}`", _plain(value)) for key, value in sorted(settings.items())])
    best = f"The best of {len(model.history)} epochs on validation is the {_ordinal(card['best_epoch'])}."
    if "mean_of" in card:
        parts = " and ".join(f"`{each['architecture']}` (`{each['digest'][:12]}`)" for each in card["mean_of"])
        best = f"Its weights are the mean of those of {parts}. Of the last of them: {best[0].lower()}{best[1:]}"
    return [best, "", *lines]


def _results(scored: Sequence[Scored]) -> list[str]:
    if not scored:
        return ["Not measured. Nothing is known of what this model does."]
    rows = [
        (
            title,
            f"{scores['faces']:,}",
            *(_with_interval(scores[key], scores["intervals"].get(key)) for key in ("accuracy", "macro_f1", "ece")),
        )
        for title, scores, _ in scored
    ]
    names = ("measured on", "faces", *(NUMBERS[key] for key in ("accuracy", "macro_f1", "ece")))
    return [
        *_table(names, rows),
        "",
        "In brackets: 95% intervals by bootstrap, people drawn whole where they are known.",
    ]


def _classes(scores: Mapping[str, Any]) -> list[str]:
    rows = []
    for emotion in in_order(scores["per_class"]):  # JSON keeps them by name
        each = scores["per_class"][emotion]
        recall = _with_interval(each["recall"], scores["intervals"].get(f"recall/{emotion}"))
        rows.append((emotion, f"{each['support']:,}", _share(each["precision"]), recall, _share(each["f1"])))
    return _table(("emotion", "faces", "precision", "recall", "F1"), rows)


def _calibration(model: TrainedModel, scored: Sequence[Scored], exams: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"Its logits are divided by a temperature of {model.temperature:.3f}, fitted on validation, so that of the "
        "faces told with 80% some 80% are right."
    ]
    if model.tells_votes:
        lines[0] += (
            f" Those of the votes by one of {model.voted().temperature:.3f}, fitted to what people said of all faces, "
            "so that of 100 people some 80 would say what is told with 80%."
        )
    lines += [_beside_people(exam) for exam in exams if exam.get("people")]
    rows = [
        (title, *(_share(found[when][key]) for when in ("before", "after") for key in ("ece", "log_loss")))
        for title, _, found in scored
        if found
    ]
    names = ("measured on", "ECE before", "log loss before", "ECE after", "log loss after")
    return [*lines, "", *_table(names, rows)] if rows else lines


def _beside_people(exam: Mapping[str, Any]) -> str:
    people, data = exam["people"], exam["data"]
    return (
        f"Of {people['faces']:,} faces ({data['file']}, {_called(data)}), on {people['without_majority']:,} of which "
        f"no emotion has more than half of the votes, it is sure of {people['confidence']:.3f} by votes on average, as "
        f"{people['agreed']:.3f} of the people say so too; calibration error {people['ece']:.3f}."
    )


def _robustness(evaluation: Evaluation | None, exams: Sequence[Mapping[str, Any]]) -> list[str]:
    measured = [("test", evaluation.content["robustness"])] if evaluation else []
    for exam in exams:
        for question in exam["questions"].values():
            measured.append((f"{_title(exam, question)}{_seen(question)}", question.get("robustness")))
    parts = [_corrupted(title, found) for title, found in measured if found]
    return "\n\n".join("\n".join(part) for part in parts).splitlines() or ["Not measured."]


def _corrupted(title: str, found: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, *(_share(each["accuracy"]) for each in graded)) for name, graded in sorted(found["corruptions"].items())
    ]
    strengths = [f"strength {each['strength']}" for each in next(iter(found["corruptions"].values()))]
    lost = f"{found['drop']:.3f} ({found['interval'][0]:.3f} to {found['interval'][1]:.3f})"
    said = (
        f"{title}: accuracy of {found['faces']:,} faces is {found['accuracy']:.3f}; corrupted, it loses {lost} on "
        "average."
    )
    return [said, "", *_table(("accuracy under", *strengths), rows)]


def _groups(evaluation: Evaluation | None) -> list[str]:
    found = evaluation.content["slices"] if evaluation else []
    if not found:
        return ["Not measured: the data say nothing of who is in the faces."]
    lines = []
    for each in found:
        rows = [
            (
                str(group["name"]),
                f"{group['faces']:,}",
                _with_interval(group["accuracy"], group["interval"]),
                _with_interval(group["macro_recall"], group["macro_recall_interval"]),
            )
            for group in each["groups"]
        ]
        lines += [
            *_table((f"`{each['column']}`", "faces", "accuracy", "macro recall"), rows),
            "",
            _apart(each["gap"]),
            "",
        ]
    return lines[:-1]


def _apart(gap: Mapping[str, Any] | None) -> str:
    if not gap:
        return "Too few faces or people to say how far apart the groups are."
    return (
        f"Apart by {_with_interval(gap['macro_recall'], gap['interval'])} of macro recall; p {gap['p']:.3f} by chance."
    )


def _limits(model: TrainedModel, exams: Sequence[Mapping[str, Any]]) -> list[str]:
    trained_on = str(model.card.get("dataset", {}).get("name", ""))
    readers = {trained_on, *(exam["data"]["reader"] for exam in exams)}
    noisy = any(name.startswith(NOISY) for name in readers)
    drawn = (
        ["Its faces are drawn: these numbers say nothing of real ones."] if trained_on.startswith("synthetic") else []
    )
    return _bullets([*drawn, *HARMS, *(OF_FER if noisy else ())])


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names), *rows)]


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    return _share(value) + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval and value is not None else "")


def _share(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _plain(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: DASH}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _ordinal(number: int) -> str:
    special = {1: "st", 2: "nd", 3: "rd"} if number % 100 not in (11, 12, 13) else {}
    return f"{number}{special.get(number % 10, 'th')}"


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)
