/** Milliseconds without new bytes after which a download fails. */
const STALL_TIMEOUT = 10000;

/**
 * Fetches a file completely. Fails on an error status, and if the download breaks off or stalls: a
 * response can hang for minutes after its headers.
 */
async function download(address, options, stallTimeout = STALL_TIMEOUT) {
  const controller = new AbortController();
  let timer;
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), stallTimeout);
  };
  restartTimer();
  try {
    const response = await fetch(address, Object.assign({ signal: controller.signal }, options));
    if (!response.ok) throw Object.assign(new Error(`${address}: status ${response.status}`), { status: response.status });
    const chunks = [];
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      restartTimer();
    }
    return new Response(new Blob(chunks), { headers: response.headers });
  } finally {
    clearTimeout(timer);
  }
}
