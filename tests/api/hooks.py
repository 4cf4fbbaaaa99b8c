"""Lets schemathesis get past the first checks: it is logged in, solves captchas, and knows a person, a certificate and a link.

These replace only generated values that have the right form already, so that requests which another
field makes invalid still are."""

import base64
import hashlib
import itertools
import json
import os
import random
import re
import threading
import time
import urllib.request
from pathlib import Path

import schemathesis

URL = os.environ["BUKTI_URL"]
KEY = os.environ["BUKTI_KEY"]
PHONE = "0821-0669-0743"
CHANCE = random.Random(1)
LOCK = threading.Lock()


def call(method, path, body=None, cookie=""):
    request = urllib.request.Request(URL + path, method=method, headers={"Content-Type": "application/json"})
    if cookie:
        request.add_header("Cookie", cookie)
    request.data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null"), answer.headers


def captcha():
    challenge, _ = call("GET", "/api/captcha")
    asked = challenge["parameters"]
    start = bytes.fromhex(asked["salt"]) + bytes.fromhex(asked["nonce"])
    for counter in itertools.count():
        key = hashlib.sha256(start + counter.to_bytes(4, "big")).digest()
        for _ in range(1, asked["cost"]):
            key = hashlib.sha256(key).digest()
        if key.hex().startswith(asked["keyPrefix"]):
            break
    solution = {"counter": counter, "derivedKey": key[: asked["keyLength"]].hex()}
    return base64.b64encode(json.dumps({"challenge": challenge, "solution": solution}).encode()).decode()


def log_in():
    document, _ = call("GET", "/api/openapi.json")
    asked = {"phone": PHONE}
    if "captcha" in document["components"]["schemas"]["OtpRequest"]["properties"]:
        asked["captcha"] = captcha()
    _, headers = call("POST", "/api/otp", asked)
    code = re.search(r"#(\d{6})", call("GET", "/_sms.json")[0][-1]["message"])[1]
    _, headers = call("POST", "/api/sessions", {"phone": PHONE, "code": code}, headers["Set-Cookie"].split(";")[0])
    return headers["Set-Cookie"].split(";")[0]


def token(phone):
    """The token of the link in the SMS to this phone."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for sms in call("GET", "/_sms.json")[0]:
            found = re.search(r"/s/(\S+)", sms["message"])
            if sms["to"] == phone and found:
                return found[1]
        time.sleep(0.2)
    raise TimeoutError(f"no SMS came to {phone}")


TOKEN = token("+6282106690743")
REFUSED = token("+6281234567890")
COOKIE = log_in()
PERSON = call("GET", "/api/people", cookie=COOKIE)[0]["people"][0]["id"]
DOSES = call("GET", f"/api/people/{PERSON}/certificates", cookie=COOKIE)[0]["doses"]
FEED = (Path(__file__).parent / "feed.csv").read_text()
CERTIFICATE = next(dose["certificate"]["id"] for dose in DOSES if dose["certificate"])
# For each field, a right value, and the maximum length in the API document.
RIGHT = {
    "captcha": (captcha, 4000),
    "token": (lambda: TOKEN, 64),
    "nik": (lambda: "3171012401896246", 30),
    "name": (lambda: "Iwan Ibrahim Purnomo", 300),
    "birth_date": (lambda: "1989-01-24", 10),
    "form": (lambda: "card", 30),
}


@schemathesis.serializer("text/csv", "application/x-ndjson", "application/fhir+json", "application/fhir+ndjson")
def as_it_is(context, value):
    return value if isinstance(value, (str, bytes)) else json.dumps(value)


@schemathesis.auth()
class ApiKey:
    """The API key of a hub, for the routes that require one; some requests omit it."""

    def get(self, case, context):
        return KEY

    def set(self, case, data, context):
        if "/intake/" in case.path:
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def map_case(context, case):
    with LOCK:
        chances = [CHANCE.random() for _ in range(3)]
    # A log-out would end the session that the other requests use.
    if chances[0] < 0.8 and case.method != "DELETE":
        case.headers["Cookie"] = COOKIE
    if chances[1] < 0.5 and isinstance(case.body, dict):
        for field, (right, longest) in RIGHT.items():
            written = case.body.get(field)
            if isinstance(written, str) and len(written) <= longest:
                case.body[field] = right()
                if field == "token" and case.path.endswith("/refusals"):
                    # Another link: a refusal disables it for all other requests.
                    case.body[field] = REFUSED
    if chances[1] < 0.5 and case.path.endswith("/intake/doses") and case.media_type == "text/csv":
        case.body = FEED
    if chances[2] < 0.5 and case.path_parameters:
        for name, right in (("person", PERSON), ("certificate", CERTIFICATE), ("job", "feed")):
            if name in case.path_parameters:
                case.path_parameters[name] = right
    return case
