"""A policy for the webhook handler, as somebody else would write it: questions are verified by the PyPI package standardwebhooks.

Arguments: the key file, the port (0 for any), and with TLS a folder in which the certificate of its authority is left as ca.pem.
The first line it prints is its address; GET there tells the questions so far.
"""

import datetime
import http.server
import ipaddress
import json
import pathlib
import ssl
import sys

from standardwebhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(pathlib.Path(sys.argv[1]).read_text().splitlines()[0])
ASKED = []


def decide(question):
    scope = (question["request"]["scope"] or question["request"]["default_scope"]).split()
    if "payments" in scope:
        missing = {"scope": "payments", "acr_values": "urn:example:mfa", "max_age": 300}
        return {"decision": "deny", "error": "interaction_required", "error_description": "Approve the payment.", "members": missing}
    if "write" in scope:
        return {"decision": "allow", "scoope": "openid"}
    return {
        "decision": "allow",
        "scope": " ".join(value for value in scope if value != "email"),
        "access_token": {"lifetime": 120, "data": {"asked_by": question["client"]["client_id"]}},
        "refresh_token": {"issue": False},
        "id_token": {"claims": {"department": "sales"}},
    }


class Policy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            question = WEBHOOK.verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            return self.answer(401, {"error": str(error)})
        ASKED.append(question)
        return self.answer(200, decide(question))

    def do_GET(self):
        self.answer(200, ASKED)

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def certify(folder):
    """An authority, and a certificate of it for localhost; gives the TLS side of the server."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def certificate(subject, key, extension):
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(name("Authority"), name(subject), key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - day).not_valid_after(now + day).add_extension(extension, critical=False)
        return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    (folder / "ca.pem").write_bytes(certificate("Authority", authority, x509.BasicConstraints(ca=True, path_length=None)))
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)
    (folder / "own.pem").write_bytes(certificate("localhost", own, names) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Policy)
scheme, host = "http", "127.0.0.1"
if len(sys.argv) > 3:
    server.socket = certify(pathlib.Path(sys.argv[3])).wrap_socket(server.socket, server_side=True)
    scheme, host = "https", "localhost"
print(f"{scheme}://{host}:{server.server_port}/", flush=True)
server.serve_forever()
