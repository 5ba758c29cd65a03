"""ZenML steps: each unpacks its parameters, calls the library and returns an artifact."""

from steps import _materializer as _materializer  # registers how artifacts are stored
