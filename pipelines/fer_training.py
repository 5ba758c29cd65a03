"""The whole product, from top to bottom: raw faces in, registered champion out."""

from pathlib import Path

from zenml import pipeline
from zenml.enums import ExecutionMode

from ferline.datasets.ingest import attributes_of, require_splittable
from ferline.evaluation.slices import require_known
from ferline.models.predecessors import Predecessors
from ferline.models.registry import check
from ferline.params import Params, load
from ferline.tracking.store import require_reachable
from steps._caching import following
from steps.augment import augment
from steps.compare import compare
from steps.crop_faces import crop_faces
from steps.evaluate import evaluate
from steps.ingest import ingest, versions
from steps.pool import pool
from steps.promote import promote
from steps.resize import resize
from steps.train import train
from steps.validate import validate


@pipeline(execution_mode=ExecutionMode.FAIL_FAST)  # without one architecture there is no comparison to make
def fer_training() -> None:
    """Raw faces in, registered champion out."""
    params = load_params()

    # ---- data: versioned, checked, faces cut out
    ingest_this = ingest.with_options(cache_policy=following("ferline.datasets.ingest", files=versions(params.dataset)))
    samples, _ = validate(ingest_this(params.dataset), params.validation, params.dataset)
    faces = crop_faces(samples, params.faces)

    # ---- one branch an architecture, in it one a fold or a seed; faces of one size are made once
    sizes = {architecture.input: None for architecture in params.architectures.values()}
    resized = {size: resize(faces, size, id=f"resize_{size.side}x{size.channels}") for size in sizes}
    models, evaluations, members = [], [], []
    for name, architecture in params.architectures.items():
        batch = resized[architecture.input]
        policy = augment(
            batch, architecture.augmentation, architecture.input, architecture.training.seed, id=f"augment_{name}"
        )
        before = Predecessors.of(architecture).digests
        trained, scored = [], []
        for one in params.repetitions(name):
            id = f"train_{name}{one.suffix}"
            given = name, one.architecture, batch, policy, params.compute, one.fold, one.seed
            trained.append(train(*given, before, id=id))
            scored.append(evaluate(trained[-1], batch, params.evaluation, one.fold, id=f"evaluate_{name}{one.suffix}"))
        models += trained
        if len(scored) == 1:
            evaluations += scored
        else:
            evaluations.append(pool(scored, params.promotion.select_by, params.evaluation, id=f"pool_{name}"))
            members += scored

    # ---- the choice
    promote(compare(evaluations, params.promotion), evaluations + members, models, faces, params.promotion)


def load_params() -> Params:
    """params.yaml, with everything refused now that would fail an hour from now."""
    params = load("params.yaml")
    require_splittable(Path.cwd(), params.dataset)
    require_known(params.evaluation.slices, attributes_of(Path.cwd(), params.dataset), params.dataset.name)
    for name, architecture in params.architectures.items():
        check(name, architecture, params.dataset.emotions)
    require_reachable()
    return params
