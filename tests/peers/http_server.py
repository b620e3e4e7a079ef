#!/usr/bin/env python3
"""http_server.py - an HTTP server that is strict about what it is sent and misbehaves on request.

usage: http_server.py UNIX_SOCKET [CERTIFICATE KEY]

Prints one line of JSON with its ports, serves, and ends when its standard input does. The path says what it does:
/echo answers with what it was sent, /slow waits, /big sends many bytes, and so on; see the functions below.
"""
import gzip
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
from urllib.parse import parse_qsl, urlsplit

TOKEN = re.compile(rb"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
state = {"connections": 0, "requests": 0, "seen": {}, "taken": 0, "lock": threading.Lock()}


class Refused(Exception):
    """The request is not one; the text goes into the 400."""


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number, self.buffer, self.requests = sock, number, b"", 0

    def line(self):
        while b"\r\n" not in self.buffer:
            self.more()
            if len(self.buffer) > 65536:
                raise Refused("line too long")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        if b"\n" in line or b"\r" in line:
            raise Refused("bare line end")
        return line

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def exactly(self, n):
        while len(self.buffer) < n:
            self.more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, status, body=b"", headers=(), length=True):
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Other'}"]
        lines += [f"{n}: {v}" for n, v in headers]
        if length and status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def read_head(c):
    words = c.line().split(b" ")
    if len(words) != 3 or words[2] != b"HTTP/1.1" or not TOKEN.match(words[0]):
        raise Refused("bad request line")
    headers = []
    while True:
        line = c.line()
        if not line:
            break
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Refused("bad header")
        headers.append((name.decode(), value.strip().decode("latin-1")))
    names = [n.lower() for n, _ in headers]
    if names.count("host") != 1 or names.count("content-length") > 1:
        raise Refused("one Host, at most one Content-Length")
    return words[0].decode(), words[1].decode(), headers


def read_body(c, headers):
    """Yields the pieces of the request's body."""
    by_name = {n.lower(): v for n, v in headers}
    if by_name.get("expect", "").lower() == "100-continue":
        c.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if by_name.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = int(c.line(), 16)
            if size == 0:
                if c.line():
                    raise Refused("trailer")
                return
            yield c.exactly(size)
            if c.line():
                raise Refused("chunk without end")
    left = int(by_name.get("content-length", 0))
    while left > 0:
        if not c.buffer:
            c.more()
        piece, c.buffer = c.buffer[:left], c.buffer[left:]
        left -= len(piece)
        yield piece


def echo(c, r):
    digest, size, start = hashlib.sha256(), 0, b""
    for piece in read_body(c, r["headers"]):
        digest.update(piece)
        size += len(piece)
        start += piece[: max(0, 4096 - len(start))]
    body = json.dumps({
        "method": r["method"], "target": r["target"], "headers": r["headers"], "size": size,
        "sha256": digest.hexdigest(), "body": start.decode("latin-1"), "connection": c.number, "request": c.requests,
        "requests": state["requests"],
    }).encode()
    c.answer(200, b"" if r["method"] == "HEAD" else body, [("X-Server", "strict")], r["method"] != "HEAD")


def slow(c, r):
    """?first=S&gap=S&count=N: waits before the head and before each byte."""
    time.sleep(float(r["q"].get("first", 0)))
    count = int(r["q"].get("count", 1))
    c.send(f"HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n".encode())
    for _ in range(count):
        time.sleep(float(r["q"].get("gap", 0)))
        c.send(b"x")


def big(c, r):
    """?size=N&chunked=1: that many bytes; /taken tells how many the client has taken so far."""
    left, chunked = int(r["q"]["size"]), "chunked" in r["q"]
    c.send(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % left) + b"\r\n\r\n")
    block, state["taken"] = bytes(range(256)) * 256, 0
    while left > 0:
        piece = block[:left]
        c.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        left -= len(piece)
        state["taken"] += len(piece)
    if chunked:
        c.send(b"0\r\n\r\n")


def cut(c, r):
    """?how=length|chunk|head|nothing|reset: breaks off in the middle."""
    how = r["q"].get("how", "length")
    c.send({
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nten bytes.",
        "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nten bytes.",
        "head": b"HTTP/1.1 200 OK\r\nContent-", "nothing": b"", "reset": b"",
    }[how])
    if how == "reset":
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise EOFError


def malformed(c, r):
    c.send({
        "status": b"HTTP/1.1 abc OK\r\n\r\n", "ssh": b"SSH-2.0-OpenSSH_9.2\r\n", "zero": b"\0" * 64,
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        "colon": b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\nok",
        "fold": b"HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\nContent-Length: 2\r\n\r\nok",
    }[r["q"]["kind"]])
    raise EOFError


def heads(c, r):
    """?count=N&size=N: many or large headers."""
    value = "v" * int(r["q"].get("size", 1))
    c.answer(200, b"ok", [(f"X-{i}", value) for i in range(int(r["q"].get("count", 1)))])


def interim(c, _):
    c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    c.send(b"HTTP/1.1 200 OK\r\nX-Two: a\r\nx-two: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: t\r\n\r\n")


def lost(c, r):
    """Reads a request on a connection that was used before, and hangs up without an answer."""
    for _ in read_body(c, r["headers"]):
        pass
    if c.requests > 1:
        raise EOFError
    c.answer(200, b"first")


def early(c, _):
    """Answers before the body has come, and hangs up."""
    c.answer(413, b"too large", [("Connection", "close")])
    c.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    raise EOFError


def zipped(c, r):
    c.answer(200, gzip.compress(b"\0" * int(r["q"]["size"])), [("Content-Encoding", "gzip")])


def stall(c, _):
    """Takes nothing more, answers nothing."""
    time.sleep(30)
    raise EOFError


PAGES = {
    "/echo": echo, "/slow": slow, "/big": big, "/cut": cut, "/malformed": malformed, "/heads": heads, "/interim": interim,
    "/lost": lost, "/early": early, "/gzip": zipped, "/stall": stall,
    "/redirect": lambda c, r: c.answer(int(r["q"].get("status", 302)), b"elsewhere", [("Location", r["q"]["to"])]),
    "/status": lambda c, r: c.answer(int(r["q"]["code"]), b"as you wish"),
    "/seen": lambda c, r: c.answer(200, str(state["seen"].get(r["q"]["id"], 0)).encode()),
    "/taken": lambda c, r: c.answer(200, str(state["taken"]).encode()),
    "/connections": lambda c, r: c.answer(200, str(state["connections"]).encode()),
}


def serve(c):
    while True:
        method, target, headers = read_head(c)
        url = urlsplit(target)
        r = {"method": method, "target": target, "headers": headers, "q": dict(parse_qsl(url.query))}
        c.requests += 1
        with state["lock"]:
            state["requests"] += 1
            if "id" in r["q"] and url.path != "/seen":
                state["seen"][r["q"]["id"]] = state["seen"].get(r["q"]["id"], 0) + 1
        if method == "CONNECT":
            c.answer(407, b"no tunnels here")
            raise EOFError
        page = PAGES.get(url.path)
        if page is None:
            c.answer(404, b"no such page")
            continue
        if page not in (echo, lost, early, stall):
            for _ in read_body(c, headers):
                pass
        page(c, r)


# --- HTTP/2, as little as one answer needs ---------------------------------------------------------------------------

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def serve_h2(c):
    """Every request is answered with 200 and the number of its stream. Heads are not looked into."""
    if c.exactly(24) != b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
        raise Refused("no preface")
    c.send(frame(4, 0, 0))
    while True:
        head = c.exactly(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        payload = c.exactly(size)
        if kind == 4 and not flags & 1:
            c.send(frame(4, 1, 0))
        elif kind == 6 and not flags & 1:
            c.send(frame(6, 1, 0, payload))
        elif kind in (0, 1) and flags & 1:
            body = b"stream %d of connection %d" % (stream, c.number)
            c.send(frame(1, 4, stream, b"\x88") + frame(0, 1, stream, body))


# --- connections -----------------------------------------------------------------------------------------------------

def connection(sock, context):
    with state["lock"]:
        state["connections"] += 1
        number = state["connections"]
    c = Connection(sock, number)
    try:
        if context:
            c.sock = sock = context.wrap_socket(sock, server_side=True)
            if sock.selected_alpn_protocol() == "h2":
                serve_h2(c)
        serve(c)
    except (Refused, ValueError, KeyError) as e:
        try:
            c.answer(400, f"{type(e).__name__}: {e}".encode(), [("Connection", "close")])
        except OSError:
            pass
    except (EOFError, OSError):
        pass
    finally:
        sock.close()


def accept(listener, context):
    while True:
        sock, _ = listener.accept()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=connection, args=(sock, context), daemon=True).start()


def listen(family, address, context=None):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    threading.Thread(target=accept, args=(listener, context), daemon=True).start()
    return listener.getsockname()


def tls(certificate, key, protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(protocols)
    return context


def main():
    ports = {"port": listen(socket.AF_INET, ("127.0.0.1", 0))[1], "other": listen(socket.AF_INET, ("127.0.0.1", 0))[1]}
    listen(socket.AF_UNIX, sys.argv[1])
    deaf = socket.create_server(("127.0.0.1", 0))  # connections stand, and nobody answers
    ports["deaf"] = deaf.getsockname()[1]
    if len(sys.argv) > 2:
        ports["tls"] = listen(socket.AF_INET, ("127.0.0.1", 0), tls(*sys.argv[2:4], ["http/1.1"]))[1]
        ports["h2"] = listen(socket.AF_INET, ("127.0.0.1", 0), tls(*sys.argv[2:4], ["h2"]))[1]
    print(json.dumps(ports), flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


main()
