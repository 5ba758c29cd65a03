"""An exam in words, for the terminal."""

from collections.abc import Mapping
from typing import Any

from ferline.emotions import in_order

NUMBERS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "macro_roc_auc": "macro ROC AUC",
    "log_loss": "log loss",
    "ece": "calibration error (ECE)",
}


def as_text(content: Mapping[str, Any]) -> str:
    """Every question's numbers with their 95% intervals, then class by class."""
    model, data = content["model"], content["data"]
    views = "one view a face" if model["views"] == 1 else f"the mean of {model['views']} views a face"
    lines = [
        f"{model['architecture']} ({model['digest'][:12]}, {model['parameters']:,} parameters), {views}",
        f"{data['reader']}: {data['file']}, split {_called(data)}, {data['images']:,} images, {_faces(data)}",
    ]
    for question in content["questions"].values():
        lines += ["", question["title"], *_question(question)]
    if people := content.get("people"):
        lines += ["", *_people(people)]
    by = {"subject": "people drawn whole", "sequence": "videos drawn whole"}.get(
        content["bootstrap"]["by"], "face by face"
    )
    return "\n".join([*lines, "", f"Intervals: 95%, {content['bootstrap']['resamples']:,} resamples, {by}."])


def _called(data: Mapping[str, Any]) -> str:
    """The split as it is called here, and where it differs in the set's own papers."""
    split, called = data["split"], data["called"]
    return split if called == split else f"{split} ({called})"


def _faces(data: Mapping[str, Any]) -> str:
    if data["cropped"]:
        return "faces cut out already"
    return f"no face found in {data['no_face']:,}, whose central square stood in"


def _question(question: Mapping[str, Any]) -> list[str]:
    scores, intervals = question["scores"], question["scores"]["intervals"]
    lines = [f"  {scores['faces']:,} faces"]
    if question["left_out"]:
        parts = ", ".join(f"{count:,} {reason}" for reason, count in question["left_out"].items())
        lines.append(f"  left out: {parts}")
    if question["never_told"]:
        lines.append(f"  the model never says {', '.join(question['never_told'])}: all such faces count as mistakes")
    if question["set_aside"]:
        lines.append(f"  the model's {', '.join(question['set_aside'])} is set aside, its share given to the others")
    lines += [f"  {title:24} {_number(scores[key], intervals.get(key))}" for key, title in NUMBERS.items()]
    lines.append(f"  {'before calibration':24} ECE {question['calibration']['before']['ece']:.4f}")
    lines += _seen(question)
    if found := question.get("robustness"):
        lines.append(
            f"  {'corrupted':24} {found['faces']:,} faces lose {_number(found['drop'], found['interval'])} of "
            f"{found['accuracy']:.4f} on average"
        )
    return lines + _classes(question)


def _people(people: Mapping[str, Any]) -> list[str]:
    return [
        f"Votes: {people['faces']:,} faces, on {people['without_majority']:,} of which no emotion has more than half",
        f"  told with {people['confidence']:.4f} on average, as {people['agreed']:.4f} of the people say too; "
        f"calibration error {people['ece']:.4f}",
    ]


def _seen(question: Mapping[str, Any]) -> list[str]:
    """What the model was trained or chosen on: the very files, and faces that look as one of those does."""
    seen, alike, unseen = question["seen"], question["seen_alike"], question["unseen"]
    if not seen:
        return ["  none of these images was trained or chosen on, as a file or by its looks"]
    told = f", {alike:,} by {'its' if alike == 1 else 'their'} looks (another file of the photograph)" if alike else ""
    if unseen is None:
        return [f"  all of these images were trained or chosen on{told}: this is no test"]
    return [
        f"  {seen:,} of these images were trained or chosen on{told}; without them, {unseen['faces']:,} faces:",
        *(f"    {NUMBERS[key]:24} {_number(unseen[key], unseen['intervals'].get(key))}" for key in NUMBERS),
    ]


def _classes(question: Mapping[str, Any]) -> list[str]:
    intervals = question["scores"]["intervals"]
    lines = [f"  {'emotion':10} {'faces':>6} {'precision':>10} {'recall':>8} {'95%':>16} {'F1':>8}"]
    for emotion in in_order(question["scores"]["per_class"]):  # JSON keeps them by name
        row = question["scores"]["per_class"][emotion]
        if row["recall"] is None:
            lines.append(f"  {emotion:10} {row['support']:>6,}")
            continue
        low, high = intervals[f"recall/{emotion}"] or (float("nan"), float("nan"))
        lines.append(
            f"  {emotion:10} {row['support']:>6,} {row['precision']:>10.3f} {row['recall']:>8.3f} "
            f"{f'{low:.3f} to {high:.3f}':>16} {row['f1']:>8.3f}"
        )
    return lines


def _number(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "cannot be computed"
    return f"{value:.4f}" + (f"  ({interval[0]:.4f} to {interval[1]:.4f})" if interval else "")
