"""An OpenID Connect issuer on loopback: a discovery document, public keys, and tokens of whatever kind a test needs."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CLIENT, AUDIENCE, KEY_ID = "shop", "shop-profiles", "key-1"


def new_key() -> rsa.RSAPrivateKey:
    """A key to sign with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """Signs with `key`, which it publishes."""

    url: str
    key: rsa.RSAPrivateKey = field(default_factory=new_key)

    @property
    def discovery(self) -> str:
        """Where its discovery document is."""
        return f"{self.url}/.well-known/openid-configuration"

    @property
    def public_pem(self) -> bytes:
        """What everybody may know of its key."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def claims(self, user: str = "ada", granted: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        """What a good token says; `granted` are roles, None in `more` leaves a claim out."""
        now = int(time.time())
        found = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": user,
            "preferred_username": user,
            "iat": now,
            "exp": now + 300,
            "resource_access": {CLIENT: {"roles": list(granted)}},
        }
        return {name: value for name, value in (found | more).items() if value is not None}

    def token(self, user: str = "ada", granted: tuple[str, ...] = (), *, key: Any = None, **more: Any) -> str:
        """A token signed with `key`, by default the issuer's."""
        return jwt.encode(
            self.claims(user, granted, **more), key or self.key, algorithm="RS256", headers={"kid": KEY_ID}
        )

    def documents(self) -> Mapping[str, Any]:
        """What it answers, by path."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/auth",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            },
            "/keys": {"keys": [public | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}]},
        }


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers."""
    documents: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    documents.update(issuer.documents())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
