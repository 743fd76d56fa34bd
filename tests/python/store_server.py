"""An S3 server on a free port of the loopback: moto, over HTTP/1.1. Prints the port; ends when standard input closes."""

import logging
import sys
import threading

from moto.s3.models import FakeKey
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


def keep_contents():
    """Lets objects keep their bytes at hand: as it is, moto copies the whole object for every range of it."""
    read, write = FakeKey.value.fget, FakeKey.value.fset

    def kept(key):
        if "kept" not in key.__dict__:
            key.kept = read(key)
        return key.kept

    def replaced(key, value):
        key.__dict__.pop("kept", None)
        write(key, value)

    FakeKey.value = property(kept, replaced)


keep_contents()
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
sys.stdin.read()
