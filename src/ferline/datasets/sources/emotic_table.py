"""Which emotion each of EMOTIC's 26 categories stands for: emotic_table.yaml, or a file of one's own like it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ferline.emotions import KNOWN, in_order
from ferline.errors import FerlineError

OURS = Path(__file__).with_name("emotic_table.yaml")

# In EMOTIC's own order, which is that of the columns of the *_cat_arr.npy files.
CATEGORIES = (
    *("Affection", "Anger", "Annoyance", "Anticipation", "Aversion", "Confidence", "Disapproval", "Disconnection"),
    *("Disquietment", "Doubt/Confusion", "Embarrassment", "Engagement", "Esteem", "Excitement", "Fatigue", "Fear"),
    *("Happiness", "Pain", "Peace", "Pleasure", "Sadness", "Sensitivity", "Suffering", "Surprise", "Sympathy"),
    "Yearning",
)


def load_table(path: Path | None = None) -> dict[str, str | None]:
    """Category to emotion, or to None; every category is in it."""
    import yaml  # here: a machine that only trains need not have it

    path = path or OURS
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FerlineError(f"{path}: cannot be read as YAML ({error}). Nothing was added") from None
    if not isinstance(content, dict):
        raise _wrong(path, "no table of categories")
    if unknown := sorted(str(name) for name in content if name not in CATEGORIES):
        raise _wrong(path, f"{', '.join(unknown)}: no category of EMOTIC's, which are {', '.join(CATEGORIES)}")
    if absent := [name for name in CATEGORIES if name not in content]:
        raise _wrong(path, f"{', '.join(absent)}: missing; write an emotion or none for every category")
    return {category: _emotion(path, category, content[category]) for category in CATEGORIES}


def _emotion(path: Path, category: str, value: object) -> str | None:
    if value is None or value == "none":
        return None
    if value not in KNOWN:
        raise _wrong(path, f"{category}: {value!r} is none of {', '.join(KNOWN)}, none")
    return str(value)


def _wrong(path: Path, what: str) -> FerlineError:
    return FerlineError(f"{path}: {what}. Nothing was added")


def emotions_of(categories: Iterable[str], table: Mapping[str, str | None]) -> tuple[str, ...]:
    """The different emotions that a person's categories stand for."""
    return in_order(emotion for category in categories if (emotion := table[category]))
