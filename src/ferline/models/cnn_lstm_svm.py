"""Facial emotion recognition by a hybrid of CNN and RNN features and an SVM classifier, on EMOTIC, FER-13 and FERG.

The paper fixes: a localisation network of three convolutions with pooling and ReLU and three fully connected layers,
whose affine transform picks the region that matters; six convolutions, max-pooling and ReLU after every three; dropout;
fully connected layers; LSTM; SVM on the LSTM's features; Gaussian initial weights of mean 0; 48 x 48.
We chose:
- initial SD 0.07, not the 0.0065 that the paper also gives: measured on 6,000 images of FER2013, two epochs with 0.0065
  leave the loss at the class prior (1.816) and every answer "happy", while 0.07 is at 1.76 and falling;
- the transform starts as the identity, else training begins on a random crop;
- widths: localisation 16, 32, 32 and 64, 32, 6; convolutions 3 x 32 and 3 x 64; LSTM(128); dropout 0.5;
- no ReLU between the convolutions of a group, as the paper has it "after every three";
- the fully connected layer reads each row of the map, so that the LSTM has a sequence: 12 steps of 128 at 48;
- the network trains with a softmax head; then the SVM, linear unless asked otherwise, is fitted on the training split.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ferline.models.cnn_lstm import rows
from ferline.models.network import Network, read_through, require, require_dropout
from ferline.models.registry import register_model
from ferline.models.svm import SupportVectorMachine
from ferline.params import InputParams

ROW_UNITS = 128


class SpatialTransformer(nn.Module):
    """Resamples an image under the affine transform that its localisation network predicts from it."""

    def __init__(self, input: InputParams) -> None:
        super().__init__()
        self.localisation = nn.Sequential(
            *_convolution(input.channels, 16), *_convolution(16, 32), *_convolution(32, 32), nn.Flatten()
        )
        self.affine = nn.Sequential(
            nn.Linear(32 * (input.side // 8) ** 2, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 6)
        )

    def forward(self, x: Tensor) -> Tensor:
        transform = self.transform(x).float()
        # Of bfloat16's the grid's points would be 0.05 pixels off. (Shapes alone, on "meta", know no autocast.)
        with torch.autocast("cuda" if x.is_cuda else "cpu", enabled=False):
            grid = F.affine_grid(transform, list(x.shape), align_corners=False)
            return F.grid_sample(x.float(), grid, padding_mode="border", align_corners=False).to(x.dtype)

    def transform(self, x: Tensor) -> Tensor:
        """The affine matrices [N,2,3]."""
        return self.affine(self.localisation(x)).view(-1, 2, 3)

    def start_as_identity(self) -> None:
        *_, weight, bias = self.affine.parameters()
        nn.init.zeros_(weight)
        with torch.no_grad():
            bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))


@register_model("cnn_lstm_svm")
class CnnLstmSvm(Network):
    """`init_sd` is the initial weights'; `svm_c` is the SVM's penalty on a training image on the wrong side."""

    needs_head_fit = True

    def __init__(
        self,
        input: InputParams,
        weights: str,
        emotions: Sequence[str],
        *,
        width: int = 32,
        lstm_units: int = 128,
        dropout: float = 0.5,
        init_sd: float = 0.07,
        svm_kernel: Literal["linear", "rbf"] = "linear",
        svm_c: float = 1.0,
    ) -> None:
        super().__init__(input, weights, emotions)
        require(width >= 1, "width", width, "a whole number of at least 1")
        require(lstm_units >= 1, "lstm_units", lstm_units, "a whole number of at least 1")
        require_dropout(dropout)
        require(init_sd > 0, "init_sd", init_sd, "a number above 0")
        require(svm_c > 0, "svm_c", svm_c, "a number above 0")
        self.transformer = SpatialTransformer(input)
        self.convolutions = nn.Sequential(
            *_group(input.channels, width), *_group(width, 2 * width), nn.Dropout(dropout)
        )
        self.dense = nn.Linear(2 * width * (input.side // 4), ROW_UNITS)
        self.lstm = nn.LSTM(ROW_UNITS, lstm_units, batch_first=True)
        self.head = nn.Linear(lstm_units, len(self.emotions))
        self.svm = SupportVectorMachine(len(self.emotions), svm_kernel, svm_c)
        for name, parameter in self.named_parameters():
            nn.init.normal_(parameter, std=0.0 if "bias" in name else init_sd)
        self.transformer.start_as_identity()

    def features(self, x: Tensor) -> Tensor:
        steps = self.dense(rows(self.convolutions(self.transformer(x)))).relu()
        return read_through(self.lstm, steps)

    def classify(self, features: Tensor) -> Tensor:
        return self.svm(features) if self.svm.fitted else self.head(features)

    def fit_head(self, features: np.ndarray, labels: np.ndarray, seed: int) -> None:
        """Put the SVM in the softmax head's place; the features come from the training split and nothing else."""
        self.svm.fit(features, labels, seed)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.MaxPool2d(2), nn.ReLU()]


def _group(inputs: int, outputs: int) -> list[nn.Module]:
    """Three convolutions, then max-pooling and ReLU."""
    convolutions = [nn.Conv2d(n, outputs, kernel_size=3, padding=1) for n in (inputs, outputs, outputs)]
    return [*convolutions, nn.MaxPool2d(2), nn.ReLU()]
