"""The report of one pipeline run: one page as plain data, written as Markdown beside its pictures and as HTML."""

import re
from pathlib import Path
from typing import Any

from ferline.artifact import MANIFEST, Artifact, link_or_copy, staging
from ferline.errors import FerlineError
from ferline.evaluation import figures
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.tables import METRIC_NAMES
from ferline.promotion.decision_page import title
from ferline.reporting import difference, html, markdown
from ferline.reporting.blocks import Block, code, section, text
from ferline.reporting.material import Material
from ferline.reporting.rival import Rival, champion_here, rival_of
from ferline.reporting.sections.apart import pairwise, said
from ferline.reporting.sections.decision import decision
from ferline.reporting.sections.limits import limits
from ferline.reporting.sections.model import may_be_shown, model
from ferline.reporting.sections.papers import papers
from ferline.reporting.sections.ran import ran, warnings
from ferline.reporting.sections.ranking import ranking
from ferline.reporting.words import told

PAGE, TEXT, PICTURES = "report.html", "report.md", "pictures"
OF_MODEL = ("confusion_test", "curves", "reliability", "occlusion", "right", "wrong")
WITH_FACES = ("right", "wrong")  # occlusion maps are drawn over faces only where these may be shown


class Report(Artifact):
    """`report.html`, which is whole by itself, and `report.md` with its `pictures/`."""

    @property
    def page(self) -> Path:
        return self.folder / PAGE


def write(material: Material, target: Path | None = None) -> Report:
    """The report, in place of the one that was there; a folder that holds anything else is refused."""
    if target is not None:
        _require_ours(target)
    with staging(target) as folder:
        page = _page(material, folder)
        (folder / TEXT).write_text(markdown.render(page), encoding="utf-8")
        (folder / PAGE).write_text(html.render(page, folder), encoding="utf-8")
    return Report(target or folder)


def _require_ours(target: Path) -> None:
    """What is replaced must be a report and nothing besides: a slip of the hand must not cost a folder of work."""
    if not target.exists():
        return
    if not target.is_dir():
        raise FerlineError(f"{target}: a file; name a folder for the report")
    there = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    known = {*Report(target).manifest, MANIFEST} if (target / PAGE).exists() and (target / MANIFEST).exists() else set()
    if others := sorted(there - known):
        raise FerlineError(
            f"{target}: holds {others[0]}, which is no part of a report, and a report replaces its folder. "
            "Name a new or empty one"
        )


def _page(material: Material, folder: Path) -> dict[str, Any]:
    """Everything that the page says, in order; its pictures are put into the folder on the way."""
    sections = [
        ran(material),
        ranking(material, _comparison(material, folder)),
        said(material),
        pairwise(material),
        decision(material),
        papers(material),
        _models(material, folder),
        limits(material),
    ]
    dataset = material.ranked[0].card["dataset"]
    return {
        "title": [f"Facial expressions on {dataset['name']}"],
        "subtitle": [f"{material.run.name}, protocol {dataset['protocol']}"],
        "lead": [*warnings(material), _lead(material)],
        "sections": [each for each in sections if each is not None],
    }


def _lead(material: Material) -> Block:
    """The answer in three sentences."""
    first, content = material.ranked[0], material.leaderboard.content
    test, metric = first.scores("test"), METRIC_NAMES[content["select_by"]]
    number = told(test[content["select_by"]], test["intervals"][content["select_by"]])
    verdict = title(material.decision) if material.decision else "The run has not come to a decision"
    return text(
        "Of ",
        f"{len(material.evaluations)} models, " if len(material.evaluations) > 1 else "one model, ",
        code(first.architecture),
        f" is first on {content['select_on']}. On {test['faces']:,} test faces its {metric} is {number}. {verdict}.",
        tone="lead",
    )


def _models(material: Material, folder: Path) -> Block:
    reigning = champion_here(material)
    parts = []
    for place, evaluation in enumerate(material.ranked, start=1):
        rival = rival_of(evaluation, material)
        files = _pictures(evaluation, f"{place}-{_safe(evaluation.architecture)}", folder)
        files |= _difference(evaluation, rival, f"{place}-{_safe(evaluation.architecture)}", folder)
        parts.append(model(place, evaluation, rival, files, evaluation is reigning))
    return section("Models", [text("In the leaderboard's order.", tone="note")], parts)


def _pictures(evaluation: Evaluation, prefix: str, folder: Path) -> dict[str, str]:
    """Those that there are and may be shown, linked into the folder: what each shows, and where it lies."""
    shown = [name for name in OF_MODEL if name not in WITH_FACES or may_be_shown(evaluation)]
    there = {name: evaluation.folder / f"{name}.png" for name in shown}
    files = {name: f"{PICTURES}/{prefix}-{name}.png" for name, path in there.items() if path.exists()}
    for name, file in files.items():
        link_or_copy(there[name], folder / file)
    return files


def _difference(evaluation: Evaluation, rival: Rival | None, prefix: str, folder: Path) -> dict[str, str]:
    points = rival.difference(evaluation) if rival else None
    if rival is None or points is None:
        return {}
    file = f"{PICTURES}/{prefix}-difference.png"
    (folder / file).parent.mkdir(exist_ok=True)
    faces = evaluation.confusion("test").sum(axis=1)
    title = f"{evaluation.architecture} minus {rival.evaluation.architecture}"
    figures.save(difference.figure(points, faces, evaluation.emotions, title), folder / file)
    return {"difference": file}


def _comparison(material: Material, folder: Path) -> str | None:
    source = material.leaderboard.folder / "comparison.png"
    if not source.exists():
        return None
    link_or_copy(source, folder / PICTURES / source.name)
    return f"{PICTURES}/{source.name}"


def _safe(name: str) -> str:
    """A name from params.yaml as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60]
