// One interface to several browser engines: Chromium and Firefox by Puppeteer (WebDriver BiDi for
// Firefox), WebKit by its WebDriver. Elements are selected by XPath, which all of them support.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import oldChromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";
import { Builder, By, Key } from "selenium-webdriver";

import { url } from "./stage.mjs";

const { CHROMIUM, FIREFOX, MINI_BROWSER, WEBKIT_DRIVER, XVFB } = process.env;
const viewport = { width: 360, height: 740 };

/** Polls until a condition holds. Patient, since several browsers share two cores. */
export async function until(what, condition, patience = 60_000) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert.ok(Date.now() < end, `${what} in ${patience / 1000} s`);
    await new Promise((soon) => setTimeout(soon, 100));
  }
}

const DRIVER_TIMEOUT = 20_000;

/** A function that stops a program and waits for its end. */
const endOf = (child) => () => new Promise((ended) => {
  if (child.exitCode !== null || child.signalCode !== null) return ended();
  child.once("exit", ended);
  child.kill();
});

/** Starts a display, which chooses a free number and reports it, and returns it with its end. */
async function startDisplay() {
  const child = spawn(XVFB, ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  let reported = "";
  child.stdio[3].on("data", (text) => (reported += text));
  await until("the display reports its number", () => reported.includes("\n"));
  return { display: `:${reported.trim()}`, end: endOf(child) };
}

/** A port that nothing listened on a moment ago. */
const freePort = () => new Promise((free) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => free(port));
  });
});

/** Starts a WebDriver. It retries, since another program may take the port before the driver. */
async function startDriver(env, attempts = 3) {
  const port = await freePort();
  const end = endOf(spawn(WEBKIT_DRIVER, [`--port=${port}`], { env: { ...process.env, ...env }, stdio: "ignore" }));
  const isReady = () => fetch(`http://127.0.0.1:${port}/status`).then((answer) => answer.ok, () => false);
  try {
    await until("the WebKit driver answers", isReady, 30_000);
    return { port, end };
  } catch (error) {
    await end();
    if (attempts === 1) throw error;
    return startDriver(env, attempts - 1);
  }
}

/** Scrolls an element away from the bar at the bottom, which would receive the click. */
const toMiddle = (element) => element.scrollIntoView({ block: "center", behavior: "instant" });

async function byPuppeteer(browser, options) {
  const page = await browser.newPage();
  await page.setViewport(viewport);
  if (options.scripts === false) await page.setJavaScriptEnabled(false);
  const find = (xpath) => page.waitForSelector(`::-p-xpath(${xpath})`, { visible: true, timeout: 60_000 });
  return {
    go: (address) => page.goto(address, { waitUntil: "domcontentloaded", timeout: 60_000 }).catch((error) => {
      if (!/timeout/i.test(String(error))) throw error;
    }),
    evaluate: (script) => page.evaluate(script),
    click: async (xpath) => {
      const element = await find(xpath);
      await element.evaluate(toMiddle);
      await (options.clicksByScript ? element.evaluate((it) => it.click()) : element.click());
    },
    type: async (xpath, text) => (await find(xpath)).type(text),
    upload: async (id, file) => (await page.waitForSelector(`#${id}`)).uploadFile(file),
    enter: () => page.keyboard.press("Enter"),
    // Puppeteer waits for a load event, which a page from the back-forward cache lacks.
    back: () => page.evaluate("history.back()").catch(() => {}),
    reload: () => page.reload({ waitUntil: "domcontentloaded" }),
    close: () => browser.close(),
  };
}

let oldProgram;

/**
 * The program of the old Chromium's package, unpacked once for all tests that run at the same time,
 * into this folder: the temporary folder may have another version.
 */
function oldChromiumProgram() {
  oldProgram ??= unpack(oldChromium);
  return oldProgram;
}

async function unpack(chromium) {
  const { TMPDIR } = process.env;
  process.env.TMPDIR = process.cwd();
  try {
    return await chromium.executablePath;
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}

export const engines = {
  chromium: async (options = {}) => byPuppeteer(
    await puppeteer.launch({ executablePath: CHROMIUM, headless: true, args: ["--no-sandbox", "--disable-gpu", "--lang=id"] }),
    options,
  ),

  /** A version slightly newer than the oldest supported one. */
  chromium103: async (options = {}) => byPuppeteer(
    await puppeteer.launch({ executablePath: await oldChromiumProgram(), headless: true, args: ["--no-sandbox", "--disable-gpu", "--lang=id"] }),
    // Puppeteer clicks at the position that the element had before scrolling.
    { ...options, clicksByScript: true },
  ),

  firefox: async (options = {}) => byPuppeteer(
    await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true }),
    options,
  ),

  /** WebKitGTK's MiniBrowser, each with its own display and an empty home directory. */
  webkit: async (options = {}) => {
    const home = mkdtempSync(join(tmpdir(), "bukti-webkit-"));
    const { display, end: endDisplay } = await startDisplay();
    const env = { HOME: home, DISPLAY: display, XDG_CACHE_HOME: join(home, "cache"), WEBKIT_DISABLE_COMPOSITING_MODE: "1" };
    const { port, end: endDriver } = await startDriver(env);
    // WebKit's driver sometimes loses the response to a command during which the page navigates,
    // and answers nothing from then on.
    let isStuck = false;
    const answered = (command) => {
      let timer;
      const timeout = new Promise((_, reject) => {
        timer = setTimeout(() => {
          isStuck = true;
          reject(new Error(`the WebKit driver did not answer in ${DRIVER_TIMEOUT / 1000} s`));
        }, DRIVER_TIMEOUT);
      });
      return Promise.race([command, timeout]).finally(() => clearTimeout(timer));
    };
    const driver = await new Builder()
      .usingServer(`http://127.0.0.1:${port}`)
      .withCapabilities({
        browserName: "MiniBrowser",
        // Otherwise commands wait for files that hang.
        pageLoadStrategy: "none",
        "webkitgtk:browserOptions": {
          binary: MINI_BROWSER,
          args: ["--automation", ...(options.scripts === false ? ["--enable-javascript=false"] : [])],
        },
      })
      .build();
    await answered(driver.manage().setTimeouts({ pageLoad: 60_000 }));
    await answered(driver.manage().window().setRect({ ...viewport, x: 0, y: 0 })).catch(() => {});
    const find = (xpath) => until(`${xpath} is there`, async () => {
      const [element] = await answered(driver.findElements(By.xpath(xpath)));
      return element && (await answered(element.isDisplayed()).catch(() => false)) && element;
    });
    return {
      isStuck: () => isStuck,
      go: (address) => answered(driver.get(address)).catch(() => {}),
      evaluate: (script) => answered(driver.executeScript(`return (${script})`)),
      click: async (xpath) => {
        const element = await find(xpath);
        await answered(driver.executeScript(`(${toMiddle})(arguments[0])`, element));
        await answered(element.click());
      },
      type: async (xpath, text) => answered((await find(xpath)).sendKeys(text)),
      upload: async (id, file) => answered((await driver.findElement(By.id(id))).sendKeys(file)),
      enter: () => answered(driver.actions().sendKeys(Key.ENTER).perform()),
      back: () => answered(driver.navigate().back()),
      reload: () => answered(driver.navigate().refresh()),
      close: async () => {
        await answered(driver.quit()).catch(() => {});
        await endDriver();
        await endDisplay();
        rmSync(home, { recursive: true, force: true });
      },
    };
  },
};

/**
 * A proxy to the stack that injects faults. `spoil(path, number)` returns the fault of the response
 * to the given request for a path: `status` (503), `cut`, `hang`, `bare` (without its security
 * policy), or nothing.
 */
export async function spoiledLine(spoil = () => undefined) {
  const requests = [];
  const counts = new Map();
  const stack = new URL(url);
  const server = createServer((near, answer) => {
    const path = near.url;
    const [file] = path.split("?");
    const number = (counts.get(file) ?? 0) + 1;
    counts.set(file, number);
    const fault = spoil(file, number);
    const chunks = [];
    near.on("data", (chunk) => chunks.push(chunk));
    near.on("end", () => {
      const body = Buffer.concat(chunks);
      requests.push({ method: near.method, path, body: body.toString("utf8"), fault });
      if (fault === "hang") return;
      if (fault === "status") return answer.writeHead(503, { "content-type": "text/plain" }).end("Service Unavailable");
      const headers = { ...near.headers, host: stack.host };
      if (headers.origin) headers.origin = stack.origin;
      const far = request({ host: stack.hostname, port: stack.port, method: near.method, path, headers }, (came) => {
        const headers = { ...came.headers };
        if (fault === "bare") delete headers["content-security-policy"];
        answer.writeHead(came.statusCode, headers);
        if (fault !== "cut") return came.pipe(answer);
        came.once("data", (data) => {
          answer.write(data.subarray(0, Math.floor(data.length / 2)), () => answer.destroy());
        });
      });
      far.on("error", () => answer.destroy());
      far.end(body);
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    at: `http://127.0.0.1:${server.address().port}`,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
