"""What a value may be: the words of every refusal."""


def require(ok: bool, key: str, value: object, allowed: str) -> None:
    if not ok:
        raise ValueError(f"{key}: {value!r} is not allowed; write {allowed}")


def share(key: str, value: float) -> None:
    require(0 <= value <= 1, key, value, "a share from 0 to 1")
