// Measures in the same way as ../../src/timing.rs. Scripts take the arguments of bukti-bench:
// `node SCRIPT FOLDER ROUNDS`.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [, , folder, rounds] = process.argv;
export const papers = JSON.parse(readFileSync(join(folder, "people.json"), "utf8"));

/** Measures `make`, which returns a PDF, and prints the row. Saves the first PDF under the file name `name`. */
export async function measure(name, who, what, make) {
  const { people } = papers;
  writeFileSync(join(folder, name), await make(people[0]));
  const count = Number(rounds);
  for (let round = 0; round < Math.max(Math.floor(count / 3), 10); round++) await make(people[round % people.length]);
  const times = [];
  const sizes = [];
  for (let round = 0; round < count; round++) {
    const started = performance.now();
    const pdf = await make(people[round % people.length]);
    times.push(performance.now() - started);
    sizes.push(pdf.length);
  }
  times.sort((a, b) => a - b);
  sizes.sort((a, b) => a - b);
  const at = (sorted, part) => sorted[Math.floor(sorted.length * part)];
  console.log(JSON.stringify({
    who,
    what,
    median_ms: at(times, 0.5),
    p99_ms: at(times, 0.99),
    bytes: at(sizes, 0.5),
    largest: sizes.at(-1),
  }));
}
