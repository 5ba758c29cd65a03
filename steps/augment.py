"""Parameters -> AugmentationPolicy."""

from zenml import step

from ferline.augment.policy import AugmentationPolicy
from ferline.faces.faceset import FaceSet
from ferline.params import AugmentationParams, InputParams
from steps._caching import following


@step(cache_policy=following("ferline.augment"))
def augment(faces: FaceSet, params: AugmentationParams, input: InputParams, seed: int) -> AugmentationPolicy:
    """Check the policy against the faces and draw it, so that a person can see what the network will see."""
    return AugmentationPolicy.write(params, faces, input, seed)
