"""Scans the QRs on all pages of a PDF with a renderer and a decoder that share no code with Bukti; prints their texts."""

import sys

import pypdfium2
import zxingcpp

for page in pypdfium2.PdfDocument(sys.argv[1]):
    picture = page.render(scale=150 / 72).to_numpy()
    for code in zxingcpp.read_barcodes(picture, zxingcpp.BarcodeFormat.QRCode):
        print(code.text)
