"""Changes as Markdown for a pull request: what is best now and what became of it first, details folded away."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ferline.evaluation.tables import DASH, METRIC_NAMES
from ferline.retraining.changes import Changes, Failure, State

_NAMES = METRIC_NAMES | {"min_class_recall": "lowest recall"}
_SHOWN = 40  # parameters; a pull request that changes more shows them itself
_LONGEST = 200  # characters of a value


def as_markdown(changes: Changes) -> str:
    parts = [f"## {_headline(changes)}", *_reason(changes)]
    if changes.failure is None and changes.now.metrics:
        parts += [_table(changes), _confusion(changes), _gates(changes.now)]
    parts += [_data(changes), _parameters(changes), _footer(changes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(changes: Changes) -> str:
    failure, decision = changes.failure, changes.now.decision
    if failure is not None:
        return "Validation stops the retraining; the champion stays" if _is_validation(failure) else "Retraining failed"
    if not changes.any:
        return "Nothing changed"
    if decision is None:
        return "New results" if changes.now.metrics else "No results yet"
    return f"`{changes.now.best}` is best and {_became(decision)}"


def _became(decision: dict[str, Any]) -> str:
    name = decision["registered_name"]
    if decision["promoted"]:
        return f"becomes champion ({name} version {decision['champion_version']})"
    if decision["mode"] == "off":
        return "nothing was decided (promotion.mode is off)"
    if decision["mode"] == "dry-run":
        return "would become champion" if decision["would_promote"] else "would not become champion"
    if decision["outcome"] == "same":
        return f"is the champion already ({name} version {decision['champion_version']})"
    champion = decision["champion_version"]
    return f"is not promoted; the champion stays ({name} version {champion})" if champion else "is not promoted"


def _reason(changes: Changes) -> list[str]:
    if changes.failure is not None:
        return _failure(changes)
    if not changes.any:
        return [f"Data, parameters and results are those of {_commit(changes)}."]
    decision = changes.now.decision
    if decision is None:
        return []
    trial = " The champion changes when the main branch runs it." if decision["mode"] == "dry-run" else ""
    return [f"{_plain(decision['reason'])}.{trial}"]


def _is_validation(failure: Failure) -> bool:
    return failure.ours and "validation stops the run" in failure.message[0]


def _failure(changes: Changes) -> list[str]:
    failure = changes.failure
    assert failure is not None
    # What fails after validation may have failed after the promotion: only the registry knows.
    stays = "Nothing was pushed; `ferline champion` says which model is in use."
    if _is_validation(failure):
        stays = "Nothing was registered and nothing was pushed: the model in use stays."
    if not failure.ours:
        return [stays, "How the log ends:", "```text\n" + "\n".join(failure.message).replace("```", "'''") + "\n```"]
    first, *others = failure.message
    said = [_plain(first), "\n".join(f"- {_plain(line.removeprefix('- '))}" for line in others)]
    if failure.report:
        said.append(
            f"Every expectation and the rows that fail it: `{failure.report}` on the runner. To have it here, check "
            "this commit out, `dvc pull`, then `zenml pipeline run fer_training`, which stops at the same place."
        )
    return [*said, stays]


def _table(changes: Changes) -> str:
    """A row an architecture, best first: before and now, below them the difference and the interval of now."""
    policy = (changes.now.decision or {}).get("policy", {})
    by, on = policy.get("select_by", "macro_f1"), policy.get("select_on", "validation")
    metrics = dict.fromkeys((by, "macro_f1", "accuracy", "min_class_recall"))  # more would not fit on a line
    columns = [(on, by), *(("test", metric) for metric in metrics)]
    names = sorted(
        {*changes.before.metrics, *changes.now.metrics},
        key=lambda name: (-(_number(changes.now, name, on, by) or -1), name),
    )
    lines = [_row(["model", *(f"{split} {_NAMES[metric]}" for split, metric in columns)]), _rule(len(columns))]
    for name in names:
        cells = [_cell(changes, name, split, metric) for split, metric in columns]
        lines.append(_row([f"**{name}**" if name == changes.now.best else name, *cells]))
    note = "Before → now; below, the difference and " if changes.before.metrics else "Below, "
    note += f"the 95% interval of now. Chosen by {_NAMES[by]} on {on}; the test columns were not used to choose."
    return "\n".join([*lines, "", f"<sub>{note}</sub>"])


def _cell(changes: Changes, name: str, split: str, metric: str) -> str:
    before, now = (_number(state, name, split, metric) for state in (changes.before, changes.now))
    if now is None:
        return DASH if before is None else f"{before:.3f} → {DASH}"
    values = f"**{now:.3f}**" if before is None else f"{before:.3f}&nbsp;→&nbsp;**{now:.3f}**"
    below = [] if before is None else [_signed(now - before, 3)]
    interval = changes.now.metrics[name].get(split, {}).get("intervals", {}).get(metric)
    below += [f"{interval[0]:.3f}–{interval[1]:.3f}"] if interval else []
    return f"{values}<br><sub>{',&nbsp;'.join(below)}</sub>" if below else values


def _number(state: State, name: str, split: str, metric: str) -> float | None:
    return state.metrics.get(name, {}).get(split, {}).get(metric)


def _confusion(changes: Changes) -> str:
    """The best model's matrix now, in % of each true emotion, with the change in points against the best one before."""
    now, before = changes.now.confusion, changes.before.confusion
    if now is None:
        return ""
    emotions = list(now.index)
    change = _shares(now) - _shares(before) if before is not None and list(before.index) == emotions else None
    lines = [_row(["true \\ predicted", *emotions]), _rule(len(emotions))]
    for actual, emotion in enumerate(emotions):
        moved = [None] * len(emotions) if change is None else change[actual]
        cells = [_share(share, points) for share, points in zip(_shares(now)[actual], moved, strict=True)]
        cells[actual] = f"**{cells[actual]}**"
        lines.append(_row([f"**{emotion}**", *cells]))
    title = f"Confusion of {changes.now.best} on test, % of the true emotion"
    if change is not None:
        title += f"; small: change in points{_against(changes)}. Recall: {_moved(emotions, change)}"
    return _folded(title, lines)


def _against(changes: Changes) -> str:
    before = changes.before.best
    return "" if before in (None, changes.now.best) else f" against {before}, the best one before"


def _shares(faces: pd.DataFrame) -> np.ndarray:
    counts = faces.to_numpy()
    return 100 * counts / counts.sum(axis=1, keepdims=True).clip(min=1)


def _share(share: float, moved: float | None) -> str:
    text = f"{share:.0f}" if share else "·"
    return text if moved is None or abs(moved) < 0.5 else f"{text} <sub>{_signed(moved, 0)}</sub>"


def _moved(emotions: Sequence[str], change: np.ndarray) -> str:
    """The emotions whose recall fell and rose most."""
    recall = np.diag(change)
    ends = dict.fromkeys((int(recall.argmin()), int(recall.argmax())))
    told = [f"{emotions[end]} {_signed(recall[end], 1)}" for end in ends if abs(recall[end]) >= 0.05]
    return ", ".join(told) if told else "as before"


def _gates(state: State) -> str:
    gates = (state.decision or {}).get("gates") or []
    if not gates:
        return ""
    lines = [_row(["gate (test)", "found", "needed", ""]), _rule(3)]
    for gate in gates:
        found = "not measured" if gate["value"] is None else f"{gate['value']:.4g}"
        lines.append(_row([gate["name"], found, f"{gate['rule']} {gate['threshold']:g}", _verdict(gate)]))
    passed = sum(gate["passed"] for gate in gates)
    return _folded(f"Promotion: {passed} of {len(gates)} gates passed", lines)


def _verdict(gate: dict[str, Any]) -> str:
    return "passed" if gate["passed"] else "**failed**"


def _data(changes: Changes) -> str:
    before, now = changes.before, changes.now
    if (before.data, before.version) == (now.data, now.version):
        return f"**Data** `{now.data}` as before{_images(now)}."
    other = "" if before.data == now.data else f"`{now.data}` "
    told = f"**Data** `{before.data}` `{_short(before.version)}` → {other}`{_short(now.version)}`"
    if now.counts is None:
        return f"{told}."
    if before.counts is None or before.data != now.data:
        return f"{told}{_images(now)}."
    return f"{told}: {_counted(before.counts, now.counts)}."


def _images(state: State) -> str:
    return f", {state.counts['images']:,} images" if state.counts else ""


def _counted(before: dict[str, Any], now: dict[str, Any]) -> str:
    parts = [f"{before[key]:,} → {now[key]:,} {key}" for key in ("images", "subjects") if before[key] or now[key]]
    old, new = before["emotions"], now["emotions"]
    grown = {name: new.get(name, 0) - old.get(name, 0) for name in dict.fromkeys([*new, *old])}
    if len(set(grown.values())) == 1:
        parts.append(f"{_signed(next(iter(grown.values())), 0)} of every emotion")
    else:
        parts += [
            f"{name} {_signed(count, 0)}" + " (none left)" * (not new.get(name))
            for name, count in grown.items()
            if count
        ]
    return ", ".join(parts)


def _parameters(changes: Changes) -> str:
    found = list(changes.parameters.items())
    if not found:
        return "**Parameters** as before."
    lines = [_row(["parameter", "before", "now"]), _rule(2)]
    lines += [_row([f"`{name}`", _value(old), _value(new)]) for name, (old, new) in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(_row([f"and {len(found) - _SHOWN} more", "", ""]))
    count = f"{len(found)} parameter{'s' * (len(found) > 1)} changed"
    return _folded(count, lines, is_open=len(found) <= 5)


def _value(value: Any) -> str:
    text = DASH if value is None else str(value)
    return _plain(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def _footer(changes: Changes) -> str:
    more = (
        f" `dvc metrics diff {changes.commit[:7]}` has every number, `dvc plots diff {changes.commit[:7]}` the curves."
    )
    return f"<sub>Compared with {_commit(changes)}.{more if changes.failure is None else ''}</sub>"


def _commit(changes: Changes) -> str:
    named = "" if changes.commit.startswith(changes.base) else f"`{changes.base}` at "
    return f"{named}`{changes.commit[:7]}`"


def _folded(title: str, lines: Sequence[str], is_open: bool = False) -> str:
    body = "\n".join(lines)
    return f"<details{' open' * is_open}><summary>{title}</summary>\n\n{body}\n\n</details>"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(numbers: int) -> str:
    return "|:--|" + "--:|" * numbers


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return "±0" if float(text) == 0 else text.replace("-", "−")


def _short(version: str | None) -> str:
    return version[:7] if version else "none"


def _plain(text: str) -> str:
    """Text that may come from data: nothing in it is Markdown, HTML or the name of a person to be called."""
    escaped = re.sub(r"([\\`*\[\]|~#])", r"\\\1", str(text).replace("&", "&amp;").replace("<", "&lt;"))
    return escaped.replace("@", "@\u2060").replace("\n", " ")
