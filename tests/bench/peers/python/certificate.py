"""Creates the certificate with segno and reportlab: one page in a standard PDF font.

Measures in the same way as ../../src/timing.rs, and takes the arguments of bukti-bench:
`python certificate.py FOLDER ROUNDS`.
"""

import io
import json
import sys
import time
from pathlib import Path

import segno
from reportlab.pdfgen.canvas import Canvas

QUIET_ZONE = 4

folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
papers = json.loads((folder / "people.json").read_text())
people = papers["people"]
_, height = papers["a4"]
place = papers["a4_qr"]


def draw_qr(canvas, text):
    rows = segno.make_qr(text, error="m", mode="alphanumeric", boost_error=False).matrix
    unit = place["side"] / (len(rows) + 2 * QUIET_ZONE)
    path = canvas.beginPath()
    for y, row in enumerate(rows):
        bottom = height - place["y"] - (y + 1 + QUIET_ZONE) * unit
        start = row.find(1)
        while start >= 0:
            end = row.find(0, start)
            end = len(row) if end < 0 else end
            path.rect(place["x"] + (start + QUIET_ZONE) * unit, bottom, (end - start) * unit, unit)
            start = row.find(1, end)
    canvas.drawPath(path, stroke=0, fill=1)


def pdf(paper):
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=papers["a4"], pageCompression=1)
    draw_qr(canvas, paper["qr"])
    for line in paper["a4"]:
        canvas.setFont("Helvetica-Bold" if line["bold"] else "Helvetica", line["size"])
        canvas.drawString(line["x"], height - line["y"], line["text"])
    canvas.showPage()
    canvas.save()
    return file.getvalue()


(folder / "python.pdf").write_bytes(pdf(people[0]))
for round_number in range(max(rounds // 3, 10)):
    pdf(people[round_number % len(people)])
times, sizes = [], []
for round_number in range(rounds):
    started = time.perf_counter()
    content = pdf(people[round_number % len(people)])
    times.append((time.perf_counter() - started) * 1000)
    sizes.append(len(content))
times.sort()
sizes.sort()
row = {
    "who": "Python segno + reportlab",
    "what": "unsigned; QR, A4 page; no embedded font",
    "median_ms": times[len(times) // 2],
    "p99_ms": times[len(times) * 99 // 100],
    "bytes": sizes[len(sizes) // 2],
    "largest": sizes[-1],
}
print(json.dumps(row))
