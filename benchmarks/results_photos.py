"""Looking for faces on docs/results.md: what it costs that a face is a part of a larger picture."""

from typing import Any

WAYS = {"as cut": "as FER2013 cuts them (`--cropped`)", "haar": "the cascade", "yunet": "YuNet"}


def section(found: dict[str, Any] | None) -> list[str]:
    lines = ["## Looking for faces", ""]
    if not found:
        return [*lines, "Not run. `benchmarks/photos.py` is the command."]
    faces, searched = found["faces"], found["searched"]
    lines += [
        f"The {faces['all']:,} faces of PublicTest, each enlarged to 240 pixels with half as much of its mean grey "
        "on every side, are looked for, cut and told as in a photograph; where no face is found, the middle of the "
        "picture is told. FER2013's labels, one view a face, per cent; in ms of one thread's time the search with "
        f"eyes and cut, on {found['processor']}; code of `{found['commit']}`.",
        "",
        "| model | faces | found | ms | right of all | of those that both find | of those that YuNet alone finds |",
        "|---|---|---|---|---|---|---|",
    ]
    for model, ways in found["right"].items():
        for way, right in ways.items():
            seen = searched.get(way)
            cells = [f"`{model}`", WAYS[way]]
            cells += [f"{100 * seen['found'] / faces['all']:.1f} %", f"{seen['ms']:.1f}"] if seen else ["–", "–"]
            cells += [f"{100 * right[group]:.1f}" for group in ("all", "both", "yunet alone")]
            lines.append(f"| {' | '.join(cells)} |")
    lost = [100 * (ways["as cut"]["both"] - ways[way]["both"]) for ways in found["right"].values() for way in searched]
    return [
        *lines,
        "",
        f"{faces['both']:,} faces both find, {faces['yunet alone']:,} YuNet alone. Beside the one face that there is, "
        f"the cascade saw another in {searched['haar']['more']:,} places and YuNet in {searched['yunet']['more']:,}. "
        f"A face that is found is told {min(lost):.1f} to {max(lost):.1f} points worse than in FER2013's own "
        "frame: the square around it is a little larger or smaller, higher or lower each time, and levelled.",
    ]
