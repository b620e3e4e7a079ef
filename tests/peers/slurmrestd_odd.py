#!/usr/bin/python3 -IS
"""A slurmrestd that answers as none should: one odd way per port, chosen by the first word of its command line.

usage: slurmrestd_odd.py WAY   prints its port; ends when its standard input does
  future   offers v0.0.99 alone
  html     a proxy's page, status 200
  garbage  bytes that are no JSON
  cut      JSON that ends in the middle
  errors   status 200 and an errors[] that is not empty
  bare     an empty object
  huge     a list without end
"""
import http.server
import json
import sys
import threading

VERSIONS = json.dumps({"paths": {"/slurm/v0.0.38/jobs": {}, "/slurm/v0.0.38/job/submit": {}}})
ERRORS = json.dumps({"errors": [{"error": "the moon is in the way", "error_code": 9999}], "partitions": []})


class Odd(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, body, kind="application/json"):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def huge(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b'{"partitions":[')
            while True:
                self.wfile.write(b'{"name":"p","nodes":"n1"},' * 10000)
        except OSError:
            pass

    def do_GET(self):
        if WAY == "html":
            self.send("<html><body>Sign in to continue</body></html>", "text/html")
        elif self.path.startswith("/openapi"):
            self.send(VERSIONS.replace("v0.0.38", "v0.0.99") if WAY == "future" else VERSIONS)
        elif WAY == "huge":
            self.huge()
        else:
            self.send({"garbage": b"\x00\xff\xfe{{{", "cut": '{"partitions":[{"name":"ma', "errors": ERRORS, "bare": "{}"}[WAY])


WAY = sys.argv[1]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
