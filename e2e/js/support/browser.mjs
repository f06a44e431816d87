// A headless Chromium, and where its pictures go.
import assert from "node:assert/strict";
import { mkdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { chromiumBinary, writesDocumentation } from "./environment.mjs";

const DOCUMENTATION = new URL("../../../docs/images/", import.meta.url);
const ARTIFACTS = new URL("../../artifacts/", import.meta.url);
const MOST_BYTES = 250 * 1024;

export function launch() {
  return chromium.launch({
    executablePath: chromiumBinary(),
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Names of hosts that are this machine, and no loopback names.
      "--host-resolver-rules=MAP *.example.com 127.0.0.1",
    ],
  });
}

/** A picture to look at; for the documentation, when it is one of its pictures and ROOMWIRE_WRITE_SCREENSHOTS is 1. */
export async function picture(page, name, { isDocumented = false } = {}) {
  const folder = isDocumented && writesDocumentation ? DOCUMENTATION : ARTIFACTS;
  await mkdir(folder, { recursive: true });
  const path = fileURLToPath(new URL(name, folder));
  await page.screenshot({ path, animations: "disabled", caret: "hide" });
  const { size } = await stat(path);
  if (isDocumented) assert.ok(size < MOST_BYTES, `${name} has ${size} bytes`);
}
