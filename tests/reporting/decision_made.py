"""A promotion.json as the pipeline writes it, as far as the report reads it."""

DECISION = {
    "registered_name": "ferline",
    "mode": "enforce",
    "outcome": "better",
    "reason": "cnn_lstm is better: it says so here",
    "promoted": True,
    "would_promote": True,
    "champion_version": "4",
    "decided_at": "2026-01-31 10:20:00 UTC",
    "gates": [
        {"name": "min_macro_f1", "value": 0.91234, "threshold": 0.5, "passed": True, "rule": "at least"},
        {"name": "max_robustness_drop", "value": None, "threshold": 0.5, "passed": False, "rule": "at most"},
    ],
    "policy": {"min_gain": 0.01, "level": 0.05},
    "previous_champion": {
        "version": "3",
        "comparison": {
            "metric": "macro_f1",
            "champion": 0.8765,
            "candidate": 0.9123,
            "gain": 0.0358,
            "interval": [-0.001, 0.07],
            "significance": "bootstrap",
            "p": 0.0211,
            "faces": 120,
            "left_out": 20,
            "notes": ["The champion learnt on faces that were cut out otherwise"],
        },
    },
}
