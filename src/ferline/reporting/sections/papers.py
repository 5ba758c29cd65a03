"""The papers' own tables: what each claims, what its network reaches on its own split, and on an honest one."""

from collections.abc import Iterator, Sequence

from ferline.reporting.blocks import Block, Spans, bullets, cell, code, group, part, section, strong, table, text
from ferline.reporting.claims import METRICS, PAPERS, Claim, Paper
from ferline.reporting.material import Material, PaperRun
from ferline.reporting.words import DASH, counted, digest, interval, percent, spread

NOT_RUN = "not run"


def papers(material: Material) -> Block:
    """Claimed, `paper` protocol and honest protocols side by side, in per cent, from every run of the store."""
    found = material.papers.found
    return section(
        "The papers' own tables",
        [
            text(
                "Accuracy in per cent: as each paper claims it; as its network reached it here on the split that the "
                "paper describes, leaks included; and on splits without copies or people on two sides. Only the last "
                "column says what to expect of new faces."
            ),
            table(["paper", "data", "claimed", "paper protocol", "honest protocol"], list(_overview(found)), left=2),
            text(
                "Precision, recall and F1 of ours are means over the emotions, sensitivity is recall, specificity is "
                "one emotion against the rest; the papers do not say how they average. Under a number: its 95 % "
                f"interval, or ± the standard deviation of several trainings. {DASH}: the paper does not give it. A "
                "line that says “not run” is filled by a pipeline run on that set, with ",
                code("dataset.protocol: paper:KEY"),
                " for the paper's own split.",
                tone="note",
            ),
            _left_out(material),
        ],
        [_paper(paper, [run for run in found if run.paper == paper.key]) for paper in PAPERS] + _behind(found),
    )


def _overview(found: Sequence[PaperRun]) -> Iterator[list[dict[str, object]]]:
    for paper in PAPERS:
        for claim in [claim for claim in paper.claims if claim.split == "test"]:
            runs = _beside(claim, paper, found)
            own, honest = ([run for run in runs if run.of_the_paper is side] for side in (True, False))
            claimed = claim.numbers.get("accuracy", DASH)
            yield [
                cell(code(paper.key)),
                cell(claim.what),
                cell(claimed),
                _short(own, claim),
                _short(honest, claim),
            ]


def _short(runs: Sequence[PaperRun], claim: Claim) -> dict[str, object]:
    if not runs:
        return cell(NOT_RUN, tone="muted")
    first, others = runs[0], len(runs) - 1
    shown = _number(first, claim.split, "accuracy")
    protocol = [] if first.of_the_paper else [first.protocol + (f" and {others} more" if others else "")]
    return shown | {"small": ", ".join(filter(None, [str(shown["small"]), *protocol]))}


def _beside(claim: Claim, paper: Paper, found: Sequence[PaperRun]) -> list[PaperRun]:
    return [run for run in found if run.paper == paper.key and claim.fits(run.dataset, run.optimiser)]


def _paper(paper: Paper, runs: Sequence[PaperRun]) -> Block:
    lines: list[object] = []
    for claim in paper.claims:
        lines += _claim(claim, _beside(claim, paper, runs))
    others = [run for run in runs if not any(claim.fits(run.dataset, run.optimiser) for claim in paper.claims)]
    if others:
        lines.append(group(strong("Other data or settings"), ": not to be held against the claims"))
        lines += [_line(_side(run), run, "test") for run in others]
    told: Spans = [strong(paper.title), f". {paper.authors}. Data: {paper.data}. Split: {paper.split}."]
    blocks = [
        text(*told),
        table(["", *METRICS], lines),
        bullets([[note] for note in paper.notes]) if paper.notes else None,
    ]
    return part([code(paper.key)], f"paper-{paper.key}", blocks)


def _claim(claim: Claim, runs: Sequence[PaperRun]) -> list[object]:
    claimed = [
        cell(claim.numbers.get(metric, DASH), tone="" if metric in claim.numbers else "muted") for metric in METRICS
    ]
    lines: list[object] = [group(strong(claim.what), f", {claim.where}"), [cell("claimed"), *claimed]]
    for own, side in ((True, "paper protocol"), (False, "honest protocol")):
        of_side = [run for run in runs if run.of_the_paper is own]
        lines += [_line(_side(run), run, claim.split) for run in of_side] or [_not_run(side)]
    return lines


def _not_run(side: str) -> list[dict[str, object]]:
    return [cell(side), cell(NOT_RUN, tone="muted", across=len(METRICS))]


def _side(run: PaperRun) -> str:
    return "paper protocol" if run.of_the_paper else f"honest: {run.protocol}"


def _line(side: str, run: PaperRun, split: str) -> list[dict[str, object]]:
    part_of = f"{100 * run.fraction:.0f} % of " if run.fraction < 1 else ""
    faces = f", {counted(run.faces[split], 'face')}" if split in run.faces else ""
    small = f"{part_of}{run.dataset}{faces}, {_members(run)}"
    return [cell(side, small=small), *(_number(run, split, metric) for metric in METRICS)]


def _members(run: PaperRun) -> str:
    if run.folds:
        return f"{run.folds} folds"
    seeds = ", ".join(map(str, run.seeds))
    return f"seed{'s' if len(run.seeds) > 1 else ''} {seeds}"


def _number(run: PaperRun, split: str, metric: str) -> dict[str, object]:
    name = METRICS[metric]
    value = run.numbers.get(split, {}).get(name)
    if value is None:
        return cell(DASH, tone="muted")
    several = spread(run.sd.get(split, {}).get(name), percent)
    return cell(percent(value), small=several or interval(run.intervals.get(split, {}).get(name), percent))


def _left_out(material: Material) -> Block | None:
    reasons = [f"{counted(count, 'result')}: {why}" for why, count in material.papers.left_out.items() if count]
    return text(f"Left out of the honest column: {'; '.join(reasons)}.", tone="note") if reasons else None


def _behind(found: Sequence[PaperRun]) -> list[Block]:
    """Where every number of ours came from."""
    if not found:
        return []
    names = ["network", "set, protocol", "trained, scored on", "data, commit", "MLflow run", "test faces"]
    rows = [
        [
            cell(code(run.architecture)),
            cell(run.dataset, small=run.protocol),
            cell(_members(run), small=run.device),
            cell(code(digest(run.data_digest)), small=digest(run.commit)),
            cell(*(span for run_id in run.run_ids for span in (code(digest(run_id)), " "))),
            cell(f"{run.faces['test']:,}", small=f"{run.emotions} emotions"),
        ]
        for run in found
    ]
    return [part(["The runs behind these numbers"], "the-runs-behind-these-numbers", [table(names, rows, left=5)])]
