"""TLS before a server that has none: takes connections, and hands their bytes on."""

import contextlib
import socket
import ssl
import subprocess
import threading


def certificate(folder):
    """Files of a certificate for localhost that signs itself, and of its key."""
    names = [str(folder / "certificate.pem"), str(folder / "key.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
               "-out", names[0], "-keyout", names[1]]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return names


class TlsProxy:
    """On a free port of localhost, before the port of the server."""

    def __init__(self, port, certificate_file, key_file):
        self._target = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate_file, key_file)
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._listening = socket.create_server(("localhost", 0))
        self.port = self._listening.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        for sock in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                taken = self._listening.accept()[0]
                threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken):
        # TLS runs through memory, since one SSL socket cannot be read and written at once.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        inner = socket.create_connection(("127.0.0.1", self._target))
        self._open += [taken, inner]
        lock = threading.Lock()

        def flush():
            if outgoing.pending:
                taken.sendall(outgoing.read())

        def back():
            with contextlib.suppress(OSError, ssl.SSLError):
                while data := inner.recv(65536):
                    with lock:
                        tls.write(data)
                        flush()
            with contextlib.suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)

        started = False
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := taken.recv(65536):
                clear = b""
                with lock:
                    incoming.write(data)
                    with contextlib.suppress(ssl.SSLWantReadError):
                        if not started:
                            try:
                                tls.do_handshake()
                            finally:
                                flush()
                            started = True
                            threading.Thread(target=back, daemon=True).start()
                        while piece := tls.read(65536):
                            clear += piece
                    flush()
                inner.sendall(clear)
        with contextlib.suppress(OSError):
            inner.shutdown(socket.SHUT_RDWR)
