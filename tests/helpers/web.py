"""A web server on the loopback address, with objects and with answers as servers in trouble give them."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def web(objects: Mapping[str, bytes | int | Iterator[bytes] | None]) -> Iterator[tuple[str, list[str]]]:
    """Serve objects by their places; yield the address of the server, and the places that were asked for.

    A number is the status of an answer without the object; None is no answer, until the block ends. Parts are
    sent until the client leaves, and their number is not told.
    """
    asked, end = list[str](), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = objects.get(self.path.partition("?")[0], 404)
            if content is None:
                end.wait()
                return
            if isinstance(content, Iterator):
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):
                    for part in content:
                        self.wfile.write(part)
                return
            status, body = (content, b"") if isinstance(content, int) else (200, content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        end.set()
        server.shutdown()
        server.server_close()
        thread.join()
