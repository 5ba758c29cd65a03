"""Ferline: face images in, a trusted emotion model out. The library knows nothing of ZenML or DVC."""
