// Runs Lighthouse with its mobile settings. `node lighthouse.mjs SITE REPORTS PATH…` prints one line
// of JSON per path, in order, and writes the full reports to the folder REPORTS.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import lighthouse from "lighthouse";

import { launch } from "./browser.mjs";

const [, , site, reports, ...paths] = process.argv;

/** The minimum score at which Lighthouse shows an audit as passed. */
const PASSED = 0.9;

/** Audits that are informative or do not apply have no score. */
const failed = ({ score, scoreDisplayMode }) => scoreDisplayMode === "error" || (score !== null && score < PASSED);

/** Runs Lighthouse on a path in a new browser. */
async function visit(path) {
  const browser = await launch();
  try {
    const { port } = new URL(browser.wsEndpoint());
    return await lighthouse(site + path, { port, output: "html", logLevel: "error" });
  } finally {
    await browser.close();
  }
}

for (const [run, path] of paths.entries()) {
  let { lhr, report } = await visit(path);
  // Occasionally, the start is missing from Chromium's trace and Lighthouse cannot measure, so retry once.
  if (lhr.runtimeError?.code === "NO_NAVSTART") ({ lhr, report } = await visit(path));
  if (lhr.runtimeError) throw new Error(`${path}: ${lhr.runtimeError.message}`);
  writeFileSync(join(reports, `${run + 1}${path.replaceAll("/", "-")}.html`), report);
  const categories = Object.values(lhr.categories);
  const weights = (id) =>
    categories.flatMap((it) => it.auditRefs.filter((audit) => audit.id === id).map(({ weight }) => [it.id, weight]));
  const metric = (id) => lhr.audits[id].numericValue;
  console.log(JSON.stringify({
    path,
    lighthouse: lhr.lighthouseVersion,
    benchmark: lhr.environment.benchmarkIndex,
    scores: Object.fromEntries(categories.map(({ id, score }) => [id, score])),
    fcp: metric("first-contentful-paint"),
    lcp: metric("largest-contentful-paint"),
    tbt: metric("total-blocking-time"),
    cls: metric("cumulative-layout-shift"),
    failed: Object.values(lhr.audits)
      .filter((audit) => failed(audit) && weights(audit.id).length)
      .map(({ id, title }) => ({ id, title, places: weights(id) })),
  }));
}
