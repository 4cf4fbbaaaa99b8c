// The thread that reads QRs and verifies certificates. The page asks, each question with a port on which the answer comes. Of a
// certificate nothing is sent or stored; what is fetched and kept are the public files below /trust/.

{{glue}}

{{download}}

// The page waits for it.
postMessage("running");

const SIGNERS = "trust/signers.json";
const INDEX = "trust/revocation/index.cose";
/** Where the public files are kept for when there is no net; sw.js leaves it alone. */
const CACHE = "bukti-trust";
/** Names, in the cache, the revocation lists that were kept whole by when they were published. */
const WHOLE = "/trust/whole";
/** So many partitions are fetched at a time. */
const AT_ONCE = 6;
/** A file that does not come within this time is taken from the cache, in milliseconds. */
const PATIENCE = 4_000;
/** After a file did not come, the cache alone is asked for so long: a dead net is waited for once. */
const PAUSE = 30_000;
/** The lists are fetched anew after this time. */
const FRESH = 600_000;

let starting;

/** The verifier, whose WebAssembly is asked for again where it did not come before. */
function started() {
  starting ??= download("{{wasm}}")
    .catch(() => download("{{wasm}}", { cache: "reload" }))
    .then((module) => wasm_bindgen({ module_or_path: module }))
    .then(() => new wasm_bindgen.Verifier());
  starting.catch(() => (starting = undefined));
  return starting;
}

/** Nothing where the page is not secure or the browser keeps nothing. */
const cache = async () => self.caches?.open(CACHE).catch(() => undefined);

let noNetUntil = -Infinity;
const isOffline = () => !navigator.onLine || performance.now() < noNetUntil;

/** The bytes of a public file from the net, or nothing. */
async function fetched(path) {
  if (isOffline()) return undefined;
  try {
    const answer = await download(`/${path}`, { credentials: "omit", cache: "no-cache" }, PATIENCE);
    return new Uint8Array(await answer.arrayBuffer());
  } catch (error) {
    // One that is answered with an error status is missing, not out of reach.
    if (error.status === undefined) noNetUntil = performance.now() + PAUSE;
    return undefined;
  }
}

/** Gives a file to `take`: that of the net, else the one that was kept. Says which of them it took. */
async function load(path, take) {
  const bytes = await fetched(path);
  const kept = await cache();
  if (bytes && take(bytes)) {
    // A full disk keeps nobody from verifying.
    await kept?.put(`/${path}`, new Response(bytes)).catch(() => {});
    return "fetched";
  }
  const before = await kept?.match(`/${path}`);
  return before && take(new Uint8Array(await before.arrayBuffer())) ? "kept" : undefined;
}

const loadPartition = (verifier, path) => load(path, (bytes) => verifier.take_partition(path, bytes));

let fetchedAt = -Infinity;
let loading;

async function loadLists(verifier) {
  // The index is signed, so the signers come first.
  const signers = await load(SIGNERS, (bytes) => verifier.take_signers(bytes));
  // The one that was kept is taken first, so that an older one from the net, which could hide revocations, is refused.
  const before = await (await cache())?.match(`/${INDEX}`);
  if (before) verifier.take_index(new Uint8Array(await before.arrayBuffer()));
  const index = await load(INDEX, (bytes) => verifier.take_index(bytes));
  if (signers === "fetched" && index === "fetched") fetchedAt = performance.now();
}

/** The verifier with the newest lists that can be had. */
async function withLists() {
  const verifier = await started();
  const there = verifier.listed_at() && verifier.revocation_at();
  if (there && (isOffline() || performance.now() - fetchedAt < FRESH)) return verifier;
  loading ??= loadLists(verifier).finally(() => (loading = undefined));
  await loading;
  return verifier;
}

/** Of when the revocation lists are that are kept whole, if any are. */
async function keptAt(verifier) {
  const kept = await cache();
  const whole = await kept?.match(WHOLE);
  if (!whole) return undefined;
  const there = new Set((await kept.keys()).map((request) => new URL(request.url).pathname));
  return verifier.all_partitions().every((path) => there.has(`/${path}`)) ? whole.text() : undefined;
}

/** Fetches all partitions, for when there is no net. */
async function keep(verifier, say) {
  const kept = await cache();
  const published = verifier.revocation_at();
  if (!kept || !published) return;
  const paths = verifier.all_partitions();
  for (let at = 0; at < paths.length; at += AT_ONCE) {
    const some = await Promise.all(paths.slice(at, at + AT_ONCE).map((path) => loadPartition(verifier, path)));
    // One that was kept before may be of older lists.
    if (some.some((one) => one !== "fetched")) return;
    say(Math.min(at + AT_ONCE, paths.length) / paths.length);
  }
  await kept.put(WHOLE, new Response(published)).catch(() => {});
  const current = new Set([SIGNERS, INDEX, ...paths].map((path) => `/${path}`)).add(WHOLE);
  const old = (await kept.keys()).filter((request) => !current.has(new URL(request.url).pathname));
  await Promise.all(old.map((request) => kept.delete(request)));
}

// Quicker where there is one, as on Android.
let detector;
try {
  detector = new BarcodeDetector({ formats: ["qr_code"] });
} catch {}

let context;

/** Reads a part of a picture at a scale. */
function readPart(picture, [left, top, width, height], scale) {
  context ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  Object.assign(context.canvas, { width: wide, height: high });
  // Where a picture is transparent.
  context.fillStyle = "white";
  context.fillRect(0, 0, wide, high);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left, top, width, height, 0, 0, wide, high);
  return wasm_bindgen.read_qr(context.getImageData(0, 0, wide, high).data, wide, high);
}

let frames = 0;

/** What is tried with a frame of the camera: mostly the whole of it, in turn a small code in the middle and a large, blurred one. */
function frameViews({ width, height }) {
  const whole = [0, 0, width, height];
  const side = Math.min(width, height) * 0.75;
  const middle = [(width - side) / 2, (height - side) / 2, side, side];
  return [[[whole, 1], [middle, 2], [whole, 1], [whole, 0.5]][frames++ % 4]];
}

/** What is tried with a picture: the whole of it in three sizes, then pieces of a large one as they are. */
function* pictureViews({ width, height }) {
  const longest = Math.max(width, height);
  const scales = [Math.min(1, 1600 / longest), 800 / longest, 2600 / longest].map((scale) => Math.min(scale, 2));
  for (const scale of new Set(scales)) yield [[0, 0, width, height], scale];
  const piece = 1400;
  if (longest <= 2600) return;
  for (let top = 0; top < height - piece / 2; top += piece / 2) {
    for (let left = 0; left < width - piece / 2; left += piece / 2) {
      yield [[left, top, Math.min(piece, width - left), Math.min(piece, height - top)], 1];
    }
  }
}

async function read(picture, views) {
  await started();
  try {
    const [found] = (await detector?.detect(picture).catch(() => [])) ?? [];
    if (found?.rawValue) return found.rawValue;
    for (const [part, scale] of views(picture)) {
      const text = readPart(picture, part, scale);
      if (text !== undefined) return text;
    }
    return undefined;
  } finally {
    picture.close();
  }
}

const answers = {
  async lists() {
    const verifier = await withLists();
    const [listed_at, revocation_at] = [verifier.listed_at(), verifier.revocation_at()];
    return { listed_at, revocation_at, kept_at: await keptAt(verifier), bytes: verifier.total_bytes() };
  },
  async keep(_, say) {
    await keep(await withLists(), say);
  },
  frame: (frame) => read(frame, frameViews),
  picture: async (file) => read(await createImageBitmap(file), pictureViews),
  async verify({ text, at }) {
    const verifier = await withLists();
    const began = performance.now();
    const found = verifier.check(text, at);
    const took = performance.now() - began;
    await Promise.all(verifier.lacking(found).map((path) => loadPartition(verifier, path)));
    return { report: JSON.parse(verifier.judge(found)), has_signers: verifier.listed_at() !== undefined, took };
  },
};

self.onmessage = async ({ data: { ask, about }, ports: [port] }) => {
  const say = (progress) => port.postMessage({ progress });
  try {
    port.postMessage({ answer: await answers[ask](about, say) });
  } catch {
    port.postMessage({ failed: true });
  }
};
