// What the tablet says of its browser: read from the words that browsers send, the more special name first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browserOf } from "../../web/static/js/tablet/report.js";

const WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
/** @type {[string, string, number, string, string][]} */
const KNOWN = [
  ["an iPad that calls itself a Mac", `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Version/18.1 Safari/605.1.15`, 5, "Safari 18.1", "iPadOS"],
  ["an iPad", `Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) ${WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1`, 5, "Safari 17.6", "iPadOS 17.6"],
  ["Chrome on an iPad", `Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) ${WEBKIT} CriOS/128.0 Mobile/15E148 Safari/604.1`, 5, "Chrome 128", "iPadOS 17.6"],
  ["an Android tablet", "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36", 5, "Chrome 128", "Android 14"],
  ["a Samsung tablet", "Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Safari/537.36", 5, "Samsung Internet 25", "Android 13"],
  ["Edge on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0", 10, "Edge 128", "Windows 10"],
  ["Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", 0, "Firefox 130", "Linux"],
  ["a Mac", `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Version/18.1 Safari/605.1.15`, 0, "Safari 18.1", "macOS"],
  ["something else", "<script>alert(1)</script>", 0, "", ""],
];

for (const [name, words, touches, browser, system] of KNOWN) {
  test(`${name} is named`, () => {
    const found = browserOf(words, touches);
    assert.deepEqual(found, { browser, system });
    assert.match(found.browser + found.system, /^[A-Za-z0-9 ._-]*$/); // what the server takes
  });
}
