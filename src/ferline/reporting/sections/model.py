"""One model: its errors, how it learnt, how far its confidence goes, what it looks at, examples that may be shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from ferline.evaluation.evaluate import Evaluation
from ferline.reporting.blocks import (
    Block,
    Spans,
    cell,
    code,
    facts,
    group,
    part,
    picture,
    strong,
    table,
    text,
)
from ferline.reporting.rival import Rival
from ferline.reporting.words import counted, interval, p_value, share, told

Files = Mapping[str, str]  # which picture: where it lies


def model(place: int, evaluation: Evaluation, rival: Rival | None, files: Files, champion: bool) -> Block:
    """`files`: the pictures of it that there are and may be shown; `difference` is the one against the rival."""
    title: Spans = [f"{place}. ", code(evaluation.architecture), *([" ", strong("champion")] if champion else [])]
    blocks = [
        facts(_facts(evaluation)),
        _by_emotion(evaluation),
        *_errors(evaluation, rival, files),
        _learning(evaluation, files),
        _robustness(evaluation),
        _slices(evaluation),
        *_looks(evaluation, files),
        _missing(evaluation, files),
    ]
    return part(title, f"model-{place}", blocks)


def may_be_shown(evaluation: Evaluation) -> bool:
    """Whether faces that it was tested on may be shown; only an explicit yes is one."""
    return evaluation.card.get("shareable") is True


def _facts(evaluation: Evaluation) -> list[tuple[str, Spans]]:
    card, content = evaluation.card, evaluation.content
    side, channels = card["input"]["side"], "grey" if card["input"]["channels"] == 1 else "RGB"
    start = {"imagenet": "ImageNet weights", "none": "random weights"}.get(
        card["weights"], f"the weights of {card['weights']}"
    )
    size = f"{content['parameters']:,} parameters, {content['size_bytes'] / 1e6:.1f} MB"
    kept = "mean best epoch" if evaluation.members > 1 else "epoch kept"
    return [
        ("Network", [code(card["model"]), f", {side} × {side} {channels}, from {start}; {size}"]),
        ("Training", [_training(card["training"]), f"; {kept} {content['best_epoch']} of {len(evaluation.history)}"]),
        ("One face", [f"{evaluation.latency_ms:.1f} ms on one CPU thread"]),
        ("Weights", [code(evaluation.model_digest[:12])]),
    ]


def _training(training: Mapping[str, Any]) -> str:
    known = {"optimiser": "{}", "learning_rate": "rate {:g}", "batch_size": "batches of {}"}
    return ", ".join(form.format(training[name]) for name, form in known.items() if name in training)


def _by_emotion(evaluation: Evaluation) -> Block:
    scores = evaluation.scores("test")
    rows = [
        [
            cell(emotion),
            cell(f"{each['support']:,}"),
            *(
                cell(share(each[name]), small=interval(scores["intervals"].get(f"{name}/{emotion}")))
                for name in ("recall", "precision", "f1", "specificity")
            ),
        ]
        for emotion, each in ((emotion, scores["per_class"][emotion]) for emotion in evaluation.emotions)
    ]
    means = [
        cell(share(scores[f"macro_{name}"]), small=interval(scores["intervals"].get(f"macro_{name}")))
        for name in ("recall", "precision", "f1", "specificity")
    ]
    rows.append([cell({"strong": "mean"}), cell(f"{scores['faces']:,}"), *means])
    accuracy = told(scores["accuracy"], scores["intervals"].get("accuracy"))
    return table(
        ["emotion", "faces", "recall", "precision", "F1", "specificity"],
        rows,
        caption=f"On test: accuracy {accuracy}",
    )


def _errors(evaluation: Evaluation, rival: Rival | None, files: Files) -> list[Block]:
    name = evaluation.architecture
    blocks: list[Block] = []
    if "confusion_test" in files:
        alt = f"Confusion matrix of {name} on test, accuracy {share(evaluation.scores('test')['accuracy'])}"
        blocks.append(picture(files["confusion_test"], alt, "A row is a true emotion, a column what it is called."))
    if rival is None:
        blocks.append(text("There is no other model to hold its confusion matrix against.", tone="note"))
    elif "difference" not in files:
        other = ", ".join(rival.evaluation.emotions)
        blocks.append(text(f"Not held against {rival.what}: that tells other emotions ({other}).", tone="note"))
    return [*blocks, *_against(evaluation, rival, files), *_reliability(evaluation, files)]


def _against(evaluation: Evaluation, rival: Rival | None, files: Files) -> list[Block]:
    if rival is None or "difference" not in files:
        return []
    faces = "" if rival.same_faces else " The two were tested on different faces, so part of the difference is theirs."
    caption = f"Against {rival.what}: of 100 faces of each emotion, how many more it calls each thing.{faces}"
    alt = f"Confusion matrix of {evaluation.architecture} minus that of {rival.evaluation.architecture}, in points"
    return [picture(files["difference"], alt, caption, narrow=True)]


def _reliability(evaluation: Evaluation, files: Files) -> list[Block]:
    if "reliability" not in files:
        return []
    scores, content = evaluation.scores("test"), evaluation.content
    before, ends = scores["calibration"]["before"], scores["intervals"]
    caption = (
        f"Confidence against accuracy. ECE {told(scores['ece'], ends.get('ece'))}, Brier "
        f"{told(scores['brier'], ends.get('brier'))} with the temperature {content['temperature']:.2f}, fitted on "
        f"validation; ECE {before['ece']:.3f} and Brier {before['brier']:.3f} without."
    )
    return [picture(files["reliability"], f"Reliability diagram of {evaluation.architecture} on test", caption)]


def _learning(evaluation: Evaluation, files: Files) -> Block | None:
    if "curves" not in files:
        return None
    caption = "Loss and accuracy by epoch" + (", the mean of its trainings." if evaluation.members > 1 else ".")
    return picture(files["curves"], f"Training curves of {evaluation.architecture}", caption)


def _robustness(evaluation: Evaluation) -> Block | None:
    """The corruption that costs most comes first; a cell is the darker, the more of the clean accuracy is lost."""
    found = evaluation.content["robustness"]
    if not found:
        return None
    kinds = sorted(found["corruptions"].items(), key=lambda each: _mean_accuracy(each[1]))
    strengths = [f"strength {each['strength']}" for each in kinds[0][1]]
    rows = [
        [cell(kind), *(_corrupted(each["accuracy"], found["accuracy"]) for each in graded)] for kind, graded in kinds
    ]
    caption = (
        f"Accuracy on {counted(found['faces'], 'test face')}, corrupted: {share(found['accuracy'])} without, "
        f"{told(found['drop'], found['interval'])} less on average"
    )
    return table(["corruption", *strengths], rows, caption=caption)


def _mean_accuracy(graded: Sequence[Mapping[str, Any]]) -> float:
    return sum(float(each["accuracy"]) for each in graded) / len(graded)


def _corrupted(accuracy: float, clean: float) -> dict[str, Any]:
    lost = (clean - accuracy) / clean if clean else 0.0
    return cell(share(accuracy), shade=min(max(lost, 0.0), 1.0))


def _slices(evaluation: Evaluation) -> Block | None:
    lines: list[Any] = []
    for each in evaluation.content["slices"]:
        lines.append(group(code(each["column"]), _apart(each)))
        lines += [_group(one) for one in each["groups"]]
    if not lines:
        return None
    return table(["group", "faces", "accuracy", "mean recall"], lines, caption="Groups of test faces")


def _apart(slices: Mapping[str, Any]) -> str:
    """How far its groups are apart, and in which emotion most."""
    gap = slices["gap"]
    if not gap:
        return ": too few faces or people to compare"
    known = {emotion: value for emotion, value in gap["by_emotion"].items() if value is not None}
    widest = max(known, key=lambda emotion: known[emotion], default=None)
    most = f"; widest in {widest}, {share(known[widest])}" if widest else ""
    return f": gap in mean recall {told(gap['macro_recall'], gap['interval'])}, {p_value(gap['p'])}{most}"


def _group(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        cell(str(one["name"])),
        cell(f"{one['faces']:,}"),
        cell(share(one["accuracy"]), small=interval(one["interval"])),
        cell(share(one["macro_recall"]), small=interval(one["macro_recall_interval"])),
    ]


def _looks(evaluation: Evaluation, files: Files) -> list[Block]:
    blocks: list[Block] = []
    name = evaluation.architecture
    if "occlusion" in files:
        caption = (
            "Occlusion maps, the mean of each emotion's faces: orange where a black square takes the true emotion's "
            "probability away, blue where it adds some."
        )
        blocks.append(picture(files["occlusion"], f"Occlusion maps of {name}", caption))
    for kind in ("right", "wrong"):
        if kind in files:
            caption = f"Test faces that it tells {kind}, the most confident of each emotion in turn."
            blocks.append(picture(files[kind], f"Test faces that {name} tells {kind}", caption))
    return blocks


def _missing(evaluation: Evaluation, files: Files) -> Block | None:
    """In a few words, instead of empty frames."""
    reasons = []
    if not may_be_shown(evaluation):
        said = (
            "its terms do not allow it"
            if evaluation.card.get("shareable") is False
            else "nothing says that they may be"
        )
        reasons.append(f"example faces: those of {evaluation.card['dataset']['name']} are not shown, as {said}")
    elif "right" not in files:
        reasons.append(f"example faces{_because(evaluation)}")
    if not evaluation.content["robustness"]:
        reasons.append("robustness: not measured")
    if not evaluation.content["slices"]:
        reasons.append("slices: the set has no groups to tell apart")
    if "occlusion" not in files:
        reasons.append(f"occlusion maps{_because(evaluation)}")
    return text(f"Not here: {'; '.join(reasons)}.", tone="note") if reasons else None


def _because(evaluation: Evaluation) -> str:
    return ": drawn of single trainings only" if evaluation.members > 1 else ": not drawn"
