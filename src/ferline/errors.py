"""The one error this library raises at its users: what is wrong, where, and what to do about it."""


class FerlineError(Exception):
    """Something the user can put right. Its text is the whole message; no traceback is needed to act on it."""
