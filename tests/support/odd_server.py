"""An HTTP server on loopback that answers byte by byte what a test says, over TLS too.

Knows nothing of podtune. Each path has an answer: bytes, or a function that writes to the socket.
"""

import contextlib
import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = bytes | Callable[[socket.socket], None]


class OddServer:
    """Serves until closed; use as a context manager."""

    def __init__(self, answers: Mapping[str, Answer], *, tls: ssl.SSLContext | None = None) -> None:
        """Start serving.

        Args:
            answers: Path, without its query -> the answer; 404 for others.
            tls: The server's side of TLS.
        """
        self.answers = dict(answers)
        self.requests: list[str] = []
        self.connections = 0
        odd = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                odd.connections += 1
                with contextlib.suppress(OSError):
                    odd.answer(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def finish_request(self, request, client_address) -> None:
                if tls is not None:
                    with (
                        contextlib.suppress(OSError),
                        tls.wrap_socket(request, server_side=True) as secured,
                    ):
                        super().finish_request(secured, client_address)
                    return
                super().finish_request(request, client_address)

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> "OddServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, connection: socket.socket) -> None:
        """Read one request's head and answer it."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        text = head.decode("latin-1")
        self.requests.append(text)
        path = text.split(" ", 2)[1].partition("?")[0]
        answer = self.answers.get(path, response(404, b"nothing here"))
        if callable(answer):
            answer(connection)
        else:
            connection.sendall(answer)


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed answer; `content_type="text/csv"` becomes `content-type: text/csv`."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    return response(status, location=location)


def until_closed(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Send the pieces, the last again and again, until the other side hangs up."""

    def send(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        while True:
            connection.sendall(pieces[-1])

    return send


def then_silence(piece: bytes) -> Callable[[socket.socket], None]:
    """Send a piece, then nothing until the other side hangs up."""

    def send(connection: socket.socket) -> None:
        connection.sendall(piece)
        connection.recv(1)

    return send


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        self._certificate = _certificate(
            self._name, self._name, self._key.public_key(), self._key, [], authority=True
        )

    def client(self) -> ssl.SSLContext:
        """A client that trusts this authority only."""
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server(self, folder: Path, names: Iterable[str], log: list[str] | None = None):
        """A server with a certificate for names and addresses; `log` gets the SNI of each client."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(
            _name("server"), self._name, key.public_key(), self._key, list(names), authority=False
        )
        file = folder / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if log is not None:
            context.sni_callback = lambda _, name, __: log.append(name)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject, issuer, public, signer, names, *, authority) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        general = [_general(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
