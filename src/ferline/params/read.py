"""From params.yaml to Params: the profile laid over, every key checked, and all that is wrong said at once."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from ferline.errors import FerlineError
from ferline.params import data, judging, training, whole
from ferline.params.whole import Params


def load(path: Path | str = "params.yaml") -> Params:
    """Read params.yaml, lay its chosen profile over it and check every key; a FerlineError lists all that is wrong."""
    import yaml

    try:
        text = Path(path).read_text()
        content, twice = yaml.safe_load(text), list(_twice(yaml.compose(text, yaml.SafeLoader)))
    except OSError as error:
        raise FerlineError(f"{path}: cannot be read ({error.strerror}). Run from the project's folder") from None
    except yaml.YAMLError as error:
        raise FerlineError(f"{path}: not YAML: {error}") from None
    if twice:
        raise FerlineError("\n".join(f"{path}, {told}" for told in twice))
    if not isinstance(content, dict):
        raise FerlineError(f"{path}: expected keys and values, found {type(content).__name__}")
    profiles = content.pop("profiles", None) or {}
    chosen = content.get("profile")
    if chosen not in profiles:
        raise FerlineError(f"{path}: profile: {chosen!r} is not allowed; write one of {', '.join(profiles)}")
    for name, overlay in profiles.items():
        if "name" in ((overlay or {}).get("dataset") or {}):
            raise FerlineError(
                f"{path}: profiles.{name}.dataset.name: a profile cannot name another set, since DVC and the "
                "retraining follow dataset.name. Write the set there"
            )
    # Every profile is checked, not only the chosen one: a typo must not wait for the day of the long run.
    checked = {
        name: _check(_overlaid(content, overlay or {}) | {"profile": name}, f"{path} ({name})")
        for name, overlay in profiles.items()
    }
    return checked[chosen]


def _twice(node: Any, above: str = "") -> Iterator[str]:
    """Keys that a mapping has more than once: of them YAML would take the last, and say nothing."""
    lines: dict[str, int] = {}
    for entry in node.value if node is not None and node.id != "scalar" else ():
        key, value = entry if node.id == "mapping" else (None, entry)
        name = f"{above}{key.value}" if key else above.removesuffix(".")
        if key and name in lines:
            yield f"line {key.start_mark.line + 1}: {name} is in line {lines[name]} already. Leave one of the two out"
        if key:
            lines.setdefault(name, key.start_mark.line + 1)
        yield from _twice(value, f"{name}.")


def _overlaid(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the overlay's values in place of its own, key by key at every depth; null takes a whole part away."""
    merged = deepcopy(dict(base))
    for key, value in overlay.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _overlaid(merged[key], value) if nested else deepcopy(value)
        if value is None and isinstance(base.get(key), Mapping):
            del merged[key]
    return merged


def _check(content: Mapping[str, Any], where: str) -> Params:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(_strict(Params)).validate_python(content)
    except ValidationError as error:
        lines = [f"{where}: {_line(problem)}" for problem in error.errors()]
        raise FerlineError("\n".join(lines)) from None


def _strict(kind: type) -> type:
    """Mark every dataclass of params.yaml so that pydantic refuses keys it does not know."""
    for part in (data, training, judging, whole):
        for each in vars(part).values():
            if isinstance(each, type) and each.__module__ == part.__name__ and is_dataclass(each):
                each.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return kind


def _line(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    kind, value = problem["type"], problem["input"]
    if kind == "unexpected_keyword_argument":
        known = _known_keys(problem["loc"][:-1])
        return f"{key}: unknown key; known here: {', '.join(known)}"
    if kind == "missing":
        return f"{key}: missing"
    message = problem["msg"].removeprefix("Value error, ")
    return (
        f"{key}.{message}"
        if kind == "value_error"
        else f"{key}: {value!r} is not allowed; {message[0].lower()}{message[1:]}"
    )


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    from typing import get_args, get_type_hints

    kind: Any = Params
    for part in location:
        hints = get_type_hints(kind) if hasattr(kind, "__dataclass_fields__") else {}
        kind = hints.get(part) or (get_args(kind) or (kind,))[-1]
    return sorted(getattr(kind, "__dataclass_fields__", {}))
