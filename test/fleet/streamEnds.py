"""Source and sink of bytes, and who reads and writes them, each a process that costs less than any relay between them.

serve SOURCE SINK COUNT            three ports: pours; drops what comes; says how much was dropped. Says "ready" first
read|write TO SECONDS REQUEST COUNT   connects to a port or a Unix socket, says REQUEST, takes or gives frames; prints MiB/s
"""
import socket
import sys
import threading
import time

PIECE = 262_144
WARM_SECONDS = 0.4
dropped = [0]


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
        while count := connection.recv_into(buffer):
            dropped[0] += count
    except OSError:
        pass
    connection.close()


def tell(connection):
    connection.sendall(str(dropped[0]).encode())
    connection.close()


def accept_each(server, work):
    while True:
        connection, _ = server.accept()
        threading.Thread(target=work, args=(connection,), daemon=True).start()


def serve(*ports):
    servers = [socket.create_server(('127.0.0.1', int(port))) for port in ports]
    for server, work in zip(servers, (pour, drop, tell)):
        threading.Thread(target=accept_each, args=(server, work), daemon=True).start()
    print('ready', flush=True)
    threading.Event().wait()


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


def measure(move, seconds, moved):
    """What `moved` grows by in `seconds`, once `move` was called again and again for a while."""
    while_moving(move, WARM_SECONDS)
    before, began = moved(), time.monotonic()
    while_moving(move, seconds)
    return (moved() - before) / 1_048_576 / (time.monotonic() - began)


def while_moving(move, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        move()


def reader(connection):
    buffer = bytearray(PIECE)
    taken = [0]

    def move():
        count = connection.recv_into(buffer)
        if count == 0:
            sys.exit('closed')
        taken[0] += count

    return move, lambda: taken[0]


def writer(connection, count_port, framed):
    # One whole frame of 64 KiB, masked with zeros.
    payload = bytes([7]) * 65_536
    head = bytes([0x82, 0xFF]) + len(payload).to_bytes(8, 'big') + bytes(4)
    frame = head + payload if framed else payload
    # What came out at the other end counts, not what went in.
    return lambda: connection.sendall(frame), lambda: int(socket.create_connection(('127.0.0.1', count_port)).recv(64))


def main(word, *args):
    if word == 'serve':
        return serve(*args)
    to, seconds, request, count_port = args
    connection = connected(to, request)
    ends = reader(connection) if word == 'read' else writer(connection, int(count_port), request != '')
    print(round(measure(ends[0], float(seconds), ends[1]), 1))


main(*sys.argv[1:])
