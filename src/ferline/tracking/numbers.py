"""What a row shows: the same names in every row, and few enough to be read side by side.

All else that was measured is in the row's evaluation.json. What is left out here is a number under a second name:
macro recall and macro sensitivity are the balanced accuracy, weighted recall is the accuracy.
"""

from typing import TYPE_CHECKING, Any

from ferline.evaluation.metrics import weakest_class

if TYPE_CHECKING:
    from ferline.evaluation.evaluate import Evaluation

SHOWN = {
    "validation": ("macro_f1", "accuracy", "balanced_accuracy", "log_loss", "ece", "brier"),
    "test": (
        "macro_f1",
        "accuracy",
        "balanced_accuracy",
        "macro_precision",
        "macro_specificity",
        "macro_roc_auc",
        "log_loss",
        "ece",
        "brier",
    ),
}
WITH_INTERVAL = ("macro_f1", "accuracy")
# For the table in a row's note: the name in the scores, and what people call it.
NOTED = {"macro_f1": "macro-F1", "accuracy": "accuracy", "ece": "calibration error (ECE)", "log_loss": "log loss"}


def parameters_of(content: dict[str, Any]) -> dict[str, Any]:
    """Of a model's card, or of the same keys before there is one: what a row's parameters are."""
    keys = ("architecture", "model", "input", "weights", "options", "augmentation", "training", "dataset")
    return {key: content[key] for key in keys}


def metrics_of(evaluation: "Evaluation") -> dict[str, float]:
    """The single numbers of an evaluation; what could not be computed has no metric."""
    found: dict[str, Any] = {}
    for split in SHOWN:
        found |= {f"{split}/{key}": value for key, value in _of_split(evaluation.scores(split), SHOWN[split]).items()}
    tested = evaluation.scores("test")
    found["test/min_class_recall"] = weakest_class(tested)[1]
    found |= {f"test/recall_{emotion}": each["recall"] for emotion, each in tested["per_class"].items()}
    found |= _robustness(evaluation.content["robustness"])
    compared = [each for each in evaluation.content["slices"] if each["gap"]]
    found |= {f"gap/{each['column']}": each["gap"]["macro_recall"] for each in compared}
    found |= {"latency_ms": evaluation.latency_ms, "size_mb": evaluation.size_bytes / 1e6}
    found |= {"parameters": evaluation.card["parameters"], "best_epoch": evaluation.content["best_epoch"]}
    return {key: float(value) for key, value in found.items() if value is not None}


def _of_split(scores: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {key: scores[key] for key in names}
    for key in WITH_INTERVAL:
        found[f"{key}_low"], found[f"{key}_high"] = scores["intervals"][key]
    return found | {f"{key}_sd": value for key, value in scores.get("sd", {}).items() if key in names}


def _robustness(found: dict[str, Any] | None) -> dict[str, Any]:
    """The accuracy that is left under each corruption, on average over its strengths, and the mean loss."""
    if found is None:
        return {}
    left = {
        f"robustness/{name}": sum(each["accuracy"] for each in strengths) / len(strengths)
        for name, strengths in found["corruptions"].items()
    }
    return {"robustness_drop": found["drop"], **left}


def note_of(evaluation: "Evaluation") -> str:
    """A row in words, for its page: what to know of it before choosing it."""
    content, card = evaluation.content, evaluation.card
    scores = {split: evaluation.scores(split) for split in ("validation", "test")}
    heads = (f"{split}, {each['faces']:,} faces" for split, each in scores.items())
    lines = [f"| | {' | '.join(heads)} |", "|---|---|---|"]
    for key, name in NOTED.items():
        lines.append(f"| {name} | {' | '.join(_told(each, key) for each in scores.values())} |")
    weakest = (f"{recall:.3f} {emotion}" for emotion, recall in map(weakest_class, scores.values()))
    lines += [f"| lowest recall | {' | '.join(weakest)} |", ""]
    if content["robustness"] is not None:
        lines.append(
            f"- With disturbed test faces the accuracy is {content['robustness']['drop']:.3f} lower on average"
        )
    lines += [
        f"- {evaluation.latency_ms:.1f} ms a face on one CPU thread, {card['parameters']:,} weights, "
        f"{evaluation.size_bytes / 1e6:.1f} MB",
        f"- Trained on `{card['dataset']['name']}`, protocol {card['dataset']['protocol']}; {_kept(evaluation)}",
        f"- Weights `{evaluation.model_digest[:12]}`, data `{card['data_digest'][:12]}`",
    ]
    return "\n".join(lines) + "\n"


def _told(scores: dict[str, Any], key: str) -> str:
    spread = f" ± {scores['sd'][key]:.3f}" if "sd" in scores else ""
    low, high = scores["intervals"][key]
    return f"{scores[key]:.3f}{spread} ({low:.3f} to {high:.3f})"


def _kept(evaluation: "Evaluation") -> str:
    for kind in ("folds", "seeds"):
        if kind in evaluation.content:
            return f"means of {len(evaluation.content[kind])} {kind}, whose rows are under this one"
    return f"weights of epoch {evaluation.content['best_epoch']} of {len(evaluation.history)} kept"
