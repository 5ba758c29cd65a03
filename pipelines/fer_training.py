"""The whole product, from top to bottom: raw faces in, registered champion out."""

from pathlib import Path

from zenml import pipeline
from zenml.enums import ExecutionMode

from ferline.datasets.ingest import require_splittable
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

    # ---- one branch an architecture, in folds one a fold; faces of one size are made once
    sizes = {architecture.input: None for architecture in params.architectures.values()}
    resized = {size: resize(faces, size, id=f"resize_{size.side}x{size.channels}") for size in sizes}
    models, evaluations, of_folds = [], [], []
    for name, architecture in params.architectures.items():
        batch = resized[architecture.input]
        policy = augment(
            batch, architecture.augmentation, architecture.input, architecture.training.seed, id=f"augment_{name}"
        )
        if folds := range(params.dataset.folds):
            trained = [train(name, architecture, batch, policy, fold, id=f"train_{name}_fold_{fold}") for fold in folds]
            scored = [evaluate(trained[fold], batch, fold, id=f"evaluate_{name}_fold_{fold}") for fold in folds]
            models.append(trained[0])  # of the folds, the first is the one that may be promoted
            evaluations.append(pool(scored, id=f"pool_{name}"))
            of_folds += scored
        else:
            models.append(train(name, architecture, batch, policy, id=f"train_{name}"))
            evaluations.append(evaluate(models[-1], batch, id=f"evaluate_{name}"))

    # ---- the choice
    promote(compare(evaluations, params.promotion), evaluations + of_folds, models, faces, params.promotion)


def load_params() -> Params:
    """params.yaml, with everything refused now that would fail an hour from now."""
    params = load("params.yaml")
    require_splittable(Path.cwd(), params.dataset)
    for name, architecture in params.architectures.items():
        check(name, architecture, params.dataset.emotions)
    require_reachable()
    return params
