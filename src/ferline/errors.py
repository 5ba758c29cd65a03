"""The one error this library raises at its users: what is wrong, where, and what to do about it."""


class FerlineError(Exception):
    """Something the user can put right. Its text is the whole message; no traceback is needed to act on it."""

    exit_code = 1


class Preempted(FerlineError):  # noqa: N818 - it is news, not a mistake
    """The machine was wanted back. Everything is saved; the same command goes on from there."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again later
