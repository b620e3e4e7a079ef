"""chunks.py - bodies in aws-chunked encoding: each chunk's signature, the trailer's, and the lengths that were promised."""
import hashlib
import hmac
import re

from checksums import MAKERS, PREFIX, decode
from signature import EMPTY, Refusal
from wire import Short

SMALLEST = 8192
NAME = re.compile(r"[a-z0-9-]+")


class Decoder:
    """Yields what an aws-chunked body holds; `trailers` has what came after it."""

    def __init__(self, reader, request, proof):
        self.reader, self.proof, self.trailers = reader, proof, {}
        word = proof.payload
        self.signed, self.trailing = "HMAC" in word, word.endswith("TRAILER")
        codings = [c.strip() for c in request.get("content-encoding", "").split(",")]
        if "aws-chunked" not in codings:
            raise Refusal("invalid", text="Content-Encoding must name aws-chunked for this x-amz-content-sha256")
        length = request.get("x-amz-decoded-content-length")
        if length is None:
            raise Refusal("no_length")
        if not re.fullmatch(r"[0-9]{1,15}", length):
            raise Refusal("invalid", text="x-amz-decoded-content-length is no number")
        self.promised, self.length = int(length), 0
        declared = request.get("x-amz-trailer")
        self.declared = [n.strip().lower() for n in declared.split(",")] if declared else []
        if self.declared and not self.trailing:
            raise Refusal("invalid", text="x-amz-trailer needs a x-amz-content-sha256 that ends in -TRAILER")
        if self.trailing and not self.declared:
            raise Refusal("bad_trailer")
        self.previous = proof.signature

    def _head(self):
        line = self.reader.line().decode("latin-1")
        pattern = r"([0-9a-fA-F]{1,15});chunk-signature=([0-9a-f]{64})" if self.signed else r"([0-9a-fA-F]{1,15})"
        match = re.fullmatch(pattern, line)
        if not match:
            raise Refusal("bad_chunk", line=line[:60])
        return int(match[1], 16), match[2] if self.signed else None

    def _check(self, kind, rest, given):
        made = self.proof.sign("\n".join([f"AWS4-HMAC-SHA256-{kind}", self.proof.stamp, self.proof.scope, self.previous, *rest]))
        if not hmac.compare_digest(made, given):
            raise Refusal("mismatch", canonical="", to_sign="", part=kind.lower())
        self.previous = made

    def pieces(self):
        small = False
        while True:
            size, signature = self._head()
            if size and small and self.signed:
                raise Refusal("small_chunk")
            small = size < SMALLEST
            digest, left = hashlib.sha256(), size
            while left > 0:
                piece = self.reader.some(min(left, 1 << 20))
                if not piece:
                    raise Refusal("incomplete_body")
                digest.update(piece)
                left -= len(piece)
                self.length += len(piece)
                if self.length > self.promised:
                    raise Refusal("incomplete_body")
                yield piece
            if self.signed:
                self._check("PAYLOAD", [EMPTY, digest.hexdigest()], signature)
            if size == 0:
                break
            if self.reader.line():
                raise Refusal("bad_chunk", line="data goes beyond the chunk's size")
        self._trailer()
        if self.reader.some(1):
            raise Refusal("bad_chunk", line="bytes after the end")
        if self.length != self.promised:
            raise Refusal("incomplete_body")

    def _trailer(self):
        block, signature = [], None
        while line := self.reader.line().decode("latin-1"):
            name, colon, value = line.partition(":")
            if not colon or not NAME.fullmatch(name) or name in self.trailers:
                raise Refusal("bad_trailer")
            if name == "x-amz-trailer-signature":
                signature = value
                continue
            if signature is not None:
                raise Refusal("bad_trailer")
            self.trailers[name] = value.strip()
            block.append(f"{name}:{value.strip()}\n")
        if sorted(self.trailers) != sorted(self.declared):
            raise Refusal("bad_trailer")
        if self.signed and self.trailing:
            if signature is None:
                raise Refusal("bad_trailer")
            self._check("TRAILER", [hashlib.sha256("".join(block).encode()).hexdigest()], signature)
        elif signature is not None:
            raise Refusal("bad_trailer")


def checksums_of(request, trailers):
    """name -> bytes of the checksums that the client sends; refuses what is none."""
    found, both = {}, {n: v[0] for n, v in request.lower.items()}
    both.update(trailers)
    for name, value in both.items():
        if name == "content-md5":
            short = "md5"
        elif name.startswith(PREFIX) and name[len(PREFIX):] in MAKERS:
            short = name[len(PREFIX):]
        else:
            continue
        raw = decode(short, value)
        if raw is None:
            raise Refusal("bad_md5" if name == "content-md5" else "invalid", text=f"Value for {name} header is invalid.")
        found[name] = (short, raw)
    return found


def take(reader, request, proof, store):
    """Reads S3's body into the store and checks all that vouches for it; returns name -> base64 of its checksums."""
    wanted = checksums_of(request, {})
    declared = [n.strip().lower() for n in (request.get("x-amz-trailer") or "").split(",") if n.strip()]
    names = {short for short, _ in wanted.values()}
    names |= {n[len(PREFIX):] for n in declared if n.startswith(PREFIX) and n[len(PREFIX):] in MAKERS}
    makers = {n: MAKERS[n]() for n in names}
    word = proof.payload if proof else "UNSIGNED-PAYLOAD"
    decoder = Decoder(reader, request, proof) if word.startswith("STREAMING-") else None

    def plain():
        while piece := reader.some():
            yield piece

    try:
        for piece in decoder.pieces() if decoder else plain():
            store.add(piece)
            for made in makers.values():
                made.update(piece)
    except Short as why:
        raise Refusal("incomplete_body", why=str(why)) from why
    if decoder:
        wanted.update(checksums_of(request, decoder.trailers))
    elif word != "UNSIGNED-PAYLOAD" and word != store.sha256():
        raise Refusal("payload_mismatch", declared=word, actual=store.sha256())
    for name, (short, raw) in wanted.items():
        if makers[short].digest() != raw:
            raise Refusal("bad_digest", name="Content-MD5" if name == "content-md5" else short.upper())
    return {name: (decoder.trailers if decoder else {}).get(name) or request.get(name)
            for name in wanted if name != "content-md5"}
