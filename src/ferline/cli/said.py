"""What every command shares: where the project is, and our own errors as their one message."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ferline.errors import FerlineError

ROOT = Path()  # the project is where the command is typed, as for `zenml pipeline run`


class Told(click.ClickException):
    """An error of ours as one message, with its own exit status: 75 where a training was asked to stop."""

    def __init__(self, error: FerlineError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]


def told(command: Callable[..., None]) -> Callable[..., None]:
    """Our own errors come out as their one message."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except FerlineError as error:
            raise Told(error) from None

    return run
