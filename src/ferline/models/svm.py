"""A support vector machine as numbers: scikit-learn fits it, tensors hold it, torch evaluates it as scikit-learn would.

Double precision throughout: a vote of the rbf machine flips at zero, and single precision flips it elsewhere.
scikit-learn is imported where a machine is fitted: who asks a trained model need not wait for it.
"""

from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ferline.errors import FerlineError

NUMBERS = ("mean", "scale", "classes", "coefficients", "intercept", "support", "gamma", "sharpness")
ABSENT = -1e4  # the logit of a class the training split never showed: softmax makes it 0, and a loss stays finite
FOLDS = 3


class SupportVectorMachine(nn.Module):
    """Features to one logit a class; the class of the highest is exactly what scikit-learn predicts.

    linear: LinearSVC, one class against the rest. rbf: SVC, one class against each other, its votes with the
    confidences that break ties. Classes weigh alike however many images each has, as if they were oversampled.

    An SVM's scores are no log-odds. One factor on them, fitted by cross-validation within the training split, makes the
    softmax of the product nearly so: on FER2013 it took the expected calibration error from 0.137 to 0.023.
    """

    mean: Tensor
    scale: Tensor
    classes: Tensor
    coefficients: Tensor
    intercept: Tensor
    support: Tensor
    gamma: Tensor
    sharpness: Tensor

    def __init__(self, outputs: int, kernel: Literal["linear", "rbf"], c: float) -> None:
        super().__init__()
        self.outputs, self.kernel, self.c = outputs, kernel, c
        for name in NUMBERS:
            self.register_buffer(name, torch.zeros(0, dtype=torch.int64 if name == "classes" else torch.float64))

    @property
    def fitted(self) -> bool:
        return self.coefficients.numel() > 0

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N,outputs] of features [N,D]."""
        logits = self.scores(features) * self.sharpness
        # The shape's own number, not len(): an exported graph keeps it open.
        absent = logits.new_full((logits.shape[0], self.outputs), ABSENT)
        return absent.index_copy(1, self.classes, logits)

    def scores(self, features: Tensor) -> Tensor:
        """scikit-learn's `decision_function`, one column for each class that was fitted."""
        z = (features.double() - self.mean) / self.scale
        if self.kernel == "rbf":
            z = torch.exp(-self.gamma * _squared_distances(z, self.support))
        decisions = z @ self.coefficients.T + self.intercept
        return _votes(decisions, len(self.classes)) if self.kernel == "rbf" and len(self.classes) > 2 else decisions

    def fit(self, features: np.ndarray, labels: np.ndarray, seed: int) -> Any:
        """Fit to features [N,D] and class indices [N]; returns scikit-learn's machine, of standardised features."""
        if len(np.unique(labels)) < 2:
            raise FerlineError("the SVM needs images of two emotions at least, and the training split holds fewer")
        features = features.astype(np.float64)
        if not np.isfinite(features).all():
            raise FerlineError("the features for the SVM are not all finite: the training before it diverged")
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale[scale < 1e-9] = 1.0  # a unit that never moves would be divided by zero
        z = (features - mean) / scale
        estimator = self._estimator(z, seed).fit(z, labels)
        read = _linear_numbers if self.kernel == "linear" else _rbf_numbers
        numbers = {"mean": mean, "scale": scale, "classes": estimator.classes_, **read(estimator)}
        for name, value in (numbers | {"sharpness": _sharpness(self._estimator(z, seed), z, labels, seed)}).items():
            old = getattr(self, name)
            # Contiguous, as it will be when it was saved: another order of memory adds up to other last bits.
            tensor = torch.from_numpy(np.ascontiguousarray(value)).clone()
            setattr(self, name, tensor.to(old.device, old.dtype))
        return estimator

    def _estimator(self, z: np.ndarray, seed: int) -> Any:
        from sklearn.svm import SVC, LinearSVC

        if self.kernel == "linear":
            return LinearSVC(C=self.c, class_weight="balanced", dual="auto", max_iter=20_000, random_state=seed)
        gamma = 1 / z.shape[1]  # as far apart as a pair of standardised features is, whatever their number
        return SVC(C=self.c, gamma=gamma, class_weight="balanced", break_ties=True, random_state=seed)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take the saved shapes: how many support vectors there are is known only after a fit."""
        for name in NUMBERS:
            if (saved := state_dict.get(prefix + name)) is not None:
                setattr(self, name, getattr(self, name).new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    return (a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * (a @ b.T)).clamp(min=0)


def _votes(decisions: Tensor, classes: int) -> Tensor:
    """One-against-one decisions to scikit-learn's score a class: its votes, and a confidence that is below a third."""
    votes = decisions.new_zeros(decisions.shape[0], classes)
    confidence = torch.zeros_like(votes)
    for pair, (i, j) in enumerate(combinations(range(classes), 2)):
        decision = decisions[:, pair]
        votes[:, i] += decision >= 0
        votes[:, j] += decision < 0
        confidence[:, i] += decision
        confidence[:, j] -= decision
    return votes + confidence / (3 * (confidence.abs() + 1))


def _linear_numbers(estimator: Any) -> dict[str, Any]:
    if len(estimator.classes_) == 2:
        return _both_ways(estimator.coef_, estimator.intercept_)
    return {"coefficients": estimator.coef_, "intercept": estimator.intercept_}


def _rbf_numbers(estimator: Any) -> dict[str, Any]:
    """libsvm's compact dual coefficients as one row a pair of classes, zero at the support vectors of the others."""
    kept = {"support": estimator.support_vectors_, "gamma": estimator.gamma}
    if len(estimator.classes_) == 2:
        return kept | _both_ways(estimator.dual_coef_, estimator.intercept_)
    ends = np.cumsum(estimator.n_support_)
    of = [slice(end - count, end) for end, count in zip(ends, estimator.n_support_, strict=True)]
    pairs = list(combinations(range(len(of)), 2))
    coefficients = np.zeros((len(pairs), len(estimator.support_vectors_)))
    for row, (i, j) in zip(coefficients, pairs, strict=True):
        row[of[i]] = estimator.dual_coef_[j - 1, of[i]]
        row[of[j]] = estimator.dual_coef_[i, of[j]]
    return kept | {"coefficients": coefficients, "intercept": estimator.intercept_}


def _both_ways(row: np.ndarray, intercept: np.ndarray) -> dict[str, Any]:
    """Of two classes scikit-learn keeps one decision, positive for the second."""
    return {"coefficients": np.vstack([-row, row]), "intercept": np.concatenate([-intercept, intercept])}


def _sharpness(estimator: Any, z: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """The factor that makes softmax fit best what machines that never saw an image say of it."""
    from scipy.optimize import minimize_scalar
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < FOLDS:
        return 1.0
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(estimator, z, labels, cv=folds, method="decision_function")
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)

    def loss(logarithm: float) -> float:
        shares = torch.from_numpy(scores * np.exp(logarithm)).softmax(dim=1)
        return float(log_loss(labels, shares.numpy(), labels=classes))

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))
