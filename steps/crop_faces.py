"""Samples -> FaceSet."""

from zenml import step

from ferline.datasets.samples import Samples
from ferline.faces.crop import crop
from ferline.faces.faceset import FaceSet
from ferline.params import FaceParams
from steps._caching import following


@step(cache_policy=following("ferline.faces.crop"))
def crop_faces(samples: Samples, params: FaceParams) -> FaceSet:
    """Find, level and cut out the face of every sample."""
    return crop(samples, params)
