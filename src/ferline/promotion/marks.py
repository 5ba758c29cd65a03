"""What is written on a version in the registry about its rise and fall: the names of the tags, and the time."""

from datetime import UTC, datetime

# Tags of a version: the latest decision about it; how it became champion; by whom it was taken back or put back.
DECISION, OUTCOME, DECIDED_AT = "decision", "outcome", "decided_at"
REPLACED, PROMOTION, PROMOTED_AT = "ferline.replaced", "promotion", "promoted_at"
TAKEN_BACK, TAKEN_BACK_AT = "taken_back", "taken_back_at"
RESTORED, RESTORED_AT = "restored", "restored_at"
NOBODY = "none"  # what the first champion replaced


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
