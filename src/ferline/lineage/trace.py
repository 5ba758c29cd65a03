"""From a model back to all that made it: data, code, parameters, environment, runs, and what was decided of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mlflow
from mlflow.entities import LoggedModel, Run
from mlflow.exceptions import MlflowException

from ferline.errors import FerlineError
from ferline.models.trained import CARD
from ferline.promotion import marks
from ferline.tracking import dataset, registry, rows, settings, store
from ferline.tracking.logged_model import DIGEST, logged_model, logged_models
from ferline.tracking.registry import Registered

SHORTEST = 6  # characters of a digest's beginning; a version number is shorter


@dataclass(frozen=True)
class Traced:
    """A model of the store with the rows that tell of it."""

    logged: LoggedModel
    row: Run  # the one in which it was first stored
    parent: Run | None
    versions: tuple[Registered, ...]

    @property
    def digest(self) -> str:
        return str(self.logged.tags[DIGEST])


def trace(model: str, name: str) -> Traced:
    """The model of this registered name that is meant: a version, an alias, or the beginning of a digest."""
    with registry.answering():
        logged = _meant(model, name)
        digest = logged.tags[DIGEST]
        row = _run(str(logged.source_run_id), f"model {digest[:12]}")
        return Traced(
            logged, row, _parent_of(row), tuple(each for each in registry.versions(name) if each.digest == digest)
        )


def lineage(model: str, name: str) -> dict[str, Any]:
    """All of it as plain values; None where the store does not know."""
    traced = trace(model, name)
    row, parent = traced.row, traced.parent
    with registry.answering():
        card = dict(mlflow.artifacts.load_dict(f"runs:/{row.info.run_id}/{CARD}"))
        decided = _decisions(traced)
    tags = row.data.tags
    trained_in = tags.get(rows.TRAINED_IN)
    pointer = dataset.pointer_of(card["dataset"]["name"])
    return {
        "architecture": card["architecture"],
        "model_digest": traced.digest,
        "seed": card["seed"],
        "fold": card.get("fold"),
        "member_seed": card.get("member_seed"),
        "registered": [_version(each) for each in traced.versions],
        "data": {
            "name": card["dataset"]["name"],
            "protocol": card["dataset"]["protocol"],
            "data_digest": card["data_digest"],
            "raw_digest": card.get("raw_digest"),
            "faces_digest": card.get("faces_digest"),
            "dvc_pointer": pointer.as_posix(),
            "dvc_md5": parent.data.tags.get(settings.REVISION) if parent else None,
        },
        "code": {
            "git_commit": _known(tags.get(store.COMMIT)),
            "git_changed": tags.get(store.CHANGED) == "true",
            "git_changed_files": parent.data.tags.get(store.CHANGED_FILES, "").splitlines() if parent else [],
            "environment_lock": tags.get(store.LOCK),
        },
        "runs": {
            "mlflow": mlflow.get_tracking_uri(),
            "row": row.info.run_id,
            "trained_here": trained_in == row.info.run_id,
            "parent": parent.info.run_id if parent else None,
            "model_id": traced.logged.model_id,
            "zenml_pipeline_run": parent.data.tags.get(rows.PARENT) if parent else None,
            "zenml_run_name": parent.info.run_name if parent else None,
        },
        "parameters": store.flat({**rows.parameters_of(card), "faces": card["preprocessing"]}),
        "decisions": decided,
        "rollbacks": [each for version in traced.versions for each in _rollbacks(version)],
    }


def _meant(model: str, name: str) -> LoggedModel:
    by_version = {each.version: each for each in registry.versions(name)}
    if model in by_version:
        return _stored(by_version[model])
    if (found := _version_of_alias(name, model)) in by_version:
        return _stored(by_version[str(found)])
    beginning = model.lower()
    if len(beginning) >= SHORTEST and set(beginning) <= set("0123456789abcdef"):
        matching = {each.tags[DIGEST]: each for each in logged_models(beginning)}
        if len(matching) == 1:
            return next(iter(matching.values()))
        if matching:
            raise FerlineError(f"{model!r} begins the digest of {len(matching)} models; write more of it")
    known = ", ".join(sorted(by_version, key=int)) or "none"
    raise FerlineError(
        f"{mlflow.get_tracking_uri()} has no model {model!r}: write a version of {name} (here: {known}), an alias such "
        f"as {registry.CHAMPION}, or the beginning of a model's digest ({SHORTEST} characters or more)"
    )


def _version_of_alias(name: str, alias: str) -> str | None:
    try:
        return str(store.client().get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in registry.ABSENT:
            return None
        raise


def _stored(version: Registered) -> LoggedModel:
    found = logged_model(version.digest)
    if found is None:
        raise FerlineError(f"{version.uri}: the model that it was made from was deleted, and its runs with it")
    return found


def _run(run_id: str, of: str) -> Run:
    try:
        return store.client().get_run(run_id)
    except MlflowException as error:
        if error.error_code not in registry.ABSENT:
            raise
        raise FerlineError(f"{of}: its MLflow run {run_id} was deleted, so where it came from is not known") from None


def _parent_of(row: Run) -> Run | None:
    """The pipeline run: above an architecture's row, and two above a fold's or a seed's."""
    above: Run | None = row
    while above is not None and above.data.tags.get(rows.KIND) != "pipeline":
        run_id = above.data.tags.get("mlflow.parentRunId")
        above = _run(run_id, f"MLflow run {above.info.run_id}") if run_id else None
    return above


def _known(value: str | None) -> str | None:
    return None if value in (None, "none") else value


def _version(version: Registered) -> dict[str, Any]:
    """A version with the aliases on it and what was written on it when it was decided."""
    aliases = store.client().get_model_version(version.name, version.version).aliases
    return {"name": version.name, "version": version.version, "aliases": sorted(aliases), "tags": version.tags}


def _decisions(traced: Traced) -> list[dict[str, Any]]:
    """What the promotions said in which this model was the best of its leaderboard, oldest first."""
    same = store.search(f"tags.`{rows.MODEL}` = '{traced.digest}' and tags.`{rows.KIND}` = 'architecture'")
    found = []
    for row in reversed(same):
        parent = _parent_of(row)
        if parent is None or parent.data.tags.get("ferline.best") != row.data.tags[rows.ARCHITECTURE]:
            continue
        if "ferline.reason" in parent.data.tags:
            found.append(
                {
                    "at": _time(parent.info.end_time),
                    "promoted": parent.data.tags["ferline.promoted"] == "true",
                    "outcome": parent.data.tags["ferline.outcome"],
                    "reason": parent.data.tags["ferline.reason"],
                    "parent": parent.info.run_id,
                }
            )
    return found


def _rollbacks(version: Registered) -> list[dict[str, Any]]:
    """By whom the version was taken back as champion, and put back."""
    return [
        {"at": version.tags[when], "version": version.version, "what": key, "said": version.tags[key]}
        for key, when in ((marks.TAKEN_BACK, marks.TAKEN_BACK_AT), (marks.RESTORED, marks.RESTORED_AT))
        if key in version.tags
    ]


def _time(milliseconds: int | None) -> str | None:
    return (
        None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
    )


def as_text(content: dict[str, Any]) -> str:
    """For a terminal; what the store does not know is a dash."""
    data, code, runs = content["data"], content["code"], content["runs"]
    member = [
        f"{word} {content[key]}"
        for key, word in (("fold", "fold"), ("member_seed", "seed"))
        if content[key] is not None
    ]
    changed = f", with {len(code['git_changed_files'])} files changed" if code["git_changed"] else ""
    lines = {
        "model": f"{content['architecture']}{''.join(f', {each}' for each in member)}  {content['model_digest']}",
        "registered": "; ".join(map(_registered_text, content["registered"])),
        "data": f"{data['name']}, protocol {data['protocol']}  {data['data_digest']}",
        "raw set": data["raw_digest"],
        "DVC": f"{data['dvc_pointer']}  {data['dvc_md5']}" if data["dvc_md5"] else None,
        "git commit": f"{code['git_commit']}{changed}" if code["git_commit"] else None,
        "environment": code["environment_lock"] and f"requirements.lock  {code['environment_lock']}",
        "seed": content["seed"],
        "MLflow": f"{runs['mlflow']}  run {runs['row']} under {runs['parent']}",
        "ZenML": f"{runs['zenml_run_name']}  {runs['zenml_pipeline_run']}" if runs["zenml_pipeline_run"] else None,
    }
    text = [f"{key:12} {'-' if value in (None, '') else value}" for key, value in lines.items()]
    if not runs["trained_here"]:
        text.append(" " * 13 + "(stored by that run from ZenML's cache; the run that trained it is not in this store)")
    text += [f"{'decision':12} {each['at']}  {each['reason']}" for each in content["decisions"]]
    text += [
        f"{'rollback':12} {each['at']}  version {each['version']} {each['what'].replace('_', ' ')} {each['said']}"
        for each in content["rollbacks"]
    ]
    text += [f"  changed    {name}" for name in code["git_changed_files"]]
    return "\n".join([*text, "parameters", *(f"  {key:34} {value}" for key, value in content["parameters"].items())])


def _registered_text(version: dict[str, Any]) -> str:
    aliases = f" ({', '.join(version['aliases'])})" if version["aliases"] else ""
    return f"{version['name']} version {version['version']}{aliases}"
