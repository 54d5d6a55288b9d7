"""Source and sink of bytes, and who reads and writes them, each a process that costs less than any relay between them.

serve SOURCE_PORT SINK_PORT       pours into, or drops what comes from, every connection
read|write TO SECONDS [REQUEST]   connects to a port or a Unix socket, says REQUEST, takes or gives frames; prints MiB/s
"""
import socket
import sys
import threading
import time

PIECE = 262_144
WARM_SECONDS = 0.4


def pour(connection):
    piece = bytes([7]) * PIECE
    try:
        while True:
            connection.send(piece)
    except OSError:
        connection.close()


def drop(connection):
    buffer = bytearray(PIECE)
    try:
        while connection.recv_into(buffer) > 0:
            pass
    except OSError:
        pass
    connection.close()


def accept_each(server, work):
    while True:
        connection, _ = server.accept()
        threading.Thread(target=work, args=(connection,), daemon=True).start()


def serve(source_port, sink_port):
    source, sink = (socket.create_server(('127.0.0.1', port)) for port in (source_port, sink_port))
    threading.Thread(target=accept_each, args=(source, pour), daemon=True).start()
    accept_each(sink, drop)


def connected(to, request):
    if to.startswith('/'):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(to)
    else:
        connection = socket.create_connection(('127.0.0.1', int(to)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if request:
        connection.sendall(request.encode())
        answer = b''
        while b'\r\n\r\n' not in answer:
            piece = connection.recv(65_536)
            if not piece:
                sys.exit('closed: ' + answer.decode('latin-1'))
            answer += piece
        if not answer.startswith(b'HTTP/1.1 101'):
            sys.exit(answer.decode('latin-1'))
    return connection


def measure(move, seconds):
    began = time.monotonic()
    counting = False
    moved = 0
    while True:
        count = move()
        now = time.monotonic()
        if counting:
            moved += count
            if now - began >= seconds:
                return moved / 1_048_576 / (now - began)
        elif now - began >= WARM_SECONDS:
            counting, began = True, now


def main(word, *args):
    if word == 'serve':
        return serve(int(args[0]), int(args[1]))
    to, seconds, request = args[0], float(args[1]), args[2] if len(args) > 2 else ''
    connection = connected(to, request)
    if word == 'read':
        buffer = bytearray(PIECE)

        def move():
            count = connection.recv_into(buffer)
            if count == 0:
                sys.exit('closed')
            return count
    else:
        # One whole frame of 64 KiB, masked with zeros.
        payload = bytes([7]) * 65_536
        head = bytes([0x82, 0xFF]) + len(payload).to_bytes(8, 'big') + bytes(4)
        frame = head + payload if request else payload

        def move():
            connection.sendall(frame)
            return len(payload)
    print(round(measure(move, seconds), 1))


main(*sys.argv[1:])
