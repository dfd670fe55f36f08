"""A record as Kafka carries it: four values that nobody has checked yet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawRecord:
    """`headers` keep their order and may repeat; only `rb_signature` and `rb_keyid` are ever read by us."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def header(self, name: str) -> bytes | None:
        """The value of a header that stands there exactly once; otherwise None."""
        values = [value for header, value in self.headers if header == name]
        return values[0] if len(values) == 1 else None

    @property
    def key_id(self) -> str:
        """The signing key that it names; certain once it was found authentic."""
        return (self.header("rb_keyid") or b"").decode("ascii", errors="replace")

    @property
    def size(self) -> int:
        return len(self.key) + len(self.value) + sum(len(name) + len(value) for name, value in self.headers)
