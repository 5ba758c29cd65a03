"""What every pod imports before it does anything of its own. Nothing here reads a setting."""

import importlib

from zenml.integrations.registry import integration_registry

HEAVY = ("torch", "torchvision.models", "mlflow.pyfunc", "sklearn.svm", "pandas", "matplotlib.font_manager", "cv2")
CLIENTS = ("great_expectations", "s3fs", "boto3", "kubernetes", "zenml.client")
for name in (*HEAVY, *CLIENTS, "zenml.entrypoints.step_entrypoint_configuration"):
    importlib.import_module(name)
integration_registry.activate_integrations()
