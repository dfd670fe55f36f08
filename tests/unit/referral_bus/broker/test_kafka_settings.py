import pytest

from referral_bus.broker.kafka import Connection, KafkaBroker, Security
from referral_bus.broker.loopback import is_loopback
from referral_bus.errors import Reason, Refused, Unreachable


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "::1"])
def test_this_machine_may_be_spoken_to_in_the_clear(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "kafka.example", "192.168.1.1", "localhost.example", "127.0.0.1.example", "[::]", ""]
)
def test_no_other_machine_may(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("bootstrap", ["10.0.0.1:9092", "127.0.0.1:9092,kafka.example:9092"])
def test_plaintext_to_another_machine_is_refused_before_anything_connects(bootstrap: str) -> None:
    with pytest.raises(Refused) as refused:
        KafkaBroker(bootstrap, "test")
    assert refused.value.reason is Reason.NOT_LOOPBACK


@pytest.mark.parametrize("bootstrap", ["", "localhost", "localhost:", ":9092", "localhost:http", "localhost:9092,"])
def test_an_address_without_host_or_port_is_refused(bootstrap: str) -> None:
    with pytest.raises(Refused) as refused:
        Connection(bootstrap, "test")
    assert refused.value.reason is Reason.SETTINGS_INVALID


def test_tls_may_go_anywhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ca")
    security = Security("SASL_SSL", folder / "ca.pem", "agency-a", "secret")

    connection = Connection("kafka.example:9093", "test", security)

    assert "secret" not in repr(connection)
    with pytest.raises(Unreachable) as unreachable:  # there is no such file
        connection.options()
    assert unreachable.value.reason is Reason.FILE_UNREADABLE
    (folder / "ca.pem").write_text("no certificate")
    with pytest.raises(Unreachable):
        connection.options()


def test_tls_without_a_password_and_a_password_without_tls_are_refused() -> None:
    with pytest.raises(Refused):
        Security("SASL_SSL", username="agency-a", password="secret")
    with pytest.raises(Refused):
        Security("PLAINTEXT", password="secret")
