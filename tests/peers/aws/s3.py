"""s3.py - the part of S3 that the tests need, as strict as the real one."""
import base64
import hashlib
import re
import threading
import time
import xml.etree.ElementTree as ET
from email.utils import formatdate
from urllib.parse import quote, unquote_to_bytes

import chunks
import checksums
from answers import element, error, iso, request_id
from signature import Refusal, decoded_query, verify
from wire import Response, Slice, Store

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
KEPT = ("content-type", "cache-control", "content-disposition", "content-language", "expires")
# What a query may name beside the signature; anything else is a subresource that is not there.
KNOWN = {"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner",
         "location", "delete", "x-id"}


class Denied(Exception):
    """An error answer: status, code, message, further elements."""

    def __init__(self, status, code, message, more=(), headers=()):
        super().__init__(code)
        self.args_of_error = (status, code, message, more, headers)


class Object:
    def __init__(self, key, store, etag, headers, sums):
        self.key, self.store, self.etag, self.headers, self.sums = key, store, etag, headers, sums
        self.modified = int(time.time())


class Bucket:
    def __init__(self, region, public=False):
        self.region, self.public, self.objects = region, public, {}


class S3:
    def __init__(self, region):
        self.region, self.lock = region, threading.Lock()
        self.reset()

    def reset(self):
        self.buckets, self.region_answer = {}, 400

    def configure(self, buckets):
        for name, options in buckets.items():
            bucket = self.buckets.setdefault(name, Bucket(self.region))
            bucket.region = options.get("region", bucket.region)
            bucket.public = options.get("public", bucket.public)

    # --- who, what, where ---------------------------------------------------------------------------------------------

    @staticmethod
    def place(request, host_bucket):
        """bucket and key, both decoded"""
        path = unquote_to_bytes(request.path[1:])
        try:
            path = path.decode()
        except UnicodeDecodeError:
            raise Denied(400, "InvalidURI", "Couldn't parse the specified URI.") from None
        if host_bucket:
            return host_bucket, path
        bucket, _, key = path.partition("/")
        return bucket, key

    def operation(self, request, host_bucket):
        try:
            bucket, key = self.place(request, host_bucket)
        except Denied:
            return "Unknown"
        names = {n for n, _ in decoded_query(request.query)}
        method = request.method
        if key:
            return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}.get(method, "Unknown")
        if not bucket:
            return "ListBuckets" if method == "GET" else "Unknown"
        if method == "POST" and b"delete" in names:
            return "DeleteObjects"
        if method == "GET":
            return "GetBucketLocation" if b"location" in names else "ListObjectsV2" if b"list-type" in names else "Unknown"
        return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, "Unknown")

    def handle(self, request, reader, host_bucket, host_region, keys, now, operation):
        """Returns the response and the proof, None for who needs none; raises Refusal."""
        try:
            return self._handle(request, reader, host_bucket, host_region, keys, now, operation)
        except Denied as d:
            return error("s3", *d.args_of_error, method=request.method)

    def _handle(self, request, reader, host_bucket, host_region, keys, now, operation):
        name, key = self.place(request, host_bucket)
        bucket = self.buckets.get(name)
        if bucket and host_region and host_region != bucket.region:
            raise Denied(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified "
                         "endpoint. Please send all future requests to this endpoint.",
                         [("Endpoint", f"s3.{bucket.region}.amazonaws.com"), ("Bucket", name)],
                         [("x-amz-bucket-region", bucket.region)])
        proof = self._authorize(request, bucket, host_region, keys, now, operation)
        request.notes["verified"] = proof is not None
        query = {n.decode("utf-8", "replace").lower(): v.decode("utf-8", "replace") for n, v in decoded_query(request.query)}
        for part in query:
            answer = part.startswith("response-") and part[len("response-"):] in (*KEPT, "content-encoding")
            if part not in KNOWN and not part.startswith("x-amz-") and not answer:
                raise Denied(501, "NotImplemented", "A header or query you provided implies functionality that is not implemented",
                             [("Query", part)])
        if operation == "Unknown":
            raise Denied(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if operation == "CreateBucket":
            return self._create(request, reader, proof, name, host_region)
        if operation == "ListBuckets":
            return self._list_buckets()
        if bucket is None:
            raise Denied(404, "NoSuchBucket", "The specified bucket does not exist", [("BucketName", name)])
        method = getattr(self, "_" + re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())
        return method(request, reader, proof, bucket, name, key, query)

    def _authorize(self, request, bucket, host_region, keys, now, operation):
        if bucket and bucket.public and request.method in ("GET", "HEAD") and request.get("authorization") is None \
                and "X-Amz-Signature" not in request.query:
            return None
        region = bucket.region if bucket else host_region or (None if operation == "CreateBucket" else self.region)
        try:
            return verify(request, keys, "s3", region, now)
        except Refusal as r:
            if r.kind == "wrong_region" and bucket and self.region_answer != 400:
                raise Denied(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified "
                             "endpoint. Please send all future requests to this endpoint.", [("Endpoint", request.get("host"))],
                             [("x-amz-bucket-region", bucket.region)]) from r
            raise

    # --- buckets ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _body(request, reader, proof, limit=2 << 20):
        if reader.length is not None and reader.length > limit:
            raise Denied(400, "MalformedXML", "The XML you provided is too large.")
        request.body = Store()
        chunks.take(reader, request, proof, request.body)
        return request.body.bytes()

    @staticmethod
    def _xml(text):
        try:
            root = ET.fromstring(text)
        except ET.ParseError:
            raise Denied(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published "
                         "schema") from None
        for e in root.iter():
            e.tag = e.tag.rpartition("}")[2]
        return root

    def _create(self, request, reader, proof, name, host_region):
        body = self._body(request, reader, proof)
        if not BUCKET.fullmatch(name):
            raise Denied(400, "InvalidBucketName", "The specified bucket is not valid.", [("BucketName", name)])
        region = "us-east-1"
        if body:
            region = self._xml(body).findtext("LocationConstraint") or region
        if proof.region not in (region, "us-east-1") or (host_region and host_region != region):
            raise Denied(400, "IllegalLocationConstraintException", f"The {region} location constraint is incompatible for the region "
                         "specific endpoint this request was sent to.")
        with self.lock:
            if name in self.buckets:
                raise Denied(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already "
                             "own it.", [("BucketName", name)])
            self.buckets[name] = Bucket(region)
        return Response(200, b"", [("Location", "/" + name)])

    def _list_buckets(self):
        inner = "".join(f"<Bucket>{element('Name', n)}<CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
                        for n in sorted(self.buckets))
        return self._answer(f'<ListAllMyBucketsResult xmlns="{XMLNS}"><Owner><ID>fake</ID></Owner><Buckets>{inner}</Buckets>'
                            "</ListAllMyBucketsResult>")

    @staticmethod
    def _answer(text, status=200):
        return Response(status, ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode(),
                        [("Content-Type", "application/xml"), ("x-amz-request-id", request_id()[:16].upper())])

    def _head_bucket(self, request, reader, proof, bucket, name, key, query):
        return Response(200, b"", [("x-amz-bucket-region", bucket.region)])

    def _get_bucket_location(self, request, reader, proof, bucket, name, key, query):
        inner = "" if bucket.region == "us-east-1" else bucket.region
        return self._answer(f'<LocationConstraint xmlns="{XMLNS}">{inner}</LocationConstraint>')

    def _delete_bucket(self, request, reader, proof, bucket, name, key, query):
        with self.lock:
            if bucket.objects:
                raise Denied(409, "BucketNotEmpty", "The bucket you tried to delete is not empty", [("BucketName", name)])
            self.buckets.pop(name, None)
        return Response(204)

    def _list_objects_v2(self, request, reader, proof, bucket, name, key, query):
        if query["list-type"] != "2" or not re.fullmatch(r"\d{1,9}", query.get("max-keys", "1000")):
            raise Denied(400, "InvalidArgument", "Invalid list-type or max-keys")
        limit = min(int(query.get("max-keys", 1000)), 1000)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("start-after", "")
        if "continuation-token" in query:
            try:
                after = base64.b64decode(query["continuation-token"], validate=True).decode()
            except ValueError:
                raise Denied(400, "InvalidArgument", "The continuation token provided is incorrect") from None
        # S3 orders by the bytes of UTF-8.
        names = sorted((k for k in list(bucket.objects) if k.startswith(prefix)), key=str.encode)
        contents, prefixes, last, truncated = [], [], None, False
        for k in names:
            group = None
            if delimiter and delimiter in k[len(prefix):]:
                group = prefix + k[len(prefix):].split(delimiter, 1)[0] + delimiter
            at = group or k
            if at.encode() <= after.encode() or (group and prefixes and prefixes[-1] == group):
                continue
            if len(contents) + len(prefixes) == limit:
                truncated = limit > 0
                break
            last = at
            prefixes.append(group) if group else contents.append(bucket.objects.get(k))
        coded = (lambda s: quote(s, safe="/-_.~*")) if query.get("encoding-type") == "url" else (lambda s: s)
        out = [element("Name", name), element("Prefix", coded(prefix)), element("KeyCount", len(contents) + len(prefixes)),
               element("MaxKeys", limit), element("IsTruncated", str(truncated).lower())]
        for o in ("delimiter", "start-after"):
            if o in query:
                out.append(element({"delimiter": "Delimiter", "start-after": "StartAfter"}[o], coded(query[o])))
        if "encoding-type" in query:
            out.append(element("EncodingType", query["encoding-type"]))
        if "continuation-token" in query:
            out.append(element("ContinuationToken", query["continuation-token"]))
        if truncated:
            out.append(element("NextContinuationToken", base64.b64encode(last.encode()).decode()))
        for o in filter(None, contents):
            out.append("<Contents>" + element("Key", coded(o.key)) + element("LastModified", iso(o.modified)[:-1] + ".000Z")
                       + element("ETag", o.etag) + element("Size", o.store.size) + element("StorageClass", "STANDARD") + "</Contents>")
        out += [f"<CommonPrefixes>{element('Prefix', coded(p))}</CommonPrefixes>" for p in prefixes]
        return self._answer(f'<ListBucketResult xmlns="{XMLNS}">{"".join(out)}</ListBucketResult>')

    def _delete_objects(self, request, reader, proof, bucket, name, key, query):
        if "content-md5" not in request.lower and not any(n.startswith("x-amz-checksum-") for n in request.lower) \
                and "x-amz-trailer" not in request.lower:
            raise Denied(400, "InvalidRequest", "Missing required header for this request: Content-MD5")
        root = self._xml(self._body(request, reader, proof))
        objects = root.findall("Object")
        if root.tag != "Delete" or not 1 <= len(objects) <= 1000 or any(not o.findtext("Key") for o in objects):
            raise Denied(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
        out = []
        for o in objects:
            k = o.findtext("Key")
            bucket.objects.pop(k, None)
            if (root.findtext("Quiet") or "").lower() != "true":
                out.append(f"<Deleted>{element('Key', k)}</Deleted>")
        return self._answer(f'<DeleteResult xmlns="{XMLNS}">{"".join(out)}</DeleteResult>')

    # --- objects ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _check_put(request, bucket, key):
        old = bucket.objects.get(key)
        if request.get("if-none-match") is not None:
            if request.get("if-none-match") != "*":
                raise Denied(501, "NotImplemented", "If-None-Match of a PUT takes only *")
            if old:
                raise Denied(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                             [("Condition", "If-None-Match")])
        if request.get("if-match") is not None:
            if old is None:
                raise Denied(404, "NoSuchKey", "The specified key does not exist.", [("Key", key)])
            if request.get("if-match").strip('"') != old.etag.strip('"'):
                raise Denied(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                             [("Condition", "If-Match")])

    def _put_object(self, request, reader, proof, bucket, name, key, query):
        if "x-amz-copy-source" in request.lower:
            raise Denied(501, "NotImplemented", "CopyObject is not implemented here")
        if len(key.encode()) > 1024:
            raise Denied(400, "KeyTooLongError", "Your key is too long", [("MaxSizeAllowed", 1024)])
        if not reader.framed:
            raise Denied(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        if reader.chunked and not (proof and proof.payload.startswith("STREAMING-")):
            raise Denied(501, "NotImplemented", "A header you provided implies functionality that is not implemented",
                         [("Header", "Transfer-Encoding")])
        self._check_put(request, bucket, key)
        store = Store()
        request.body, digest = store, Tee(store)
        sums = chunks.take(reader, request, proof, digest)
        codings = [c.strip() for c in request.get("content-encoding", "").split(",") if c.strip() not in ("", "aws-chunked")]
        headers = [(n, request.get(n)) for n in KEPT if n in request.lower]
        headers += [("content-encoding", ", ".join(codings))] if codings else []
        headers += [(n, v[0]) for n, v in request.lower.items() if n.startswith("x-amz-meta-")]
        if "content-type" not in request.lower:
            headers.append(("content-type", "binary/octet-stream"))
        etag = f'"{digest.md5.hexdigest()}"'
        with self.lock:
            self._check_put(request, bucket, key)
            bucket.objects[key] = Object(key, store, etag, headers, sums)
        answer = [("ETag", etag), ("x-amz-request-id", request_id()[:16].upper())] + list(sums.items())
        return Response(200, b"", answer + ([("x-amz-checksum-type", "FULL_OBJECT")] if sums else []))

    def _delete_object(self, request, reader, proof, bucket, name, key, query):
        bucket.objects.pop(key, None)
        return Response(204, b"", [("x-amz-request-id", request_id()[:16].upper())])

    @staticmethod
    def _range(text, size):
        """(start, length) of a Range header, None when it is to be ignored."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", text)
        if not match or not (match[1] or match[2]):
            return None
        if match[1]:
            start, end = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
            if match[2] and int(match[2]) < start:
                return None
        else:
            start, end = max(0, size - int(match[2])), size - 1
        if start >= size or end < start:
            raise Denied(416, "InvalidRange", "The requested range is not satisfiable",
                         [("RangeRequested", text), ("ActualObjectSize", size)], [("Content-Range", f"bytes */{size}")])
        return start, end - start + 1

    def _get_object(self, request, reader, proof, bucket, name, key, query):
        o = bucket.objects.get(key)
        if o is None:
            raise Denied(404, "NoSuchKey", "The specified key does not exist.", [("Key", key)])
        match, none = request.get("if-match"), request.get("if-none-match")
        if match is not None and match.strip('"') != o.etag.strip('"') and match != "*":
            raise Denied(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                         [("Condition", "If-Match")])
        if none is not None and (none == "*" or none.strip('"') == o.etag.strip('"')):
            return Response(304, b"", [("ETag", o.etag)])
        asked = {n[len("response-"):]: v for n, v in query.items() if n.startswith("response-")}
        headers = [("ETag", o.etag), ("Last-Modified", formatdate(o.modified, usegmt=True)), ("Accept-Ranges", "bytes"),
                   ("x-amz-request-id", request_id()[:16].upper())] + [(n, asked.pop(n, v)) for n, v in o.headers]
        headers += asked.items()
        part = self._range(request.get("range"), o.store.size) if request.get("range") else None
        if part:
            headers.append(("Content-Range", f"bytes {part[0]}-{part[0] + part[1] - 1}/{o.store.size}"))
            return Response(206, Slice(o.store, *part), headers)
        if request.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            if not o.sums:
                o.sums = {"x-amz-checksum-crc64nvme": checksums.of("crc64nvme", o.store)}
            headers += list(o.sums.items()) + [("x-amz-checksum-type", "FULL_OBJECT")]
        return Response(200, Slice(o.store, 0, o.store.size), headers)

    _head_object = _get_object


class Tee:
    """A store that also has S3's ETag."""

    def __init__(self, store):
        self.store, self.md5 = store, hashlib.md5()

    def add(self, piece):
        self.store.add(piece)
        self.md5.update(piece)

    def sha256(self):
        return self.store.sha256()
