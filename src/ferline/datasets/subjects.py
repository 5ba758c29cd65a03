"""Who is in an image, found in its path by the user's own pattern."""

import re
from collections.abc import Callable

from ferline.errors import FerlineError


def subject_finder(pattern: str) -> Callable[[str], str | None]:
    """What gives the person of a path, by the user's pattern; nobody where there is no pattern."""
    if not pattern:
        return lambda path: None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise FerlineError(f"--subject: {pattern!r} is no regular expression ({error}). Nothing was added") from None
    if compiled.groups != 1:
        raise FerlineError(
            f"--subject: {pattern!r} has {compiled.groups} groups; put the part that names the person in "
            r"parentheses, such as '(S\d+)_'. Nothing was added"
        )
    return lambda path: (match := compiled.search(path)) and (match[1] or None)
