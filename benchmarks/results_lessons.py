"""What teaching and means of weights gained, on docs/results.md: each network beside those that it was made with."""

from typing import Any

DASH = "–"
SHIPPED = ("ferline_large", "ferline_small")  # the most accurate first
MEAN = "ferline_small_mean"
# Not shipped, and why.
MEASURED = {
    "ferline_pupil": "three do not fit into 25 MB, and on FER2013's labels it is no better",
    "ferline_again": "on FER2013's labels it tells no more faces right, though its shares are a little better, and a "
    "model gives way to one that is better by more than chance",
}
Measured = dict[str, dict[str, Any]]  # by the model's name


def section(models: Measured, alone: Measured) -> list[str]:
    taught = {name: shipped for name, shipped in models.items() if shipped.get("beside")}
    lines = ["## What teaching gained", ""]
    if not taught:
        return [*lines, "Not run: they learnt from labels and votes alone."]
    share = ", ".join(f"{each['model']['card']['training']['taught']:g} (`{name}`)" for name, each in taught.items())
    lines += [
        f"The teachers learn from labels and votes. Of a taught one's loss {share} is against the mean of their shares "
        "for the very picture that it sees, moved and covered alike. PublicTest, per cent; minutes on two CPU cores "
        "(the medium ones, and what began with others' weights, on one of them), beside other work.",
        "",
        "| network | weights | epochs | minutes | 7 classes | ten views | 8 classes | ten views |",
        "|" + "---|" * 8,
    ]
    for name, shipped in taught.items():
        lines += _lesson_rows(name, shipped, alone.get(name))
    told = [f"`{name}` {_gained(each['exams']['none'], alone[name]['exams']['none'])}" for name, each in taught.items()
            if name in alone]  # fmt: skip
    lines += ["", f"Taught instead of alone: {'; '.join(told)}."] if told else []
    return lines + [
        line
        for name, each in taught.items()
        if name in MEASURED
        for line in ("", _unshipped(name, each, models[SHIPPED[0]]))
    ]


def means(content: dict[str, Any]) -> list[str]:
    """A network whose weights are the mean of others', beside those, and beside the mean of what these say."""
    lines = ["## What a mean of weights gained", ""]
    if MEAN not in content:
        return [*lines, "Not run."]
    found, tuned = content[MEAN], content["ckplus_mean"]
    lines += [
        "Of networks one of which began with another's weights, the mean of the weights is a network too (model soups, "
        "Wortsman et al., 2022), as fast as each of them; the mean of their shares takes the time of all. PublicTest, "
        "per cent; the last columns are of 1,000 faces in bad pictures, 7 classes: points lost on average, and right "
        "under noise of strengths 1, 3 and 5. Minutes on one core of a CPU in bfloat16 where not said otherwise above.",
        "",
        "| network | minutes | 7 classes | ten views | 8 classes | ten views | lost | under noise |",
        "|" + "---|" * 8,
    ]
    for each in found["beside"]["models"]:
        own = f"{each['minutes']:.0f} | {_four(each['exams'])} | {_bad(each['exams'])}"
        lines.append(f"| `{each['card']['architecture']}` (`{each['digest'][:12]}`) | {own} |")
    own = f"{_four(found['exams'])} | {_bad(found['exams'])}"
    row = tuned["rows"][0]
    return [
        *lines,
        f"| the mean of their shares | {DASH} | {_four(found['beside']['mean'])} | {DASH} | {DASH} |",
        f"| **the mean of their weights** (`{found['model']['digest'][:12]}`) | {DASH} | {own} |",
        "",
        "The first part is the shipped one with the digest of its split noted (`champion.py calibrate`); the second is "
        "the first trained on with grain (`--recipe hardened`), taught by `ferline_large`. The mean is **not "
        "shipped**: grain costs it far fewer answers, but it tells fewer of the majorities, and begun with its weights "
        f"CK+48 in {row['folds']} folds of people comes to {points(row['test']['accuracy'])} % (seed {row['seed']}, "
        f"code of `{tuned['commit']}`), with the first's by the same code to {points(tuned['beside']['accuracy'])} %.",
    ]


def _bad(exams: dict[str, Any]) -> str:
    found = exams["none"]["7_own"]["robustness"]
    noise = " / ".join(points(each["accuracy"]) for each in found["corruptions"]["noise"])
    return f"{points(found['drop'])} | {noise}"


def _unshipped(name: str, measured: dict[str, Any], first: dict[str, Any]) -> str:
    """How it compares with the first of those that are."""
    times, training = {row["network"]: row["ms"] for row in measured["latency"]}, measured["model"]["card"]["training"]
    own, others = (each["exams"]["none"]["7_own"]["after"]["log_loss"] for each in (measured, first))
    small = f"small faces were {training['grow_for']:.0%} of its epochs" if training["grow_from"] else (
        f"it began with the weights of `{measured['model']['card']['weights']}`, whole faces and a rate of "
        f"{training['learning_rate']:g}"
    )  # fmt: skip
    speed = (
        f"{times[name]:.2f} ms a face where `{SHIPPED[0]}` takes {times[SHIPPED[0]]:.2f} in the same run; "
        if name in times
        else ""  # its network is that of one that is shipped
    )
    return (
        f"`{name}` is not shipped: {MEASURED[name]}. Log loss by 7 classes {own:.3f}, of `{SHIPPED[0]}` {others:.3f}; "
        f"{speed}{small}."
    )


def _lesson_rows(name: str, shipped: dict[str, Any], alone: dict[str, Any] | None) -> list[str]:
    """Itself without teachers, each of them, their mean, and what it learnt from them."""
    rows, teachers = [], shipped["beside"]
    if alone:
        rows.append((f"`{name}`, alone", _lesson(alone["model"], alone["exams"])))
    for each in teachers["models"]:
        own = {**each, "epochs": range(each["card"]["training"]["epochs"])}
        teacher = f"a teacher of `{name}`: `{each['card']['architecture']}`, seed {each['card']['seed']}"
        rows.append((teacher, _lesson(own, each["exams"])))
    if len(teachers["models"]) > 1:
        rows.append(("their mean", f"{DASH} | {DASH} | {DASH} | {_four(teachers['mean'])}"))
    begun = shipped["model"]["card"]
    how = f"taught, begun with `{begun['weights']}`" if "started_from" in begun else "taught"
    rows.append((f"**`{name}`, {how}**", _lesson(shipped["model"], shipped["exams"])))
    return [f"| {' | '.join(row)} |" for row in rows]


def _gained(taught: dict[str, Any], alone: dict[str, Any]) -> str:
    """Against the same network without teachers; half an interval's width says what is chance."""
    parts = []
    for key, name in (("7_own", "7 classes"), ("8_majority", "8 classes")):
        low, high = taught[key]["intervals"]["accuracy"]
        gain = 100 * (taught[key]["accuracy"] - alone[key]["accuracy"])
        before, after = (each[key]["before"]["log_loss"] for each in (alone, taught))
        parts.append(
            f"{gain:+.1f} points on {name} (an interval is {50 * (high - low):.1f} points to either side), log loss "
            f"{before:.3f} to {after:.3f} (before calibration)"
        )
    return "; ".join(parts)


def _lesson(model: dict[str, Any], exams: dict[str, Any]) -> str:
    minutes = f"{model['minutes']:.0f}" if model["minutes"] else DASH
    return f"{model['card']['parameters']:,} | {len(model['epochs'])} | {minutes} | {_four(exams)}"


def _four(exams: dict[str, Any]) -> str:
    found = (exams[views][key]["accuracy"] for key in ("7_own", "8_majority") for views in ("none", "ten"))
    return " | ".join(map(points, found))


def points(share: float) -> str:
    return f"{100 * share:.1f}"
