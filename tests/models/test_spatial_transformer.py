"""cnn_lstm_svm's spatial transformer: where it samples does not depend on the numbers that a network computes in."""

import torch

from ferline.models.cnn_lstm_svm import SpatialTransformer
from ferline.params import InputParams


def test_at_the_identity_a_face_comes_out_as_it_went_in_also_in_bfloat16() -> None:
    torch.manual_seed(0)
    transformer = SpatialTransformer(InputParams(48, 1))
    transformer.start_as_identity()
    faces = torch.rand(4, 1, 48, 48)
    with torch.autocast("cpu", torch.bfloat16):
        seen = transformer(faces)
    torch.testing.assert_close(seen, faces, atol=1e-4, rtol=0)
    assert transformer.bfloat16()(faces.bfloat16()).dtype == torch.bfloat16
