// Prints the certificate as a web page with headless Chromium, which is started only once. The
// variable CHROMIUM is the path of the browser.

import puppeteer from "puppeteer-core";
import QRCode from "qrcode";

import { measure, papers } from "./timing.mjs";

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

async function html(paper) {
  const { x, y, side } = papers.a4_qr;
  const [width, height] = papers.a4;
  const svg = await QRCode.toString([{ data: paper.qr, mode: "alphanumeric" }], {
    type: "svg",
    errorCorrectionLevel: "M",
    margin: 4,
  });
  const lines = paper.a4.map(
    (line) =>
      `<p style="left:${line.x}pt;top:${line.y - line.size}pt;font-size:${line.size}pt` +
      `${line.bold ? ";font-weight:bold" : ""}">${escaped(line.text)}</p>`,
  );
  return `<!doctype html><html lang="id"><meta charset="utf-8"><title>Sertifikat Vaksinasi</title><style>
@page { size: ${width}pt ${height}pt; margin: 0 }
body { margin: 0; font-family: Helvetica, Arial, sans-serif }
p, svg { position: absolute; margin: 0; line-height: 1.2; white-space: nowrap }
svg { left: ${x}pt; top: ${y}pt; width: ${side}pt; height: ${side}pt }
</style>${svg}${lines.join("")}</html>`;
}

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  await measure("chromium.pdf", "Chromium by puppeteer", "unsigned; QR, A4 page, from HTML; browser warm", async (paper) => {
    await page.setContent(await html(paper));
    return page.pdf({ preferCSSPageSize: true, printBackground: true });
  });
} finally {
  await browser.close();
}
