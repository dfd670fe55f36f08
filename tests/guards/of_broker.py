"""The edge to Kafka: what is unpacked, how far a topic was read, what a topic is made like."""

from tests.guards.guard import Guard

BATCHES = "referral_bus/broker/kafka/batches.py"
RECORDS = "referral_bus/broker/kafka/records.py"
UNPACKING = "referral_bus/broker/kafka/unpacking.py"
UNIT = "tests/unit/referral_bus/broker"
UNPACKED = (f"{UNIT}/test_kafka_batches.py",)
MARKED = (f"{UNIT}/test_kafka_unpacking.py",)
PARSED = (f"{UNIT}/test_kafka_records.py",)

BROKER = (
    Guard(
        "a batch unpacks to so much and no more",
        BATCHES,
        "        if len(unpacked) > UNPACKED_BYTES:\n",
        "        if False:\n",
        UNPACKED,
    ),
    Guard(
        "zstd looks back so far and no further",
        BATCHES,
        "zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)",
        "zstandard.ZstdDecompressor()",
        UNPACKED,
    ),
    Guard(
        "a batch holds so many records and no more",
        BATCHES,
        "        if self.records_count > RECORDS:\n",
        "        if False:\n",
        UNPACKED,
    ),
    Guard(
        "no record carries the position away",
        BATCHES,
        "        if not self._lowest <= record.offset <= self.last_offset:\n",
        "        if False:\n",
        UNPACKED,
    ),
    Guard(
        "reading never stops before the position that it began at",
        BATCHES,
        "            if record.offset < self.fetch_offset:\n",
        "            if False:\n",
        UNPACKED,
    ),
    Guard(
        "no position moves back, whatever the broker hands out",
        BATCHES,
        "        return max(self.fetch_offset, self._next_fetch_offset)\n",
        "        return self._next_fetch_offset\n",
        UNPACKED,
    ),
    Guard(
        "a batch has so many headers and no more",
        BATCHES,
        "        if self._headers > HEADERS_OF_ALL:\n",
        "        if False:\n",
        UNPACKED,
    ),
    Guard(
        "a record has so many headers and no more",
        RECORDS,
        "    if not 0 <= count <= HEADERS:\n",
        "    if count < 0:\n",
        PARSED,
    ),
    Guard(
        "a record is so large and no larger",
        RECORDS,
        "    if not 0 < length <= RECORD_BYTES or end > len(buffer):\n",
        "    if length <= 0 or end > len(buffer):\n",
        PARSED,
    ),
    Guard(
        "a record's parts lie within it and within their bounds",
        RECORDS,
        "    if length > at_most or position + length > end:\n",
        "    if False:\n",
        PARSED,
    ),
    Guard(
        "a batch that ended the process is not unpacked again",
        UNPACKING,
        "        if self._unpacking.ended_us(digest):\n",
        "        if False:\n",
        MARKED,
    ),
    Guard(
        "one kill says nothing against a batch",
        UNPACKING,
        "        return self._ends.get(digest, 0) >= ENDS\n",
        "        return digest in self._ends\n",
        MARKED,
    ),
    Guard(
        "a batch that was read to its end is forgotten",
        UNPACKING,
        "                self.write(self._entries.pop(digest), None)\n",
        "                pass\n",
        MARKED,
    ),
    Guard(
        "reading a batch to its end tells that it is sound",
        BATCHES,
        "            self._place.unpacked(self._digest)\n",
        "",
        UNPACKED,
    ),
    Guard(
        "a batch that was passed over is tried again by a later process",
        UNPACKING,
        "                self.write(self._entries[digest], digest, min(ends, ENDS - 1))\n",
        "                pass\n",
        MARKED,
    ),
    Guard(
        "it is tried again only after a process that lived on",
        UNPACKING,
        "        if self._seconds() < self._tried_again_at:\n",
        "        if False:\n",
        MARKED,
    ),
    Guard(
        "a batch is noted before it is unpacked",
        BATCHES,
        "            self._place.begin(self._digest)\n            self._buffer = unpack",
        "            self._buffer = unpack",
        UNPACKED,
    ),
    Guard(
        "no topic is compacted",
        "deploy/provision/topics.py",
        '        "cleanup.policy": "delete",\n',
        '        "cleanup.policy": "compact",\n',
        ("tests/unit/deploy/provision/test_topics.py",),
    ),
    Guard(
        "what is never handed out is not read again by an agency",
        "consumers/agency/subscriptions.py",
        "        ends += [(one.topic, one.partition, one.offset) for one in standing]\n",
        "",
        ("tests/unit/consumers/agency/test_ingest.py",),
    ),
    Guard(
        "what is never handed out is not read again by the monitor",
        "consumers/monitor/monitor_reader.py",
        "        for position in standing:\n",
        "        for position in ():\n",
        ("tests/unit/consumers/monitor/test_hostile.py",),
    ),
    Guard(
        "the end of our own announcements is where the reader stands",
        "deploy/app/service/own_announcements.py",
        "            reached = {each.partition: each.offset for each in self.reader.reached()}\n",
        "            reached = {each.partition: each.offset + 1 for each in deliveries}\n",
        ("tests/unit/deploy/app/test_own_announcements.py",),
    ),
    Guard(
        "nothing is ready before our own announcements were read",
        "deploy/app/service/agency_service.py",
        '        parts["own_announcements"] = self._looked_back\n',
        "",
        ("tests/unit/deploy/app/test_own_announcements.py",),
    ),
)
