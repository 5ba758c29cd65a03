"""A saved view of MLflow's page of runs: the architectures' rows with the columns and charts that one chooses by.

MLflow keeps a saved view as a tag of the experiment, so it is there from the first run on, under `Views`. Without one,
the page shows no metric at all until somebody ticks some of a hundred columns.
"""

import base64
import json
import time
import zlib
from typing import Any

NAME = "Architectures"
KEY = "ferline"  # .../#/experiments/ID/runs?viewStateShareKey=ferline opens it
TAG = f"mlflow.sharedViewState.{KEY}"
COLUMNS = (
    "tags.`ferline.rank`",
    "metrics.`validation/macro_f1`",
    "metrics.`test/macro_f1`",
    "metrics.`test/macro_f1_low`",
    "metrics.`test/macro_f1_high`",
    "metrics.`test/accuracy`",
    "metrics.`test/min_class_recall`",
    "metrics.`test/ece`",
    "metrics.`robustness_drop`",
    "metrics.`latency_ms`",
    "metrics.`size_mb`",
    "attributes.`Models`",
    "attributes.`Dataset`",
    "tags.`ferline.run`",
)
WIDTHS = {"tags.`ferline.run`": 280, "tags.`ferline.rank`": 90, "attributes.`Dataset`": 200}  # pixels; else WIDTH
WIDTH = 135
# What is traded for what; the lines are coloured by the last.
TRADED = ("latency_ms", "robustness_drop", "test/ece", "test/min_class_recall", "test/macro_f1", "validation/macro_f1")
BARS = {
    "To choose by": ("validation/macro_f1", "test/macro_f1", "test/accuracy", "test/min_class_recall"),
    "To trust": ("test/ece", "test/brier", "robustness_drop"),
    "To run": ("latency_ms", "size_mb", "parameters"),
}
# Title, charts side by side, height of a chart in pixels.
SECTIONS = {
    "All at once": (1, 380),
    "To choose by": (4, 300),
    "Confusion on test": (1, 480),
    "To trust": (3, 300),
    "To run": (3, 300),
    "Curves": (3, 360),
}
IMAGE = "confusion_test"  # the key under which a row's picture is logged
CURVES = ("validation_macro_f1", "validation_loss", "train_loss", "validation_accuracy", "train_accuracy")


def tag() -> dict[str, str]:
    """The view as a tag to make the experiment with."""
    now = int(time.time() * 1000)
    packed = base64.b64encode(zlib.compress(json.dumps(_state()).encode())).decode()
    return {TAG: json.dumps({"name": NAME, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"})}


def _state() -> dict[str, Any]:
    charts = [_chart("PARALLEL", "All at once", selectedParams=["architecture"], selectedMetrics=list(TRADED))]
    charts += [_chart("IMAGE", "Confusion on test", imageKeys=[IMAGE], step=0, showRunParams=False)]
    charts += [_chart("BAR", section, metricKey=key) for section, keys in BARS.items() for key in keys]
    charts += [_curve(f"curves/{key}") for key in CURVES]
    return {
        "searchFilter": "tags.`ferline.kind` = 'architecture'",
        "orderByKey": "tags.`ferline.run`",  # the newest first, and unlike by time not folded up under their parents
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(COLUMNS),
        "columnOrder": list(COLUMNS),
        "columnWidths": {name: WIDTHS.get(name, WIDTH) for name in COLUMNS},
        "runsHiddenMode": "FIRST_10_RUNS",
        "hideEmptyCharts": True,
        "compareRunCharts": [chart | {"uuid": f"chart-{number}"} for number, chart in enumerate(charts)],
        "compareRunSections": [
            {"uuid": name, "name": name, "columns": columns, "cardHeight": height, "display": True, "isReordered": True}
            for name, (columns, height) in SECTIONS.items()
        ],
        "isAccordionReordered": True,
    }


def _chart(kind: str, section: str, **values: Any) -> dict[str, Any]:
    common = {
        "type": kind,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 10,
    }
    return common | values


def _curve(key: str) -> dict[str, Any]:
    """One line a row, epochs along the bottom."""
    return _chart(
        "LINE",
        "Curves",
        metricKey=key,
        selectedMetricKeys=[key],
        xAxisKey="step",
        yAxisKey="metric",
        xAxisScaleType="linear",
        scaleType="linear",
        lineSmoothness=0,
        range={},
        selectedXAxisMetricKey="",
        yAxisExpressions=[],
        ignoreOutliers=False,
        useGlobalXaxisKey=True,
        useGlobalLineSmoothing=True,
    )
