// Starts a browser with an empty cache. The variable CHROMIUM is the path of the browser.

import puppeteer from "puppeteer-core";

export const launch = () =>
  puppeteer.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
