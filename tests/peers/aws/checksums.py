"""checksums.py - CRC32, CRC32C and CRC64NVME from their definitions, fast enough for big bodies, and the SHA family.

A CRC is linear over GF(2): a block is cut into lanes, all lanes step at once (bytes.translate looks up a table for each,
long integers do the XOR), and the lanes are joined by the operator that moves a remainder over a lane's length.
"""
import base64
import hashlib
import zlib

LANES, LANE = 4096, 256
BLOCK = LANES * LANE


class _Table:
    def __init__(self, bits, polynomial):
        self.bits, self.planes, self.full = bits, bits // 8, (1 << bits) - 1
        table = []
        for byte in range(256):
            value = byte
            for _ in range(8):
                value = (value >> 1) ^ (polynomial if value & 1 else 0)
            table.append(value)
        self.table = table
        self.translations = [bytes((v >> (8 * k)) & 0xFF for v in table) for k in range(self.planes)]
        self.shift = self._shift_by(LANE)

    def _zeros(self, value, count):
        for _ in range(count):
            value = self.table[value & 0xFF] ^ (value >> 8)
        return value

    def _shift_by(self, count):
        """For each byte of a remainder, what it has become `count` zero bytes later."""
        single = [self._zeros(1 << bit, count) for bit in range(self.bits)]
        tables = []
        for k in range(self.planes):
            row = [0] * 256
            for bit in range(8):
                for i in range(1 << bit):
                    row[(1 << bit) | i] = row[i] ^ single[8 * k + bit]
            tables.append(row)
        return tables

    def _block(self, state, data):
        """One whole block, by lanes."""
        planes = [bytes(LANES)] * self.planes
        for step in range(LANE):
            index = (int.from_bytes(planes[0], "little") ^ int.from_bytes(data[step::LANE], "little")).to_bytes(LANES, "little")
            planes = [
                (int.from_bytes(index.translate(t), "little")
                 ^ (int.from_bytes(planes[k + 1], "little") if k + 1 < self.planes else 0)).to_bytes(LANES, "little")
                for k, t in enumerate(self.translations)
            ]
        shift = self.shift
        # The state so far lies over the first lane's start; each lane moves what is before it by one lane.
        for lane in zip(*planes):
            moved = 0
            for k in range(self.planes):
                moved ^= shift[k][(state >> (8 * k)) & 0xFF]
            state = moved ^ int.from_bytes(bytes(lane), "little")
        return state

    def update(self, state, data):
        table, at = self.table, 0
        while len(data) - at >= BLOCK:
            state = self._block(state, data[at:at + BLOCK])
            at += BLOCK
        for byte in data[at:]:
            state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
        return state


_tables = {}


def _table(bits, polynomial):
    if (bits, polynomial) not in _tables:
        _tables[bits, polynomial] = _Table(bits, polynomial)
    return _tables[bits, polynomial]


class Crc:
    def __init__(self, bits, polynomial):
        self.table = _table(bits, polynomial)
        self.state, self.waiting = self.table.full, bytearray()

    def update(self, data):
        # Small pieces wait for a whole block, which is worth far more than one byte at a time.
        self.waiting += data
        if len(self.waiting) >= BLOCK:
            whole = len(self.waiting) // BLOCK * BLOCK
            self.state = self.table.update(self.state, bytes(self.waiting[:whole]))
            del self.waiting[:whole]

    def digest(self):
        value = self.table.update(self.state, bytes(self.waiting)) ^ self.table.full
        return value.to_bytes(self.table.planes, "big")


class Crc32:
    """zlib's, which is nobody's that is tested here, and twenty times as fast."""

    def __init__(self):
        self.value = 0

    def update(self, data):
        self.value = zlib.crc32(data, self.value)

    def digest(self):
        return self.value.to_bytes(4, "big")


MAKERS = {
    "crc32": Crc32, "crc32c": lambda: Crc(32, 0x82F63B78),
    "crc64nvme": lambda: Crc(64, 0x9A6C9329AC4BC9B5),
    "sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512, "md5": hashlib.md5,
}
SIZES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32, "sha512": 64, "md5": 16}
PREFIX = "x-amz-checksum-"


def decode(name, value):
    """The checksum's bytes; None if it is no base64 of the right size."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == SIZES[name] and base64.b64encode(raw).decode() == value else None


def of(name, store):
    made = MAKERS[name]()
    at = 0
    while at < store.size:
        piece = store.bytes(at, BLOCK)
        made.update(piece)
        at += len(piece)
    return base64.b64encode(made.digest()).decode()
