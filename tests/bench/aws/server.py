"""A server for tests/bench/aws.lua: answers prepared beforehand, so that the clients are what costs; checks nothing.

usage: server.py FOLDER

Makes a certificate for 127.0.0.1 in FOLDER and prints a line: the port of http, the port of https. STS and EC2 on http, S3 by path
on both: what is put is thrown away, what is got is zeros. Ends when its standard input does.
"""
import mmap
import os
import re
import socket
import ssl
import subprocess
import sys
import threading

GIB = 1 << 30
ITEMS, PAGE = 10000, 1000
ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'
CALLER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/bench</Arn><UserId>AIDAEXAMPLE</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
INSTANCE = """<item><instanceId>i-{0:017x}</instanceId><imageId>ami-0123456789abcdef0</imageId><instanceState><code>16</code>
<name>running</name></instanceState><privateDnsName>ip-10-1-{1}-{2}.ec2.internal</privateDnsName><dnsName/><reason/>
<keyName>train</keyName><amiLaunchIndex>{0}</amiLaunchIndex><productCodes/><instanceType>p5.48xlarge</instanceType>
<launchTime>2026-10-02T03:04:05.000Z</launchTime><placement><availabilityZone>us-east-1a</availabilityZone><groupName>train</groupName>
<tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0</subnetId>
<vpcId>vpc-0123456789abcdef0</vpcId><privateIpAddress>10.1.{1}.{2}</privateIpAddress><sourceDestCheck>true</sourceDestCheck>
<groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>train &amp; more</groupName></item></groupSet>
<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/sda1</rootDeviceName>
<blockDeviceMapping><item><deviceName>/dev/sda1</deviceName><ebs><volumeId>vol-{0:017x}</volumeId><status>attached</status>
<attachTime>2026-10-02T03:04:06.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>
<virtualizationType>hvm</virtualizationType><clientToken>token-{0}</clientToken><tagSet><item><key>Name</key><value>train-{0}</value>
</item><item><key>team</key><value>research</value></item></tagSet><hypervisor>xen</hypervisor><ebsOptimized>true</ebsOptimized>
<enaSupport>true</enaSupport></item>"""


def page(number):
    first, last = number * PAGE, (number + 1) * PAGE
    items = "".join(INSTANCE.format(i, i // 250, i % 250) for i in range(first, last))
    more = "<nextToken>%d</nextToken>" % (number + 1) if last < ITEMS else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        "<requestId>1</requestId><reservationSet><item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId>"
        "<groupSet/><instancesSet>%s</instancesSet></item></reservationSet>%s</DescribeInstancesResponse>" % (items, more)
    ).encode()


class Connection:
    def __init__(self, sock, pages):
        self.sock, self.pages, self.file = sock, pages, sock.makefile("rb")
        self.zeros, self.sink = mmap.mmap(-1, 1 << 20), bytearray(1 << 20)

    def answer(self, body=b"", status="200 OK", headers="", length=None):
        n = len(body) if length is None else length
        head = "HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, n, headers)
        self.sock.sendall(head.encode() + body)

    def drop(self, left):
        view = memoryview(self.sink)
        while left:
            n = self.file.readinto(view[: min(left, len(view))])
            if not n:
                raise ConnectionError
            left -= n

    def body(self, headers, keep):
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if keep:
            return self.file.read(int(headers.get("content-length", 0)))
        if headers.get("transfer-encoding") != "chunked":
            self.drop(int(headers.get("content-length", 0)))
            return b""
        while (left := int(self.file.readline().split(b";")[0], 16)) > 0:
            self.drop(left + 2)
        while self.file.readline() not in (b"\r\n", b""):
            pass
        return b""

    def get(self, headers):
        found = re.match(r"bytes=(\d+)-(\d*)$", headers.get("range", ""))
        first, last = (int(found[1]), int(found[2] or GIB - 1)) if found else (0, GIB - 1)
        more = "ETag: %s\r\nLast-Modified: Fri, 02 Oct 2026 03:04:05 GMT\r\nAccept-Ranges: bytes\r\n" % ETAG
        if found:
            more += "Content-Range: bytes %d-%d/%d\r\n" % (first, last, GIB)
        left = last - first + 1
        self.answer(b"", "206 Partial Content" if found else "200 OK", more, left)
        view = memoryview(self.zeros)
        while left:
            n = min(left, len(view))
            self.sock.sendall(view[:n])
            left -= n

    def once(self):
        line = self.file.readline()
        if not line:
            return False
        method, target, _ = line.decode().split(" ")
        headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.body(headers, method == "POST")
        if method == "PUT":
            self.answer(headers="ETag: %s\r\n" % ETAG)
        elif method == "HEAD":
            more = "ETag: %s\r\nLast-Modified: Fri, 02 Oct 2026 03:04:05 GMT\r\n" % ETAG
            self.answer(headers=more, length=GIB)
        elif method == "GET":
            self.get(headers)
        elif b"Action=GetCallerIdentity" in body:
            self.answer(CALLER, headers="Content-Type: text/xml\r\n")
        elif b"Action=DescribeInstances" in body:
            found = re.search(rb"NextToken=(\d+)", body)
            self.answer(self.pages[int(found[1]) if found else 0], headers="Content-Type: text/xml;charset=UTF-8\r\n")
        elif "uploadId" in target:
            self.answer(b"<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>" % ETAG.encode())
        else:
            self.answer(b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        return True

    def serve(self):
        try:
            while self.once():
                pass
        except OSError:
            pass
        finally:
            self.sock.close()


def listen(pages, context):
    server = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve(sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(context.wrap_socket(sock, server_side=True) if context else sock, pages).serve()
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def main():
    key, certificate = (os.path.join(sys.argv[1], name) for name in ("key.pem", "certificate.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    pages = [page(number) for number in range(ITEMS // PAGE)]
    print(listen(pages, None), listen(pages, context), flush=True)
    sys.stdin.read()


main()
