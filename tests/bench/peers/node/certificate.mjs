// Creates the certificate with pdfkit and qrcode. `light` does the minimum to show the texts: one
// page in a standard PDF font. `same` does everything that Bukti does except the signature: page and
// card, with the same font, which it embeds from the folder FONTS.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import PDFDocument from "pdfkit";
import QRCode from "qrcode";

import { measure, papers } from "./timing.mjs";

const QUIET_ZONE = 4;

function qr(text) {
  return QRCode.create(text, { errorCorrectionLevel: "M" }).modules;
}

function drawQr(document, { x, y, side }, { size, data }) {
  const unit = side / (size + 2 * QUIET_ZONE);
  for (let row = 0; row < size; row++) {
    for (let start = 0; start < size; start++) {
      if (!data[row * size + start]) continue;
      let end = start + 1;
      while (end < size && data[row * size + end]) end++;
      document.rect(x + (start + QUIET_ZONE) * unit, y + (row + QUIET_ZONE) * unit, (end - start) * unit, unit);
      start = end;
    }
  }
  document.fill("black");
}

function drawLines(document, lines, regular, bold) {
  for (const line of lines) {
    document.font(line.bold ? bold : regular).fontSize(line.size);
    document.text(line.text, line.x, line.y, { lineBreak: false, baseline: "alphabetic" });
  }
}

async function finished(document) {
  const chunks = [];
  document.on("data", (chunk) => chunks.push(chunk));
  document.end();
  await once(document, "end");
  return Buffer.concat(chunks);
}

const page = { size: papers.a4, margin: 0 };

function light(paper) {
  const document = new PDFDocument(page);
  drawQr(document, papers.a4_qr, qr(paper.qr));
  drawLines(document, paper.a4, "Helvetica", "Helvetica-Bold");
  return finished(document);
}

function same(regular, bold) {
  return (paper) => {
    const document = new PDFDocument({ ...page, font: null });
    document.registerFont("regular", regular).registerFont("bold", bold);
    const modules = qr(paper.qr);
    drawQr(document, papers.a4_qr, modules);
    drawLines(document, paper.a4, "regular", "bold");
    for (const lines of [paper.front, paper.back]) {
      document.addPage({ size: papers.card, margin: 0 });
      if (lines === paper.front) drawQr(document, papers.card_qr, modules);
      drawLines(document, lines, "regular", "bold");
    }
    return finished(document);
  };
}

if (process.argv[4] === "same") {
  const font = (name) => readFileSync(join(process.env.FONTS, name));
  const make = same(font("NotoSans-Regular.ttf"), font("NotoSans-Bold.ttf"));
  await measure("node-same.pdf", "Node qrcode + pdfkit", "unsigned; QR, A4 page, card; font embedded", make);
} else {
  await measure("node.pdf", "Node qrcode + pdfkit", "unsigned; QR, A4 page; no embedded font", light);
}
