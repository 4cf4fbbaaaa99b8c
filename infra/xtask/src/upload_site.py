"""Uploads the built site: upload_site.py FOLDER BUCKET DISTRIBUTION, the settings of the site as JSON on standard input.

Files with a hash in their name are cached for ever; all others are revalidated on each request, and
invalidated. Unchanged files are not uploaded again. Files that the site no longer has are deleted
last, so that an open page still finds its chunks.
"""

import hashlib
import json
import mimetypes
import sys
import time
from pathlib import Path

import boto3

KEPT, ASKED_FOR = "public, max-age=31536000, immutable", "no-cache"
# Parts of the version before, for pages that were opened before this one came.
KEPT_ASSETS = 7 * 24 * 3600
for suffix, kind in {".wasm": "application/wasm", ".js": "text/javascript", ".json": "application/json", ".webmanifest": "application/manifest+json"}.items():
    mimetypes.add_type(kind, suffix)


def main(folder, bucket, distribution):
    folder = Path(folder)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {name: body for name, body in files.items() if not name.endswith(".gz")}
    # CloudFront asks browsers that read brotli to be given NAME.br. What would not get smaller is that itself.
    as_it_is = {f"{name}.br": body for name, body in files.items() if name.endswith((".html", ".js", ".css", ".wasm")) and f"{name}.br" not in files}
    files |= as_it_is
    files["settings.json"] = json.dumps(json.load(sys.stdin), ensure_ascii=False).encode()
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {it["Key"]: it for page in pages for it in page.get("Contents", [])}
    new = [name for name, body in files.items() if name not in there or there[name]["ETag"].strip('"') != hashlib.md5(body).hexdigest()]
    # The pages last: what they load is there then.
    for name in sorted(new, key=lambda name: (".html" in name, name)):
        plain = name.removesuffix(".br")
        kind = mimetypes.guess_type(plain)[0] or "application/octet-stream"
        headers = {"ContentType": kind + ("; charset=utf-8" if kind.startswith("text/") else "")}
        headers["CacheControl"] = KEPT if name.startswith("assets/") else ASKED_FOR
        if plain != name and name not in as_it_is:
            headers["ContentEncoding"] = "br"
        if plain.endswith("404.html"):
            # A function of CloudFront answers with it.
            headers["Metadata"] = {"status": "404"}
        s3.put_object(Bucket=bucket, Key=name, Body=files[name], **headers)
    old = [
        name
        for name, it in there.items()
        if name not in files and (not name.startswith("assets/") or time.time() - it["LastModified"].timestamp() > KEPT_ASSETS)
    ]
    for name in old:
        s3.delete_object(Bucket=bucket, Key=name)
    changed = [name for name in new + old if not name.startswith("assets/")]
    if changed and distribution:
        reference = hashlib.sha256(repr([(name, files.get(name)) for name in changed]).encode()).hexdigest()[:32] + str(int(time.time()))
        batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": reference}
        boto3.client("cloudfront").create_invalidation(DistributionId=distribution, InvalidationBatch=batch)
    print(f"{len(new)} of {len(files)} files uploaded, {len(old)} removed" + (", the others invalidated" if changed else ""))


main(*sys.argv[1:])
