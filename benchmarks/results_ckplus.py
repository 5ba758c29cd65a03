"""CK+48 on docs/results.md: our own network, begun with a shipped one's weights, with people apart."""

import statistics
from typing import Any


def section(found: dict[str, Any] | None, hog: dict[str, Any] | None) -> list[str]:
    lines = ["## CK+48, people apart", ""]
    if not found:
        return [*lines, "Not run. `profile: finetune` on it is the command (docs/datasets.md)."]
    row = next(row for row in found["rows"] if row["architecture"] == "ferline_net")
    low, high = (100 * end for end in row["test"]["intervals"]["accuracy"])
    return [
        *lines,
        f"`profile: finetune`, which begins with `ferline_small`'s weights: {row['folds']} folds of people, seven "
        f"emotions (contempt, no neutral), every one of {found['faces']['test']} faces tested once, by a network that "
        f"has not seen its person; {found['minutes']:.0f} minutes on two CPU cores beside other work. Accuracy of all "
        f"faces has a 95% interval of {low:.1f} to {high:.1f}, people drawn whole; calibration error "
        f"{row['test']['ece']:.3f}. Code of `{found['commit']}`, data digest `{found['data_digest'][:12]}`, seed "
        f"{row['seed']}. Weights trained on CK+ are not passed on.",
        "",
        "| | test accuracy | test macro-F1 |",
        "|---|---|---|",
        f"| ours, seed {row['seed']}, mean and standard deviation of folds | {_mean(row, 'accuracy')} | "
        f"{_mean(row, 'macro_f1')} |",
        *_over_seeds(found.get("seeds", [])),
        *([f"| HOG and a linear SVM in ten folds of people | {_spread(hog)} | |"] if hog else []),
        "| networks, reported | 88 to 92 | |",
        "| our bar | 96 | |",
    ]


def _over_seeds(seeds: list[dict[str, Any]]) -> list[str]:
    """Of the same folds, trained again from other seeds."""
    if len(seeds) < 2:
        return []
    cells = []
    for key in ("accuracy", "macro_f1"):
        values = [100 * each[key] for each in seeds]
        cells.append(f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}")
    named = ", ".join(str(each["seed"]) for each in seeds)
    return [f"| ours, seeds {named}, mean and standard deviation of seeds | {' | '.join(cells)} |"]


def _mean(row: dict[str, Any], key: str) -> str:
    found = row["test"]
    return f"{100 * found[key]:.1f} ± {100 * found['sd'][key]:.1f}"


def _spread(found: dict[str, Any]) -> str:
    return f"{100 * found['mean']:.1f} ± {100 * found['sd']:.1f}"
