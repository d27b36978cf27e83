"""The PyPI package joserfc reads an encrypted token or answer as its recipient would: decrypts, then verifies."""

import base64

from joserfc import jwe, jwt
from joserfc.jwk import KeySet, RSAKey

from walk import BRIEF, tell

key = RSAKey.import_key(
    b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(base64.b64decode(BRIEF["private_key"])) + b"-----END PRIVATE KEY-----\n"
)
outer = jwe.decrypt_compact(BRIEF["token"], key, algorithms=["RSA-OAEP-256", "A256GCM"])
inner = jwt.decode(outer.plaintext.decode(), KeySet.import_key_set(BRIEF["jwks"]))
jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": BRIEF["issuer"]}, aud={"essential": True, "value": BRIEF["audience"]}
).validate(inner.claims)
tell({"claims": inner.claims, "typ": inner.header["typ"], "enc": outer.headers()["enc"]})
