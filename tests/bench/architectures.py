"""The papers' five architectures, small enough to measure."""

from ferline.params import ArchitectureParams, AugmentationParams, InputParams, TrainingParams

OPTIONS = {
    "cnn_lstm": {"width": 8, "lstm_units": 16},
    "cnn_lstm_svm": {"width": 4, "lstm_units": 16},
    "resnet50_transfer": {"frozen_layers": 0},
}
MODELS = ("resnet50_gru", "cnn_lstm", "cnn_lstm_svm", "resnet50_resnet34", "resnet50_transfer")


def small(
    model: str = "cnn_lstm",
    side: int = 48,
    channels: int = 1,
    options: dict | None = None,
    augmentation: AugmentationParams | None = None,
    weights: str = "none",
    **training,
) -> ArchitectureParams:
    settings = {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3, **training}
    return ArchitectureParams(
        model=model,
        input=InputParams(side, channels),
        training=TrainingParams(**settings),
        weights=weights,
        options=OPTIONS.get(model, {}) if options is None else options,
        augmentation=augmentation or AugmentationParams(),
    )
