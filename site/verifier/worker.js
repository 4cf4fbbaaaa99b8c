// The worker that reads QR codes and verifies certificates. The page sends each request with a port
// for the response. Nothing of a certificate is sent or stored; only the public files below /trust/
// are fetched and cached.

{{glue}}

{{download}}

// The page waits for this message to know that the script was loaded.
postMessage("running");

const SIGNERS = "trust/signers.json";
const INDEX = "trust/revocation/index.cose";
/** The cache of the public files, for offline use. sw.js does not touch it. */
const CACHE = "bukti-trust";
/** Cache entry with the publication time of the revocation lists that are cached completely. */
const COMPLETE = "/trust/whole";
/** Partitions that are fetched concurrently. */
const CONCURRENCY = 6;
/** Milliseconds without new bytes after which a file is read from the cache. */
const NETWORK_TIMEOUT = 4_000;
/**
 * Milliseconds during which only the cache is used after the network failed, so that its timeout
 * is waited for only once.
 */
const OFFLINE_PERIOD = 30_000;
/** Milliseconds after which the lists are fetched again. */
const MAX_LIST_AGE = 600_000;

let starting;

/** Returns the verifier. If its WebAssembly could not be loaded, the next call tries again. */
function startVerifier() {
  starting ??= download("{{wasm}}")
    .catch(() => download("{{wasm}}", { cache: "reload" }))
    .then((module) => wasm_bindgen({ module_or_path: module }))
    .then(() => new wasm_bindgen.Verifier());
  starting.catch(() => (starting = undefined));
  return starting;
}

/** `undefined` on pages without HTTPS, or if the browser refuses storage. */
const openCache = async () => self.caches?.open(CACHE).catch(() => undefined);

let offlineUntil = -Infinity;
const isOffline = () => !navigator.onLine || performance.now() < offlineUntil;

/** Fetches the bytes of a public file; `undefined` if that fails. */
async function fetchFile(path) {
  if (isOffline()) return undefined;
  try {
    const options = { credentials: "omit", cache: "no-cache" };
    const response = await download(`/${path}`, options, NETWORK_TIMEOUT);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    // An error status means that the file is missing, not that the network is.
    if (error.status === undefined) offlineUntil = performance.now() + OFFLINE_PERIOD;
    return undefined;
  }
}

/**
 * Passes a file to `parse`: the fetched one, or if there is none or `parse` rejects it, the cached
 * one. Returns "fetched", "cached" or `undefined`.
 */
async function loadFile(path, parse) {
  const bytes = await fetchFile(path);
  const cache = await openCache();
  if (bytes && parse(bytes)) {
    // Without space on the disk, the file is used and not cached.
    await cache?.put(`/${path}`, new Response(bytes)).catch(() => {});
    return "fetched";
  }
  const cached = await cache?.match(`/${path}`);
  return cached && parse(new Uint8Array(await cached.arrayBuffer())) ? "cached" : undefined;
}

const loadPartition = (verifier, path) => loadFile(path, (bytes) => verifier.load_partition(path, bytes));

let fetchedAt = -Infinity;
let loading;

async function loadLists(verifier) {
  // The signers come first, because they sign the index.
  const signers = await loadFile(SIGNERS, (bytes) => verifier.load_signers(bytes));
  // The cached index is loaded first, so that an older one from the network, which could hide
  // revocations, is rejected.
  const cached = await (await openCache())?.match(`/${INDEX}`);
  if (cached) verifier.load_index(new Uint8Array(await cached.arrayBuffer()));
  const index = await loadFile(INDEX, (bytes) => verifier.load_index(bytes));
  if (signers === "fetched" && index === "fetched") fetchedAt = performance.now();
}

/** Returns the verifier with the newest lists that are available. */
async function verifierWithLists() {
  const verifier = await startVerifier();
  const hasLists = verifier.listed_at() && verifier.revocation_at();
  if (hasLists && (isOffline() || performance.now() - fetchedAt < MAX_LIST_AGE)) return verifier;
  loading ??= loadLists(verifier).finally(() => (loading = undefined));
  await loading;
  return verifier;
}

/** The publication time of the revocation lists if they are cached completely. */
async function completeListsTime(verifier) {
  const cache = await openCache();
  const complete = await cache?.match(COMPLETE);
  if (!complete) return undefined;
  const cached = new Set((await cache.keys()).map((request) => new URL(request.url).pathname));
  return verifier.all_partitions().every((path) => cached.has(`/${path}`)) ? complete.text() : undefined;
}

/** Downloads all partitions for offline use. */
async function downloadPartitions(verifier, reportProgress) {
  const cache = await openCache();
  const published = verifier.revocation_at();
  if (!cache || !published) return;
  const paths = verifier.all_partitions();
  for (let at = 0; at < paths.length; at += CONCURRENCY) {
    const batch = paths.slice(at, at + CONCURRENCY);
    const sources = await Promise.all(batch.map((path) => loadPartition(verifier, path)));
    // A cached partition may belong to older lists.
    if (sources.some((source) => source !== "fetched")) return;
    reportProgress(Math.min(at + CONCURRENCY, paths.length) / paths.length);
  }
  await cache.put(COMPLETE, new Response(published)).catch(() => {});
  const current = new Set([SIGNERS, INDEX, ...paths].map((path) => `/${path}`)).add(COMPLETE);
  const old = (await cache.keys()).filter((request) => !current.has(new URL(request.url).pathname));
  await Promise.all(old.map((request) => cache.delete(request)));
}

// The browser's own detector, which Android has, is faster.
let detector;
try {
  detector = new BarcodeDetector({ formats: ["qr_code"] });
} catch {}

let context;

/** Reads a section of a picture at a scale. */
function readSection(picture, [left, top, width, height], scale) {
  context ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const [scaledWidth, scaledHeight] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  Object.assign(context.canvas, { width: scaledWidth, height: scaledHeight });
  // The background of transparent pictures.
  context.fillStyle = "white";
  context.fillRect(0, 0, scaledWidth, scaledHeight);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left, top, width, height, 0, 0, scaledWidth, scaledHeight);
  const pixels = context.getImageData(0, 0, scaledWidth, scaledHeight).data;
  return wasm_bindgen.read_qr(pixels, scaledWidth, scaledHeight);
}

let frames = 0;

/**
 * The section and scale to try with a camera frame: the whole frame in every other one, in turn with
 * its enlarged middle, for a small code, and the reduced frame, for a large, blurred one.
 */
function frameViews({ width, height }) {
  const whole = [0, 0, width, height];
  const side = Math.min(width, height) * 0.75;
  const middle = [(width - side) / 2, (height - side) / 2, side, side];
  return [[[whole, 1], [middle, 2], [whole, 1], [whole, 0.5]][frames++ % 4]];
}

/**
 * The sections and scales to try with a picture: the whole picture in three sizes, then tiles of a
 * large one in full resolution.
 */
function* pictureViews({ width, height }) {
  const longest = Math.max(width, height);
  const scales = [Math.min(1, 1600 / longest), 800 / longest, 2600 / longest].map((scale) => Math.min(scale, 2));
  for (const scale of new Set(scales)) yield [[0, 0, width, height], scale];
  const tile = 1400;
  if (longest <= 2600) return;
  for (let top = 0; top < height - tile / 2; top += tile / 2) {
    for (let left = 0; left < width - tile / 2; left += tile / 2) {
      yield [[left, top, Math.min(tile, width - left), Math.min(tile, height - top)], 1];
    }
  }
}

async function read(picture, views) {
  await startVerifier();
  try {
    const [found] = (await detector?.detect(picture).catch(() => [])) ?? [];
    if (found?.rawValue) return found.rawValue;
    for (const [section, scale] of views(picture)) {
      const text = readSection(picture, section, scale);
      if (text !== undefined) return text;
    }
    return undefined;
  } finally {
    picture.close();
  }
}

const handlers = {
  async lists() {
    const verifier = await verifierWithLists();
    const [listed_at, revocation_at] = [verifier.listed_at(), verifier.revocation_at()];
    return { listed_at, revocation_at, kept_at: await completeListsTime(verifier), bytes: verifier.total_bytes() };
  },
  async keep(_, reportProgress) {
    await downloadPartitions(await verifierWithLists(), reportProgress);
  },
  frame: (frame) => read(frame, frameViews),
  picture: async (file) => read(await createImageBitmap(file), pictureViews),
  async verify({ text, at }) {
    const verifier = await verifierWithLists();
    const started = performance.now();
    const pending = verifier.check(text, at);
    const took = performance.now() - started;
    await Promise.all(verifier.missing_partitions(pending).map((path) => loadPartition(verifier, path)));
    return { report: JSON.parse(verifier.judge(pending)), has_signers: verifier.listed_at() !== undefined, took };
  },
};

self.onmessage = async ({ data: { ask, about }, ports: [port] }) => {
  const reportProgress = (progress) => port.postMessage({ progress });
  try {
    port.postMessage({ answer: await handlers[ask](about, reportProgress) });
  } catch {
    port.postMessage({ failed: true });
  }
};
