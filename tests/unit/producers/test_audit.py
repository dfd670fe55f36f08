"""The audit: a chain that nobody can change, cut or reorder without showing, and with nothing of a person in it."""

from datetime import timedelta

from consumers.agency.announcer import next_announcement
from referral_bus.ledger import audit
from referral_bus.ledger.audit import Action, chained
from referral_bus.ledger.tables import audit as table
from tests.kit.bench import Bench, Station
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, request_document


def _entries(station: Station) -> list[dict[str, object]]:
    with station.ledger.read() as tx:
        return [dict(row._mapping) for row in tx.connection.execute(table.select().order_by(table.c.number))]


def _lived(pair: Bench) -> None:
    """A life in the ledger: referred, answered, refused, erased, confirmed, restored."""
    body = request_document(RECIPIENT)["body"]
    body["person"]["name"] = PLANTED_NAME
    referral = pair[SENDER].refer(RECIPIENT, body=body)
    pair.settle()
    pair[RECIPIENT].say("accept", referral)
    pair.settle()
    pair[SENDER].withdraw(referral)
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    pair[RECIPIENT].restore(pair[RECIPIENT].back_up())


def test_every_entry_is_chained_to_the_one_before_it(pair: Bench) -> None:
    _lived(pair)
    for code in (SENDER, RECIPIENT):
        head = audit.START
        for number, entry in enumerate(_entries(pair[code]), start=1):
            stored = entry.pop("head")
            head = chained(head, entry)
            assert (entry["number"], stored) == (number, head)


def test_any_change_of_an_entry_changes_its_head(pair: Bench) -> None:
    _lived(pair)
    entry = _entries(pair[RECIPIENT])[0]
    entry.pop("head")
    heads = {chained(audit.START, entry)}
    for name in entry:
        heads.add(chained(audit.START, entry | {name: "another"}))
        heads.add(chained(audit.START, entry | {name: None if entry[name] is not None else ""}))
    assert len(heads) == 1 + 2 * len(entry)


def test_what_was_done_stands_in_it(pair: Bench) -> None:
    _lived(pair)
    actions = [entry["action"] for entry in _entries(pair[RECIPIENT])]
    assert actions == [
        Action.RECEIVED,
        Action.SENT,  # accepted
        Action.RECEIVED,  # the request to erase
        Action.ERASED,
        Action.SENT,  # erased
        Action.CONFIRMED,
        Action.SENT,  # confirmed
        Action.RESTORED,
    ]


def test_nothing_of_a_person_stands_in_it(pair: Bench) -> None:
    _lived(pair)
    for code in (SENDER, RECIPIENT):
        assert PLANTED_NAME not in repr(_entries(pair[code]))


def _announced(station: Station) -> tuple[int, bytes]:
    now = station.bench.clock()
    keys = station.keyring.announced(now)
    announcement = next_announcement(station.ledger, station.register, keys, now, "0.0.0")
    return announcement.audit_count, announcement.audit_head


def test_its_count_and_head_go_out_in_the_announcements(pair: Bench) -> None:
    _lived(pair)
    newest = _entries(pair[RECIPIENT])[-1]
    assert _announced(pair[RECIPIENT]) == (newest["number"], newest["head"])


def test_the_host_does_not_see_when_the_staff_look(pair: Bench) -> None:
    """It sees each announcement: looking alone moves the count at the end of the day, or with what travels anyway."""
    _lived(pair)
    station, before = pair[RECIPIENT], _announced(pair[RECIPIENT])
    for _ in range(3):
        with station.ledger.write() as tx:
            audit.note(tx, Action.SHOWED, pair.clock(), by="command")
        pair.clock.move(timedelta(minutes=1))
    assert _announced(station) == before
    pair.clock.move(timedelta(days=1))
    newest = _entries(station)[-1]
    assert _announced(station) == (newest["number"], newest["head"])
    with station.ledger.write() as tx:
        audit.note(tx, Action.SHOWED, pair.clock(), by="command")
    station.refer(SENDER)
    assert _announced(station)[0] == len(_entries(station))
