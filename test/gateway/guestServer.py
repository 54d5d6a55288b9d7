"""A web server as somebody runs it in a desktop: a page, what cookies it saw, and a WebSocket that says things back."""

import base64
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!doctype html><title>guest</title><p id=cookies></p><p id=socket></p><script>
document.cookie = 'guest=1';
document.cookie = '__Host-lb_preview=mine; path=/; secure';
fetch('/cookies').then((it) => it.text()).then((text) => { document.getElementById('cookies').textContent = text; });
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
socket.onopen = () => socket.send('hello');
socket.onmessage = ({ data }) => { document.getElementById('socket').textContent = 'from the socket: ' + data; };
</script>"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            return self.echo()
        body = self.headers.get("Cookie", "").encode() if self.path == "/cookies" else PAGE
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def echo(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        _, length = self.rfile.read(2)
        mask = self.rfile.read(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length & 127)))
        self.wfile.write(bytes([0x81, len(text)]) + text)
        self.rfile.read(1)


ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
