"""The models that come with Ferline on docs/results.md: what each reaches, by emotion, in bad pictures, how fast."""

import math
from pathlib import Path
from typing import Any

import results_lessons
from results_lessons import DASH, MEASURED, SHIPPED, Measured, points

from ferline.emotions import EMOTIONS, in_order
from ferline.evaluation import figures

VIEWS = {"none": "one view", "mirror": "two views (mirrored)", "ten": "ten views"}
# Benchmark, what others reach, and the bar. Figures of others as published, or as measured of the packages they ship.
FIELD = (
    (
        "7_own",
        "FER2013, 7 classes, no other images",
        "one model: 72.6 chosen on validation, 73.7 chosen on the test; ensembles 75.2, with ImageNet 76.8; shipped "
        "packages 65.5 to 66.9",
        "75.0; an ensemble, and what is distilled from it, 76.8",
        75.0,
    ),
    (
        "8_majority",
        "FER+ majority, 8 classes",
        "about 85.0 from scratch; 88.8 to 89.4 with face pretraining",
        "89.0",
        89.0,
    ),
)


def sections(content: dict[str, Any]) -> list[list[str]]:
    models = {name: content[name] for name in SHIPPED if name in content}
    return [
        _models(models),
        _reached(models),
        results_lessons.section(
            {name: content[name] for name in (*SHIPPED, *MEASURED) if name in content},
            {name: content[f"{name}_alone"] for name in models if f"{name}_alone" in content},
        ),
        results_lessons.means(content),
        _emotions(models),
        _trust(models),
        _corrupted(models),
        _speed(next(iter(models.values())), models),
    ]


def trained_on(card: dict[str, Any]) -> str:
    computed = card["computed"]
    where = "two cores of a CPU" if computed["device"] == "CPU" else computed["device"]
    return f"{where} in {computed['numbers']}"


def _models(models: Measured) -> list[str]:
    """What each is, and from where."""
    lines = [
        "## The models that come with Ferline",
        "",
        "48 x 48 grey, trained from random weights on FER2013's own pictures with FER2013's labels and FER+'s votes, "
        "one head each; a taught one with what larger networks hold of the pictures, too.",
        "",
        "| model | weights | learnt from | epochs (the best) | minutes | trained on | digest | code |",
        "|" + "---|" * 8,
    ]
    for name, shipped in models.items():
        own, card = shipped["model"], shipped["model"]["card"]
        teachers = shipped.get("beside")
        source = "labels, votes" + (f" and {_teachers(teachers)}" if teachers else "")
        source += f"; begun with the weights of `{card['weights']}`" if "started_from" in card else ""
        cells = [
            f"`{name}`",
            f"{card['parameters']:,}",
            source,
            f"{len(own['epochs'])} ({card['best_epoch']})",
            f"{own['minutes']:.0f}" if own.get("minutes") else DASH,
            f"{trained_on(card)}, seed {card['seed']}",
            f"`{own['digest'][:12]}`",
            f"`{card['commit']}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _teachers(beside: dict[str, Any]) -> str:
    own = [f"`{each['card']['architecture']}`" for each in beside["models"]]
    return own[0] if len(own) == 1 else f"{len(own)} teachers"


def _reached(models: Measured) -> list[str]:
    lines = [
        "Accuracy in per cent on PublicTest, 95% interval:",
        "",
        f"| benchmark | model | {' | '.join(VIEWS.values())} | the field, on the private test | our bar |",
        "|" + "---|" * 7,
    ]
    for key, title, field, bar, _ in FIELD:
        for name, shipped in models.items():
            exams = shipped["exams"]
            ours = " | ".join(_percent(exams[views][key]) for views in VIEWS)
            lines.append(f"| {title} ({exams['none'][key]['faces']:,} faces) | `{name}` | {ours} | {field} | {bar} |")
    lines += ["", _against_the_bars(models)]
    for name in models:
        lines += [
            "",
            f"![{name}: confusion matrix](images/results-{name}-confusion.png)",
            "",
            f"![{name}: loss and accuracy by epoch](images/results-{name}-curves.png)",
            "",
            _growth(name, models[name]["model"]),
        ]
    return lines


def _growth(name: str, model: dict[str, Any]) -> str:
    """What the change to whole faces brought, and what small ones brought in as many epochs again before it."""
    training, accuracy = model["card"]["training"], [each["validation_accuracy"] for each in model["epochs"]]
    if not training["grow_from"]:
        return (
            f"`{name}` saw whole faces from the start: {points(accuracy[0])} % after one epoch, "
            f"{points(accuracy[len(accuracy) // 2 - 1])} % after half of them, {points(max(accuracy))} % at best."
        )
    small = math.ceil(training["grow_for"] * training["epochs"])
    return (
        f"`{name}` saw faces of {training['grow_from']} pixels for {small} epochs, and had "
        f"{points(accuracy[small - 1])} % at the end of them ({points(accuracy[small // 2 - 1])} % after half as "
        f"many); two epochs of whole ones later {points(accuracy[small + 1])} %."
    )


def _against_the_bars(models: Measured) -> str:
    short = []
    for key, title, *_, bar in FIELD:
        most = max(100 * shipped["exams"][views][key]["accuracy"] for shipped in models.values() for views in VIEWS)
        if most < bar:
            short.append(f"{title} by {bar - most:.1f} points at best")
    if not short:
        return "On PublicTest they are above both bars."
    return (
        f"**The bars are missed**: {'; '.join(short)}. All of it was trained on two CPU cores; the huge recipe, three "
        "seeds and an ensemble of huge networks, which a GPU is for, have not been run."
    )


def _emotions(models: Measured) -> list[str]:
    lines = ["## By emotion", "", "One view a face, PublicTest."]
    for name, shipped in models.items():
        lines += [
            "",
            f"| `{name}` | faces | precision | recall | F1 | votes: faces | precision | recall | F1 |",
            "|" + "---|" * 9,
        ]
        seven, eight = (shipped["exams"]["none"][key]["per_class"] for key in ("7_own", "8_majority"))
        for emotion in in_order(eight):
            cells = [emotion, *_class(seven.get(emotion)), *_class(eight[emotion])]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _class(row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return [DASH] * 4
    return [
        f"{row['support']:,}",
        *(DASH if row[key] is None else f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
    ]


def _trust(models: Measured) -> list[str]:
    copies = {name: shipped["copies"] for name, shipped in models.items()}
    counts = next(iter(copies.values()))
    told = "; ".join(
        f"of them `{name}` tells {points(each['copied']['accuracy'])} % right, of the others "
        f"{points(each['others']['accuracy'])} %"
        for name, each in copies.items()
    )
    lines = [
        "## Copies, and what the confidence is worth",
        "",
        f"{counts['copied']['faces']} pictures of PublicTest stand in Training too, pixel for pixel, beside "
        f"{counts['others']['faces']:,} others; the recipes leave Training's copies out; {told}.",
        "",
        "| calibration | model | ECE before | after | log loss before | after |",
        "|---|---|---|---|---|---|",
    ]
    for name, shipped in models.items():
        for question in shipped["exams"]["none"].values():
            before, after = question["before"], question["after"]
            numbers = (before["ece"], after["ece"], before["log_loss"], after["log_loss"])
            cells = " | ".join(f"{number:.4f}" for number in numbers)
            lines.append(f"| {question['title']} | `{name}` | {cells} |")
    own = "Their temperatures were fitted on PublicTest as well: on other faces the errors will be larger."
    return [*lines, "", own, "", *_people(models)]


def _people(models: Measured) -> list[str]:
    """What `predict` says, held against those who voted."""
    lines = [
        "By votes, as `predict` tells unless asked otherwise, a confidence is the share of people who would say so "
        "too. Of all faces of PublicTest that were voted on, those without a majority included:",
        "",
        "| model | faces | without a majority | mean confidence | people who say so | calibration error |",
        "|" + "---|" * 6,
    ]
    for name, shipped in models.items():
        own = shipped["people"]
        cells = [f"`{name}`", f"{own['faces']:,}", f"{own['without_majority']:,}"]
        cells += [f"{own[key]:.4f}" for key in ("confidence", "agreed", "ece")]
        lines.append(f"| {' | '.join(cells)} |")
    known = {name: shipped["model"]["card"] for name, shipped in models.items()}
    anew = [f"`{name}` at `{card['calibrated']}`" for name, card in known.items() if "calibrated" in card]
    when = [f"Fitted so after the training, by `champion.py calibrate`: {', '.join(anew)}.", ""] if anew else []
    return [
        *lines,
        "",
        *when,
        "Of faces with a majority alone, the 8 classes above, they are therefore right more often than they say.",
    ]


def _corrupted(models: Measured) -> list[str]:
    lines = ["## When the picture is bad", ""]
    found = {name: shipped["exams"]["none"]["7_own"].get("robustness") for name, shipped in models.items()}
    found = {name: each for name, each in found.items() if each}
    if not found:
        return [*lines, "Not run."]
    first = next(iter(found.values()))
    strengths = [each["strength"] for each in next(iter(first["corruptions"].values()))]
    told = "; ".join(
        f"of {points(own['accuracy'])} % `{name}` loses {points(own['drop'])} points "
        f"({' to '.join(map(points, own['interval']))}) on average"
        for name, own in found.items()
    )
    lines += [
        f"{first['faces']:,} faces of PublicTest, 7 classes, corrupted at strengths of five (docs/evaluation.md): "
        f"{told}.",
        "",
        f"| model | accuracy under | {' | '.join(f'strength {each}' for each in strengths)} |",
        "|" + "---|" * (2 + len(strengths)),
    ]
    for name, own in found.items():
        for corruption, graded in sorted(own["corruptions"].items()):
            lines.append(f"| `{name}` | {corruption} | {' | '.join(points(each['accuracy']) for each in graded)} |")
    return lines


def _speed(shipped: dict[str, Any], models: Measured) -> list[str]:
    lines = [
        "## Speed",
        "",
        "One face on one thread with ONNX Runtime, from 96 pixels, resize included; medians of rounds in turn, in "
        f"one run on {shipped['machine']['processor']}:",
        "",
        f"| network | ms | times {shipped['latency'][0]['network']} |",
        "|---|---|---|",
    ]
    lines += [f"| {row['network']} | {row['ms']:.2f} | {row['times_ours']:.1f} |" for row in shipped["latency"]]
    return [
        *lines,
        "",
        "Reported for packages that the field ships (another machine): mini-XCEPTION 0.34 ms at 65.5 %, "
        "big-XCEPTION 1.27 ms at 66.9 %, VGG19 and ResNet18 at 44 pixels 16 to 17 ms.",
        "",
        *_eight_bits(models),
    ]


def _eight_bits(models: Measured) -> list[str]:
    lines = [
        "In 8 bits (`ferline export --int8`, its convolutions alone, measured on 512 faces of Training), PublicTest, "
        "one view; `data/models/*.int8.onnx` are these files:",
        "",
        "| model | MB | ms in its own run | 7 classes | as it is | 8 classes | as it is |",
        "|" + "---|" * 7,
    ]
    for name, shipped in models.items():
        own, exam = shipped["eight_bits"], shipped["exams"]["none"]
        (ms,) = (row["ms"] for row in shipped["latency"] if row["network"] == f"{name} in 8 bits")
        cells = [f"`{name}`", f"{own['size_bytes'] / 1e6:.1f}", f"{ms:.2f}"]
        for key in ("7_own", "8_majority"):
            cells += [points(own["accuracy"][key]), points(exam[key]["accuracy"])]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _percent(question: dict[str, Any]) -> str:
    low, high = question["intervals"]["accuracy"]
    return f"**{100 * question['accuracy']:.1f}** ({100 * low:.1f} to {100 * high:.1f})"


def pictures(content: dict[str, Any], folder: Path) -> None:
    for name in SHIPPED:
        if name not in content:
            continue
        own, model = content[name]["exams"]["none"]["7_own"], content[name]["model"]
        title = f"{name} on PublicTest, FER2013's labels"
        figures.save(figures.confusion(own["confusion"], EMOTIONS, title), folder / f"results-{name}-confusion.png")
        title = f"{name}: training (augmented, all it learns from) and PublicTest"
        curves = figures.curves(model["epochs"], title, model["card"]["best_epoch"])
        figures.save(curves, folder / f"results-{name}-curves.png")
