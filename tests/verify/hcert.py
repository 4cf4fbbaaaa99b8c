"""Checks HCERT texts with implementations that share no code with Bukti: base45, zlib, cwt (COSE), cryptography (X.509).

Reads {"signer": PEM, "root": PEM, "schema": path or null, "texts": [...]} from standard input, prints the payloads, and
fails where a signature, a certificate, a date or the schema is not as it should be.
"""

import hashlib
import json
import sys
import time
import zlib

import base45
import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEKey

asked = json.load(sys.stdin)
signer = x509.load_pem_x509_certificate(asked["signer"].encode())
root = x509.load_pem_x509_certificate(asked["root"].encode())
signer.verify_directly_issued_by(root)
usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
assert usage.digital_signature and not usage.key_cert_sign

kid = hashlib.sha256(signer.public_bytes(Encoding.DER)).digest()[:8]
public_key = signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
key = COSEKey.from_pem(public_key.decode(), alg="ES256", kid=kid)

validate = lambda payload: None
if asked["schema"]:
    from jsonschema import Draft202012Validator

    with open(asked["schema"]) as file:
        validate = Draft202012Validator(json.load(file)).validate

payloads = []
for text in asked["texts"]:
    assert text.startswith("HC1:")
    message = zlib.decompress(base45.b45decode(text[4:]))
    protected, _, payload = COSE.new().decode_with_headers(message, key)
    assert protected[4] == kid, "the kid is in the protected header"
    claims = cbor2.loads(payload)
    now = time.time()
    assert claims[6] <= now < claims[4] <= signer.not_valid_after_utc.timestamp()
    assert claims[1] == "ID"
    certificate = claims[-260][1]
    validate(certificate)
    payloads.append(certificate)
json.dump(payloads, sys.stdout)
