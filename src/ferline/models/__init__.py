"""One file per paper, and our own entry; importing this package registers them all."""

from ferline.models import cnn_lstm, cnn_lstm_svm, ferline_net, resnet50_gru, resnet50_resnet34, resnet50_transfer

__all__ = ["cnn_lstm", "cnn_lstm_svm", "ferline_net", "resnet50_gru", "resnet50_resnet34", "resnet50_transfer"]
