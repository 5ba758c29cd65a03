"""What `dvc` and `ferline` import. Neither imports ZenML, which takes hold of the logging of the process it is in."""

import dvc.cli
import dvc.repo  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import mlflow.pyfunc  # noqa: F401
import sklearn.svm  # noqa: F401
import torchvision.models  # noqa: F401
