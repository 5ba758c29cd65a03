"""params.yaml, typed: every part of the pipeline owns one small dataclass here, checked before anything runs.

Plain dataclasses, so that the library imports on a machine without pydantic; only `load` needs it, to read the YAML.
"""

from ferline.params.data import (
    PAPERS,
    PROTOCOLS,
    DatasetParams,
    Detector,
    FaceParams,
    LeakageParams,
    ValidationParams,
)
from ferline.params.judging import EvaluationParams, GateParams, OcclusionParams, PromotionParams, RobustnessParams
from ferline.params.read import load
from ferline.params.training import ArchitectureParams, AugmentationParams, ComputeParams, InputParams, TrainingParams
from ferline.params.whole import Params, Repetition

__all__ = [
    "PAPERS",
    "PROTOCOLS",
    "ArchitectureParams",
    "AugmentationParams",
    "ComputeParams",
    "DatasetParams",
    "Detector",
    "EvaluationParams",
    "FaceParams",
    "GateParams",
    "InputParams",
    "LeakageParams",
    "OcclusionParams",
    "Params",
    "PromotionParams",
    "Repetition",
    "RobustnessParams",
    "TrainingParams",
    "ValidationParams",
    "load",
]
