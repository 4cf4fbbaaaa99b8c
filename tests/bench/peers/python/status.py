"""The status request as a Python function with boto3.

It makes the checks, calls and responses of `functions/status`, but has none of its texts. Lambda's own Python runtime
does more work than the loop here.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import time
import unicodedata

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HOUR = 3600
STATUS_REQUESTS = 1000

with open(os.environ["BUKTI_SECRETS"].removeprefix("file:")) as file:
    secrets = json.load(file)
TABLE = os.environ["BUKTI_TABLE"]


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


index_key = decoded(secrets["index_key"])
sealing_keys = {key["id"]: AESGCM(decoded(key["key"])) for key in secrets["sealing_keys"]}
table = boto3.client("dynamodb")


class RequestError(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


def keyed(prefix, purpose, value):
    tag = hmac.digest(index_key, f"{purpose}\x1f{value}".encode(), "sha256")
    return prefix + encoded(tag[:18])


def window():
    return int(time.time()) // HOUR


def rate(name, address):
    return {"pk": {"S": keyed("RATE#", "rate", f"{name}\x1f{window()}\x1f{address}")}, "sk": {"S": "RATE"}}


def verify_captcha(captcha):
    """Checks that an ALTCHA proof of work carries our signature, has not expired, and is solved."""
    payload = json.loads(base64.b64decode(captcha))
    parameters, signature = payload["challenge"]["parameters"], payload["challenge"]["signature"]
    if parameters["expiresAt"] < time.time():
        raise RequestError(400, "captcha_expired")
    plain = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hmac.digest(secrets["captcha_key"].encode(), plain.encode(), "sha256")
    derived = bytes.fromhex(parameters["salt"]) + bytes.fromhex(parameters["nonce"])
    derived += payload["solution"]["counter"].to_bytes(4, "big")
    for _ in range(max(parameters["cost"], 1)):
        derived = hashlib.sha256(derived).digest()
    derived = derived[: parameters["keyLength"]].hex()
    right = hmac.compare_digest(bytes.fromhex(signature), expected)
    if not right or derived != payload["solution"]["derivedKey"] or not derived.startswith(parameters["keyPrefix"]):
        raise RequestError(400, "captcha_wrong")
    return signature.lower(), parameters["expiresAt"]


def call_conditional(call, code, status, **arguments):
    try:
        return call(TableName=TABLE, **arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise RequestError(status, code) from error
        raise


def admit(captcha, address):
    signature, expires_at = verify_captcha(captcha)
    table.get_item(TableName=TABLE, Key=rate("failures", address), ConsistentRead=True)
    call_conditional(
        table.update_item,
        "too_many_requests",
        429,
        Key=rate("looks", address),
        UpdateExpression="SET taken = if_not_exists(taken, :zero) + :one, expires_at = :ends",
        ConditionExpression="attribute_not_exists(taken) OR taken < :most",
        ExpressionAttributeValues={
            ":zero": {"N": "0"},
            ":one": {"N": "1"},
            ":most": {"N": str(STATUS_REQUESTS)},
            ":ends": {"N": str((window() + 1) * HOUR)},
        },
        ReturnValues="ALL_NEW",
    )
    call_conditional(
        table.put_item,
        "captcha_reused",
        400,
        Item={
            "pk": {"S": "CAPTCHA#" + encoded(hashlib.sha256(signature.encode()).digest())},
            "sk": {"S": "CAPTCHA"},
            "expires_at": {"N": str(expires_at)},
        },
        ConditionExpression="attribute_not_exists(pk)",
    )


def open_row(item):
    """Decrypts a dose's row with AES-256-GCM; the item's key is the associated data."""
    sealed = item["row"]["B"]
    key = sealing_keys[sealed[1]]
    return json.loads(key.decrypt(sealed[2:14], sealed[14:], f"{item['pk']['S']} DOSE row".encode()))


def normalised(name):
    return re.sub("[^A-Z]+", " ", unicodedata.normalize("NFKD", name).upper()).strip()


def dose_view(item, row, certificates):
    certificate = certificates.get(item.get("certificate_id", {}).get("S"))
    if certificate is None:
        code = item["verdict"]["S"]
    else:
        code = "certificate_revoked" if "revoked_at" in certificate else "certificate_issued"
    return {
        "dose_number": int(row["dosis_ke"]),
        "vaccine": row["vaksin"],
        "vaccination_date": row["tanggal_vaksinasi"],
        "facility": row["nama_faskes"],
        "diagnosis": {"code": code},
    }


def status(body, address):
    name, nik = body.get("name") or "", body.get("nik") or ""
    if not re.fullmatch(r"\d{16}", nik) or not normalised(name):
        raise RequestError(400, "invalid_fields")
    admit(body["captcha"], address)
    items = table.query(
        TableName=TABLE,
        IndexName="by_person",
        KeyConditionExpression="#key = :value AND pk BETWEEN :first AND :last",
        ExpressionAttributeNames={"#key": "person"},
        ExpressionAttributeValues={
            ":value": {"S": keyed("PERSON#", "person", f"nik:{nik}")},
            ":first": {"S": "CERTIFICATE#"},
            ":last": {"S": "EVENT#~"},
        },
    )["Items"]
    certificates = {item["pk"]["S"].removeprefix("CERTIFICATE#"): item for item in items if item["sk"]["S"] == "CERTIFICATE"}
    doses = [(item, open_row(item)) for item in items if item["sk"]["S"] == "DOSE"]
    doses.sort(key=lambda dose: dose[1]["tanggal_vaksinasi"])
    return {"doses": [dose_view(item, row, certificates) for item, row in doses if normalised(row["nama"]) == normalised(name)]}


def handle(event):
    try:
        answer = status(json.loads(event["body"]), event["requestContext"]["http"]["sourceIp"])
        return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(answer)}
    except RequestError as error:
        return {"statusCode": error.status, "headers": {}, "body": json.dumps({"code": error.code})}


api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None):
    api.request(method, f"/2018-06-01/runtime/invocation/{path}", body)
    answer = api.getresponse()
    return answer.headers, answer.read()


while True:
    headers, event = call("GET", "next")
    request = headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        call("POST", f"{request}/response", json.dumps(handle(json.loads(event))))
    except Exception as error:  # The error is reported to Lambda, and the loop continues.
        call("POST", f"{request}/error", json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}))
