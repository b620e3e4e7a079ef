"""wire.py - HTTP/1.1 on a socket, read strictly: heads, bodies of any size, answers."""
import hashlib
import os
import re
import socket
import struct
import tempfile
import time
from email.utils import formatdate

TOKEN = re.compile(rb"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
TARGET = re.compile(rb"^/[\x21-\x7e]*$")
IN_MEMORY = 4 << 20
REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
    302: "Found", 304: "Not Modified", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 413: "Payload Too Large", 416: "Range Not Satisfiable", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}


class Refused(Exception):
    """What came is no HTTP request; the text goes into the 400."""


class Short(Exception):
    """The body ended before its encoding did, or is no such encoding."""


class Store:
    """Bytes that were taken in: in memory while they are few, in a nameless file otherwise."""

    def __init__(self):
        self.size, self.memory, self.file, self.digest = 0, bytearray(), None, hashlib.sha256()

    def add(self, piece):
        self.size += len(piece)
        self.digest.update(piece)
        if self.file is None and self.size > IN_MEMORY:
            self.file = tempfile.TemporaryFile(buffering=0)
            self.file.write(self.memory)
            self.memory = bytearray()
        if self.file is None:
            self.memory += piece
        else:
            view = memoryview(piece)
            while view:
                view = view[self.file.write(view):]

    def sha256(self):
        return self.digest.hexdigest()

    def bytes(self, start=0, length=None):
        length = self.size - start if length is None else length
        if self.file is None:
            return bytes(self.memory[start:start + length])
        return os.pread(self.file.fileno(), length, start)


class Slice:
    """A part of a store, to be sent."""

    def __init__(self, store, start, length):
        self.store, self.start, self.length = store, start, length

    def __len__(self):
        return self.length

    def pieces(self, size=1 << 20):
        at, end = self.start, self.start + self.length
        while at < end:
            piece = self.store.bytes(at, min(size, end - at))
            at += len(piece)
            yield piece


class Response:
    def __init__(self, status, body=b"", headers=()):
        self.status, self.body, self.headers = status, body, list(headers)


class Request:
    """A head that was read; `body` (a Store) comes when the handler has taken it."""

    def __init__(self, connection, method, target, headers):
        self.connection, self.method, self.target, self.headers = connection, method, target, headers
        self.path, _, self.query = target.partition("?")
        self.has_query = "?" in target
        self.lower = {}
        for name, value in headers:
            self.lower.setdefault(name.lower(), []).append(value)
        self.body, self.notes = None, {}

    def get(self, name, default=None):
        values = self.lower.get(name)
        return values[0] if values else default


class BodyReader:
    """The body as HTTP frames it: `line()` and `some(n)` for who decodes what is in it."""

    def __init__(self, connection, request):
        self.c, self.chunked, self.taken = connection, False, 0
        self.left, self.ended = 0, False
        coding = request.get("transfer-encoding", "").lower()
        if coding not in ("", "chunked"):
            raise Refused("unknown Transfer-Encoding")
        length = request.get("content-length")
        if coding and length is not None:
            raise Refused("Content-Length and Transfer-Encoding")
        if length is not None and not re.fullmatch(r"[0-9]{1,15}", length):
            raise Refused("bad Content-Length")
        self.expect = request.get("expect", "").lower() == "100-continue"
        self.framed = coding == "chunked" or length is not None
        self.length = None if coding else int(length or 0)
        self.chunked = coding == "chunked"
        self.left = 0 if self.chunked else self.length
        self.ended = not self.chunked and self.left == 0
        self.held = b""

    def _next_chunk(self):
        size = self.c.line().split(b";")[0]
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
            raise Refused("bad chunk size")
        self.left = int(size, 16)
        if self.left == 0:
            while self.c.line():
                pass
            self.ended = True

    def some(self, limit=1 << 20):
        """At most that many bytes, none at the end."""
        if self.held:
            piece, self.held = self.held[:limit], self.held[limit:]
            return piece
        if self.ended:
            return b""
        if self.expect:
            self.expect = False
            self.c.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.chunked and self.left == 0:
            self._next_chunk()
            if self.ended:
                return b""
        piece = self.c.take(min(limit, self.left))
        self.left -= len(piece)
        self.taken += len(piece)
        if self.left == 0:
            if self.chunked:
                if self.c.line():
                    raise Refused("chunk without end")
            else:
                self.ended = True
        return piece

    def line(self, limit=4096):
        line = b""
        while b"\r\n" not in line:
            if len(line) > limit:
                raise Short("a line is too long")
            piece = self.some(256 if self.held else 1 << 16)
            if not piece:
                raise Short("the body ended in a line")
            line += piece
        line, rest = line.split(b"\r\n", 1)
        self.held = rest + self.held
        return line

    def drain(self):
        self.held = b""
        # Who waits for 100 has sent nothing, and will not when the answer comes instead.
        while not self.expect and self.some():
            pass


class Connection:
    def __init__(self, sock, number, port, tls):
        self.sock, self.number, self.port, self.tls = sock, number, port, tls
        self.buffer, self.requests, self.close = b"", 0, False

    def more(self, size=65536):
        data = self.sock.recv(size)
        if not data:
            raise EOFError
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > 65536:
                raise Refused("line too long")
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        if b"\n" in line or b"\r" in line:
            raise Refused("bare line end")
        return line

    def take(self, limit):
        """One to `limit` bytes."""
        if not self.buffer:
            data = self.sock.recv(limit)
            if not data:
                raise EOFError
            return data
        piece, self.buffer = self.buffer[:limit], self.buffer[limit:]
        return piece

    def head(self):
        words = self.line().split(b" ")
        if len(words) != 3 or words[2] != b"HTTP/1.1" or not TOKEN.match(words[0]):
            raise Refused("bad request line")
        if not TARGET.match(words[1]) or b"#" in words[1]:
            raise Refused("bad target")
        headers = []
        while line := self.line():
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name):
                raise Refused("bad header")
            try:
                text = value.strip(b" \t").decode()
            except UnicodeDecodeError:
                text = value.strip(b" \t").decode("latin-1")
            headers.append((name.decode(), text))
        names = [n.lower() for n, _ in headers]
        if names.count("host") != 1 or names.count("content-length") > 1 or names.count("authorization") > 1:
            raise Refused("one Host, at most one Content-Length and Authorization")
        return Request(self, words[0].decode(), words[1].decode(), headers)

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, response, now, method="GET", shape=None):
        """`shape` may send the body in its own way: shape(connection, pieces)."""
        no_body = method == "HEAD" or response.status in (204, 304)
        lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Other')}",
                 f"Date: {formatdate(now, usegmt=True)}", "Server: fake"]
        lines += [f"{n}: {v}" for n, v in response.headers]
        given = {n.lower() for n, _ in response.headers}
        if "content-length" not in given and response.status not in (204, 304):
            lines.append(f"Content-Length: {len(response.body)}")
        if self.close:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if no_body:
            return self.send(head)
        body = response.body
        pieces = body.pieces() if isinstance(body, Slice) else [body]
        if shape:
            self.send(head)
            return shape(self, pieces)
        if not isinstance(body, Slice):
            return self.send(head + body)
        self.send(head)
        if body.store.file and not self.tls:
            return self._send_file(body)
        for piece in pieces:
            self.send(piece)

    def _send_file(self, part):
        at, left = part.start, part.length
        while left > 0:
            sent = os.sendfile(self.sock.fileno(), part.store.file.fileno(), at, min(left, 1 << 20))
            at, left = at + sent, left - sent

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise EOFError

    def wait_for_end(self, seconds):
        """Says nothing until the client hangs up, or the time is over."""
        end = time.monotonic() + seconds
        self.sock.settimeout(0.2)
        while time.monotonic() < end:
            try:
                if not self.sock.recv(65536):
                    break
            except TimeoutError:
                continue
        raise EOFError
