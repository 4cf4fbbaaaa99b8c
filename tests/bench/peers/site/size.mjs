// Builds the form for production and prints its size in bytes, uncompressed and compressed.

import { brotliCompressSync } from "node:zlib";

import { build } from "esbuild";

const define = { "process.env.NODE_ENV": '"production"' };
const options = { bundle: true, minify: true, format: "esm", jsx: "automatic", write: false, define };
const { outputFiles } = await build({ entryPoints: ["home.jsx"], ...options });
const { contents } = outputFiles[0];
console.log(JSON.stringify({ raw: contents.length, wire: brotliCompressSync(contents).length }));
