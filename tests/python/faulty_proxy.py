"""Stands between a client and a server and makes some requests fail. Arguments: port of the server, then KIND=RATE for

    error     500 InternalError            slow     503 SlowDown
    reset     the connection is closed in the midst of the answer, or instead of one
    hang      no answer for 6 s            denied   403 AccessDenied
    part      403 AccessDenied for the second part of an upload, and for nothing else
    late      the answer comes, half a second later

A rate is the share of requests. A request that failed twice in a row is let through, so that those sent ten times succeed;
with a rate of 1 all fail. Prints its port, and for GET /-/counts how often what happened. Ends when standard input closes.
"""

import http.client
import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVER = int(sys.argv[1])
RATES = {kind: float(rate) for kind, rate in (argument.split("=") for argument in sys.argv[2:])}
DENIED = (403, "AccessDenied")
ANSWERS = {"error": (500, "InternalError"), "slow": (503, "SlowDown"), "denied": DENIED, "part": DENIED}
HANG_S = 6
random.seed(1)
lock = threading.Lock()
counts = Counter()
failures = Counter()


def fault(request):
    """What happens to this request."""
    with lock:
        chosen, at = None, random.random()
        for kind, rate in RATES.items():
            if kind == "part" and "partNumber=2" not in request[1]:
                continue
            if at < rate and (rate >= 1 or failures[request] < 2):
                chosen = kind
                break
            at -= rate
        failures[request] = failures[request] + 1 if chosen else 0
        counts[chosen or "passed"] += 1
        counts[request[0]] += 1
        return chosen


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        if self.path == "/-/counts":
            return self.answer(200, {}, json.dumps(counts).encode())
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = fault((self.command, self.path, self.headers.get("Range")))
        if kind in ANSWERS:
            status, code = ANSWERS[kind]
            return self.answer(status, {}, f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode())
        if kind == "late":
            time.sleep(0.5)
        if kind == "hang":
            time.sleep(HANG_S)
            return self.reset()
        if kind == "reset" and random.random() < 0.5:
            return self.reset()
        server = http.client.HTTPConnection("127.0.0.1", SERVER)
        server.request(self.command, self.path, body, dict(self.headers))
        response = server.getresponse()
        content = response.read()
        server.close()
        self.answer(response.status, dict(response.headers), content, cut=kind == "reset")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

    def answer(self, status, headers, content, cut=False):
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.reset()

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ValueError):
            pass  # The client has gone, or the connection was closed on purpose.


server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
