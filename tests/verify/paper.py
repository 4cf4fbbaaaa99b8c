"""Scans printed certificates with two decoders that share no code with each other or with Bukti: zxing-cpp and ZBar.

Reads the PDFs named on the command line, and prints a line of JSON for each: for each page with a QR
the side of the QR on paper with its quiet zone, in millimetres, and what each decoder reads when the
QR is printed with a side of 40 mm, from a scan at 300 dpi and from a simulated photograph.
"""

import json
import sys

import numpy as np
import pypdfium2
import zxingcpp
from PIL import Image, ImageFilter
from pyzbar import pyzbar

DPI = 300
SIDE = 40
QUIET_ZONE = 4


def raster(page, dpi):
    pixels = page.render(scale=dpi / 72, grayscale=True).to_numpy()
    return Image.fromarray(pixels.squeeze())


def locate(picture):
    """The only QR with its quiet zone, in pixels: left, top, right, bottom. None without a QR."""
    codes = zxingcpp.read_barcodes(picture, zxingcpp.BarcodeFormat.QRCode)
    if not codes:
        return None
    (code,) = codes
    corners = code.position.top_left, code.position.bottom_right
    modules = 17 + 4 * int(code.extra["Version"])
    margin = (corners[1].x - corners[0].x) * QUIET_ZONE / modules
    return corners[0].x - margin, corners[0].y - margin, corners[1].x + margin, corners[1].y + margin


def photograph(picture, seed):
    """Rotated by 7 degrees, blurred, at 60 % contrast, under uneven light, with noise."""
    rotated = picture.rotate(7, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    blurred = np.asarray(rotated.filter(ImageFilter.GaussianBlur(1.5)), dtype=float)
    grey = 128 + (blurred - 128) * 0.6
    height, width = grey.shape
    light = np.linspace(-20, 20, width)[None, :] + np.linspace(10, -10, height)[:, None]
    noise = np.random.default_rng(seed).normal(0, 3, grey.shape)
    return Image.fromarray(np.clip(grey + light + noise, 0, 255).astype(np.uint8))


def decode(picture):
    zxing = zxingcpp.read_barcodes(picture, zxingcpp.BarcodeFormat.QRCode)
    zbar = pyzbar.decode(picture, symbols=[pyzbar.ZBarSymbol.QRCODE])
    return {"zxing": [code.text for code in zxing], "zbar": [code.data.decode() for code in zbar]}


def scan(page, seed):
    place = locate(raster(page, DPI))
    if place is None:
        return None
    side = (place[2] - place[0]) / DPI * 25.4
    printed = raster(page, DPI * SIDE / side)
    qr = printed.crop([round(edge) for edge in locate(printed)])
    return {"side": side, "scan": decode(qr), "photo": decode(photograph(qr, seed))}


for seed, path in enumerate(sys.argv[1:]):
    scans = (scan(page, seed) for page in pypdfium2.PdfDocument(path))
    print(json.dumps([found for found in scans if found]))
