"""Uploads the built site: upload_site.py FOLDER BUCKET DISTRIBUTION, with the settings as JSON on stdin.

Files with a hash in their name are cached for ever. All others are revalidated on each request, and
invalidated on CloudFront. Unchanged files are not uploaded again. Removed files are deleted last,
and removed assets only a week after their upload, so that open pages can still load their chunks.
"""

import hashlib
import json
import mimetypes
import sys
import time
from pathlib import Path

import boto3

IMMUTABLE, REVALIDATED = "public, max-age=31536000, immutable", "no-cache"
# How long removed assets are kept for pages that are open, in seconds.
REMOVED_ASSETS_KEPT_FOR = 7 * 24 * 3600
for suffix, kind in {".wasm": "application/wasm", ".js": "text/javascript", ".json": "application/json", ".webmanifest": "application/manifest+json"}.items():
    mimetypes.add_type(kind, suffix)


def main(folder, bucket, distribution):
    folder = Path(folder)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {name: body for name, body in files.items() if not name.endswith(".gz")}
    # A function of CloudFront requests NAME.br for browsers that accept brotli. Files too small to be
    # compressed are uploaded under that name as well, uncompressed.
    uncompressed = {f"{name}.br": body for name, body in files.items() if name.endswith((".html", ".js", ".css", ".wasm")) and f"{name}.br" not in files}
    files |= uncompressed
    files["settings.json"] = json.dumps(json.load(sys.stdin), ensure_ascii=False).encode()
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    existing = {it["Key"]: it for page in pages for it in page.get("Contents", [])}
    new = [name for name, body in files.items() if name not in existing or existing[name]["ETag"].strip('"') != hashlib.md5(body).hexdigest()]
    # Pages last, so that the files that they load exist.
    for name in sorted(new, key=lambda name: (".html" in name, name)):
        plain = name.removesuffix(".br")
        kind = mimetypes.guess_type(plain)[0] or "application/octet-stream"
        headers = {"ContentType": kind + ("; charset=utf-8" if kind.startswith("text/") else "")}
        headers["CacheControl"] = IMMUTABLE if name.startswith("assets/") else REVALIDATED
        if plain != name and name not in uncompressed:
            headers["ContentEncoding"] = "br"
        if plain.endswith("404.html"):
            # A function of CloudFront responds with this status.
            headers["Metadata"] = {"status": "404"}
        s3.put_object(Bucket=bucket, Key=name, Body=files[name], **headers)
    old = [
        name
        for name, it in existing.items()
        if name not in files and (not name.startswith("assets/") or time.time() - it["LastModified"].timestamp() > REMOVED_ASSETS_KEPT_FOR)
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
