/** Longest wait for the next bytes of a file, in milliseconds. */
const STALL = 10000;

/**
 * Fetches a file whole, and fails where it does not come, breaks off or stalls: a response that is
 * only begun can still hang for minutes.
 */
async function download(address, options, stall = STALL) {
  const aborter = new AbortController();
  let timer;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => aborter.abort(), stall);
  };
  watch();
  try {
    const response = await fetch(address, Object.assign({ signal: aborter.signal }, options));
    if (!response.ok) throw Object.assign(new Error(`${address}: status ${response.status}`), { status: response.status });
    const chunks = [];
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      watch();
    }
    return new Response(new Blob(chunks), { headers: response.headers });
  } finally {
    clearTimeout(timer);
  }
}
