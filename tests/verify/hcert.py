"""Verifies HCERT texts with implementations that share no code with Bukti.

They are base45, zlib, cwt (COSE), cbor2 and cryptography (X.509). Reads {"signer": PEM, "root": PEM,
"schema": path or null, "value_sets": folder or null, "texts": [...]} from standard input. Prints for
each text {"payload": ...} or {"refused": why}. Fails if the signer's certificate is wrong.
"""

import hashlib
import json
import re
import sys
import time
import unicodedata
import zlib
from datetime import date
from pathlib import Path

import base45
import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cwt import COSE, COSEKey
from jsonschema import Draft202012Validator

asked = json.load(sys.stdin)
signer = x509.load_pem_x509_certificate(asked["signer"].encode())
root = x509.load_pem_x509_certificate(asked["root"].encode())
signer.verify_directly_issued_by(root)
usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
assert usage.digital_signature and not usage.key_cert_sign
assert root.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign

kid = hashlib.sha256(signer.public_bytes(Encoding.DER)).digest()[:8]
public_key = signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
key = COSEKey.from_pem(public_key.decode(), alg="ES256", kid=kid)

schema = None
if asked["schema"]:
    schema = Draft202012Validator(
        json.loads(Path(asked["schema"]).read_text()), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def value_set(name):
    return set(json.loads((Path(asked["value_sets"]) / f"{name}.json").read_text())["valueSetValues"])


value_sets = {}
if asked["value_sets"]:
    value_sets = {
        "tg": value_set("disease-agent-targeted"),
        "vp": value_set("vaccine-prophylaxis"),
        # Indonesia's own vaccines, which the value sets of 2022-11 lack.
        "mp": value_set("vaccine-medicinal-product") | {"IndoVac", "Zifivax"},
        "ma": value_set("vaccine-mah-manf") | {"Bio-Farma", "Anhui-Zhifei-Longcom"},
        "co": value_set("country-2-codes"),
    }


def check_uvci(ci):
    """The check character after `#`: Luhn mod N (UVCI specification, annex 2)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:"
    text, check = ci.split("#")
    assert re.fullmatch(r"URN:UVCI:01:ID:[A-Z0-9]+", text), "this is no UVCI of Indonesia"
    total, factor = alphabet.index(check), 2
    for character in reversed(text):
        quotient, remainder = divmod(alphabet.index(character) * factor, len(alphabet))
        total, factor = total + quotient + remainder, 3 - factor
    assert total % len(alphabet) == 0, "the UVCI's check character is wrong"


def zone(name):
    """Transliterates a name by ICAO 9303 part 3, section 6 A; None if it has other letters."""
    letters = str.maketrans(
        {"Ä": "AE", "Æ": "AE", "Å": "AA", "Ö": "OE", "Ø": "OE", "Œ": "OE", "Ü": "UE", "Ð": "D", "Đ": "D", "Þ": "TH", "Ł": "L"}
    )
    upper = unicodedata.normalize("NFC", name).upper().translate(letters)
    plain = "".join(c for c in unicodedata.normalize("NFD", upper) if not unicodedata.combining(c))
    if re.search(r"[^\W\d_A-Z]", plain):
        return None
    return "<".join(re.findall("[A-Z]+", re.sub("['’]", "", plain)))


def check_names(names):
    for given, transliterated in (("fn", "fnt"), ("gn", "gnt")):
        assert (given in names) == (transliterated in names)
        expected = zone(names.get(given, ""))
        if expected is not None and given in names:
            # The schema allows 80 characters of either, and a transliteration may be longer than its name.
            assert expected.startswith(names[transliterated]), f"the transliteration is not {expected}"
            assert len(names[transliterated]) >= min(len(expected), 79)


def check_dcc(payload):
    if schema:
        schema.validate(payload)
    check_names(payload["nam"])
    (dose,) = payload["v"]
    date.fromisoformat(payload["dob"])
    date.fromisoformat(dose["dt"])
    for field, values in value_sets.items():
        assert dose[field] in values, f"{field} is not of its value set"
    check_uvci(dose["ci"])


def check_icvp(payload):
    """Checks one dose against the WHO's logical model of 2026-04."""
    dose = payload["vx"]
    assert isinstance(payload["n"], str) and isinstance(payload["v"], str)
    date.fromisoformat(payload["dob"])
    assert re.fullmatch("male|female|other|unknown", payload["s"])
    # Optional, since the feed does not have the nationality of foreigners.
    assert re.fullmatch("[A-Z]{3}", payload.get("nt", "IDN"))
    assert date.fromisoformat(dose["dv"]) >= date(2025, 9, 19)
    assert "cn" in dose or "is" in dose
    assert dose["vp"] and dose["bo"]


def strings(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def verify(text):
    assert text.startswith("HC1:")
    message = zlib.decompress(base45.b45decode(text[4:]))
    protected, _, payload = COSE.new().decode_with_headers(message, key)
    assert protected[4] == kid, "the kid is not in the protected header"
    claims = cbor2.loads(payload)
    assert claims[6] <= time.time() < claims[4] <= signer.not_valid_after_utc.timestamp()
    assert claims[1] == "ID"
    ((kind, certificate),) = claims[-260].items()
    assert all(string.strip() for string in strings(certificate)), "a string is empty"
    {1: check_dcc, -6: check_icvp}[kind](certificate)
    return certificate


def answer(text):
    try:
        return {"payload": verify(text)}
    except Exception as error:
        # Only the first line: the others contain the whole payload.
        return {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}


json.dump([answer(text) for text in asked["texts"]], sys.stdout)
