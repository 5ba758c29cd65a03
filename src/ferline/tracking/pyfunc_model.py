"""The code that MLflow runs when it loads a Ferline model (`mlflow.pyfunc.load_model`): models from code, no pickle."""

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from ferline.models.trained import TrainedModel
from ferline.serving.predictor import Predictor


class FaceEmotion(PythonModel):
    """A table with a column `image` of encoded bytes (JPEG, PNG ...) in, one row of emotions an image out."""

    def load_context(self, context: PythonModelContext) -> None:
        self.predictor = Predictor(TrainedModel(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        return self.predictor.predict(model_input["image"].tolist())


set_model(FaceEmotion())
