"""A record as Kafka carries it, before any check."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawRecord:
    """`headers` keep their order and may repeat; our readers use only `rb_signature` and `rb_keyid`."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def header(self, name: str) -> bytes | None:
        """The value of the header `name` if the record has it exactly once; otherwise None."""
        values = [value for header, value in self.headers if header == name]
        return values[0] if len(values) == 1 else None

    @property
    def key_id(self) -> str:
        """The id of the signing key that the record names. It proves nothing before `record.authenticate`."""
        return (self.header("rb_keyid") or b"").decode("ascii", errors="replace")

    @property
    def size(self) -> int:
        """The bytes of key, value and headers together."""
        return len(self.key) + len(self.value) + sum(len(name) + len(value) for name, value in self.headers)
