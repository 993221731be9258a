"""A local server of OpenAI's chat completions, whose replies a test scripts."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-secret"


@dataclass
class Reply:
    """What the server answers: a completion that says `says`, or any body; or `never`, until the client hangs up."""

    says: Any = None
    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    never: bool = False
    finish: str = "stop"
    drips: bool = False  # sends blanks, and never ends

    @property
    def content(self) -> bytes:
        completion = {
            "choices": [{"message": {"role": "assistant", "content": self.says}, "finish_reason": self.finish}]
        }
        return (json.dumps(completion) if self.body is None else self.body).encode()


@dataclass
class Server:
    base_url: str
    requests: list[dict[str, Any]] = field(default_factory=list)  # path, headers and body of each
    replies: list[Reply] = field(default_factory=list)  # the next ones; then those of `otherwise`
    otherwise: Callable[[dict[str, Any]], Reply] = lambda body: Reply("3")


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine, until the end of the block."""
    lock, stopped = threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
                reply = server.replies.pop(0) if server.replies else server.otherwise(body)
            if reply.never:
                self.rfile.read()
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(reply.content))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            while reply.drips and not stopped.wait(0.05):
                self.wfile.write(b" ")
            self.wfile.write(reply.content)

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that have hung up
    server = Server(f"http://127.0.0.1:{listener.server_port}/v1")
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        stopped.set()
        listener.shutdown()
        listener.server_close()
