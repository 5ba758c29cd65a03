"""The artifact that an audit leaves: for programs, row by row, and to look at."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ferline.artifact import Artifact, staging, write_json
from ferline.datasets.audit.findings import Findings, Member
from ferline.datasets.audit.page import render
from ferline.datasets.audit.picture import Pictures

_COLUMNS = ["kind", "group", "across", "likeness", *Member.__dataclass_fields__]
_FIRST = 20  # subjects and sequences named in audit.json


class Audit(Artifact):
    """`audit.json` (figures), `groups.parquet` (a row for every member of every group), `page.html` with pictures.

    The page shows the images: it must stay where they may be.
    """

    @property
    def page(self) -> Path:
        return self.folder / "page.html"

    @property
    def groups(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "groups.parquet")

    def summary(self) -> dict[str, Any]:
        return dict(self.read_json("audit.json")["figures"])

    @classmethod
    def write(
        cls, findings: Findings, title: str, table: pd.DataFrame, pictures: Pictures, target: Path | None = None
    ) -> "Audit":
        """`table` and `pictures` are those that were audited; `title` heads the page."""
        content = {
            "title": title,
            "figures": findings.figures(),
            "subjects_across": [asdict(each) for each in findings.subjects_across[:_FIRST]],
            "sequences_across": [asdict(each) for each in findings.sequences_across[:_FIRST]],
        }
        with staging(target) as folder:
            write_json(folder / "audit.json", content)
            _table(findings).to_parquet(folder / "groups.parquet", index=False)
            (folder / "page.html").write_text(render(title, findings, table, pictures), encoding="utf-8")
        return cls(target or folder)


def _table(findings: Findings) -> pd.DataFrame:
    """`group` counts from 0 within each kind."""
    numbers = dict.fromkeys(("exact", "conflict", "near"), 0)
    rows = []
    for group in findings.groups:
        head = {"kind": group.kind, "group": numbers[group.kind], "across": group.across, "likeness": group.likeness}
        rows += [{**head, **vars(member)} for member in group.members]
        numbers[group.kind] += 1
    text = dict.fromkeys(("kind", "id", "dataset", "split", "label", "subject", "sequence"), "str")
    return pd.DataFrame(rows, columns=_COLUMNS).astype(text)
