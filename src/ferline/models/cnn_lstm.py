"""An Approach in Deep Learning Using Recurrent Neural Networks and Convolutional Neural Networks for Facial Expression
Identification (Abdullahi, Malgwi, Zali and Mohammed).

The paper fixes: three blocks of convolution + ReLU + max-pooling; the map reshaped to a sequence of feature vectors;
LSTM; softmax; 48 x 48, pixels in [0, 1].
We chose:
- one 3 x 3 convolution a block, 32, 64 and 128 wide: the paper gives no width;
- the sequence is the map's rows from top to bottom: 6 steps of 6 x 128 at 48;
- LSTM(128), its last state classified; no dropout unless asked for: the paper names none;
- He's initial weights for the convolutions: with torch's own the signal of pixels in [0, 1] fades on its way to the
  LSTM, and the loss stays at the class prior for the first ten epochs of the demo.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ferline.models.network import Network, read_through, require, require_dropout
from ferline.models.registry import register_model
from ferline.params import InputParams

BLOCKS = 3


@register_model("cnn_lstm")
class CnnLstm(Network):
    """`width` is the first block's, doubled in each next one; `dropout` stands before the classifier."""

    def __init__(
        self,
        input: InputParams,
        weights: str,
        emotions: Sequence[str],
        *,
        width: int = 32,
        lstm_units: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(input, weights, emotions)
        require(width >= 1, "width", width, "a whole number of at least 1")
        require(lstm_units >= 1, "lstm_units", lstm_units, "a whole number of at least 1")
        require_dropout(dropout)
        widths = [input.channels] + [width * 2**block for block in range(BLOCKS)]
        self.blocks = nn.Sequential(*(_block(*pair) for pair in pairwise(widths)))
        side = input.side // 2**BLOCKS
        self.lstm = nn.LSTM(side * widths[-1], lstm_units, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(lstm_units, len(self.emotions)))

    def features(self, x: Tensor) -> Tensor:
        return read_through(self.lstm, rows(self.blocks(x)))


def rows(feature_map: Tensor) -> Tensor:
    """[N,F,h,w] to the sequence [N,h,F*w]: a step a row of the map."""
    return feature_map.permute(0, 2, 1, 3).flatten(2)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2))
