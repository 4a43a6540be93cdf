"""A program in the service's place: answers 200 to everything, ends on SIGTERM, and leaves a child behind."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(os.environ["GATECAST_DATA_DIR"], "children").write_text(f"{os.getpid()} {child.pid}")
    HTTPServer((os.environ["GATECAST_HOST"], int(os.environ["GATECAST_PORT"])), Ready).serve_forever()
