"""The SVM in tensors gives scikit-learn's own scores and answers, before and after it was saved."""

import numpy as np
import pytest
import torch

from ferline.errors import FerlineError
from ferline.models.network import to_input
from ferline.models.svm import ABSENT, SupportVectorMachine
from ferline.models.trained import TrainedModel

both_kernels = pytest.mark.parametrize("kernel", ["linear", "rbf"])


def clouds(count: int, classes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds of 16 float32 features on very different scales, the first classes seen more often."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(classes, count, p=np.arange(len(classes), 0, -1) / sum(range(len(classes) + 1)))
    centres = np.random.default_rng(99).normal(size=(7, 16))
    features = (centres[labels] + generator.normal(size=(count, 16))) * np.logspace(-3, 3, 16)
    return features.astype(np.float32), labels


def standardised(features: np.ndarray, by: np.ndarray) -> np.ndarray:
    by = by.astype(np.float64)
    return (features - by.mean(axis=0)) / by.std(axis=0)


@both_kernels
@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4, 5, 6], [0, 1, 3, 4, 5], [2, 6]], ids=["seven", "five", "two"])
def test_scores_and_answers_are_scikit_learns(kernel, classes):
    features, labels = clouds(400, classes)
    unseen, _ = clouds(600, classes, seed=1)
    svm = SupportVectorMachine(7, kernel, 1.0)
    estimator = svm.fit(features, labels, seed=0)
    decision = estimator.decision_function(standardised(unseen, features))
    decision = decision if decision.ndim == 2 else np.stack([-decision, decision], axis=1)
    np.testing.assert_allclose(svm.scores(torch.from_numpy(unseen)).numpy(), decision, rtol=1e-9, atol=1e-9)
    answers = svm(torch.from_numpy(unseen)).argmax(dim=1).numpy()
    np.testing.assert_array_equal(answers, estimator.predict(standardised(unseen, features)))
    assert len(np.unique(answers)) == len(classes)


@both_kernels
def test_a_class_that_was_never_shown_is_never_answered(kernel):
    features, labels = clouds(300, [0, 1, 2, 3, 4, 5])
    svm = SupportVectorMachine(7, kernel, 1.0)
    svm.fit(features, labels, seed=0)
    logits = svm(torch.from_numpy(features))
    assert (logits[:, 6] == ABSENT).all()
    assert torch.isfinite(logits).all()
    assert logits.softmax(dim=1)[:, 6].max() == 0


@both_kernels
def test_softmax_of_the_logits_is_nearer_to_the_truth_than_of_the_scores(kernel):
    features, labels = clouds(600, list(range(7)))
    unseen, truth = clouds(1000, list(range(7)), seed=1)
    svm = SupportVectorMachine(7, kernel, 1.0)
    svm.fit(features, labels, seed=0)
    x, truth = torch.from_numpy(unseen), torch.from_numpy(truth)
    loss = torch.nn.functional.cross_entropy
    assert loss(svm(x), truth) < loss(svm.scores(x), truth)
    assert torch.equal(svm(x).argmax(1), svm.scores(x).argmax(1))


@both_kernels
def test_a_unit_that_never_moves_and_a_class_of_one_image_do_no_harm(kernel):
    features, labels = clouds(200, [0, 1, 2])
    features[:, 3] = 0.5
    features, labels = np.vstack([features, features[:1] + 1]), np.append(labels, 6)
    svm = SupportVectorMachine(7, kernel, 1.0)
    svm.fit(features, labels, seed=0)
    assert torch.isfinite(svm(torch.from_numpy(features))).all()


@both_kernels
def test_state_goes_into_a_machine_that_was_never_fitted(kernel):
    features, labels = clouds(200, list(range(7)))
    svm, other = SupportVectorMachine(7, kernel, 1.0), SupportVectorMachine(7, kernel, 1.0)
    svm.fit(features, labels, seed=0)
    assert not other.fitted
    other.load_state_dict(svm.state_dict())
    assert other.fitted
    assert torch.equal(other(torch.from_numpy(features)), svm(torch.from_numpy(features)))


@both_kernels
def test_a_network_with_its_svm_answers_the_same_after_it_was_saved(kernel, fresh, faces, card, history, tmp_path):
    network = fresh("cnn_lstm_svm")
    network.svm.kernel = network.options["svm_kernel"] = kernel
    (images, labels), (unseen, _) = faces(70), faces(40, seed=1)
    unfitted = TrainedModel.write(network, card, history, tmp_path / "unfitted")
    with torch.inference_mode():
        network.fit_head(
            network.features(to_input(torch.from_numpy(images), *network.normalisation)).numpy(), labels, seed=0
        )
    fitted = TrainedModel.write(network, card, history, tmp_path / "fitted")
    loaded = TrainedModel(tmp_path / "fitted")
    assert loaded.network().svm.fitted
    assert not unfitted.network().svm.fitted
    assert np.array_equal(loaded.predict(unseen), fitted.predict(unseen))
    with torch.inference_mode():
        logits = network(to_input(torch.from_numpy(unseen), *network.normalisation))
    assert np.allclose(loaded.predict(unseen), logits.double().softmax(dim=1).numpy(), rtol=0, atol=1e-12)
    assert not np.allclose(loaded.predict(unseen), unfitted.predict(unseen))


def test_equal_seeds_give_equal_numbers():
    features, labels = clouds(300, list(range(7)))
    first, again = SupportVectorMachine(7, "linear", 1.0), SupportVectorMachine(7, "linear", 1.0)
    first.fit(features, labels, seed=3)
    again.fit(features, labels, seed=3)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in first.state_dict().items())


def test_one_class_is_refused():
    with pytest.raises(FerlineError, match="images of two emotions at least"):
        SupportVectorMachine(7, "linear", 1.0).fit(np.eye(4, dtype=np.float32), np.zeros(4, np.int64), seed=0)


def test_features_that_are_no_numbers_are_refused():
    features, labels = clouds(50, [0, 1])
    features[3, 2] = np.nan
    with pytest.raises(FerlineError, match="not all finite"):
        SupportVectorMachine(7, "linear", 1.0).fit(features, labels, seed=0)
