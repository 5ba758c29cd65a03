"""FaceSet -> FaceSet of one network's input size."""

from zenml import step

from ferline.faces import resize as resizing
from ferline.faces.faceset import FaceSet
from ferline.params import InputParams
from steps._caching import following


@step(cache_policy=following("ferline.faces.resize"))
def resize(faces: FaceSet, input: InputParams) -> FaceSet:
    """Bring every face to the size and channels that a network takes."""
    return resizing.resize(faces, input)
