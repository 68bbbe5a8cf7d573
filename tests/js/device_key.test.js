// The tablet's key: what is signed is what the server checks, and a browser that keeps nothing is told apart from one that does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceKey, base64url, keeping, signedText } from "../../web/static/js/lib/device_key.js";

test("what is signed are five lines, with an empty one where there is no stream", () => {
  assert.equal(signedText("socket", "tab_1.3", "s", "n"), "crisisbridge tablet proof 1\nsocket\ntab_1.3\ns\nn");
  assert.equal(signedText("POST /x", "tab_1.3", "", "n").split("\n").length, 5);
});

test("bytes travel as base64url without padding", () => {
  assert.equal(base64url(new Uint8Array([251, 255, 0]).buffer), "-_8A");
  assert.equal(base64url(new Uint8Array([255]).buffer), "_w");
});

test("a browser without a store answers a challenge with nothing, and proves no request", async () => {
  const key = new DeviceKey(); // node has no IndexedDB, as a locked-down browser
  assert.deepEqual(await key.prove({ subject: "tab_1.1", nonce: "n", bind: true }, "s"), { type: "proof" });
  assert.equal(await key.draft(), null);
  assert.deepEqual(await key.headers("POST", "/api/v1/shift"), {});
});

test("a key in memory signs for its challenge, and gives its public half only when that is asked for", async () => {
  const key = new DeviceKey();
  key.pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const proof = await key.prove({ subject: "tab_1.1", nonce: "n", bind: false }, "s");
  assert.equal(proof.key, undefined);
  const signature = Buffer.from(proof.signature ?? "", "base64url");
  const text = new TextEncoder().encode(signedText("socket", "tab_1.1", "s", "n"));
  assert.equal(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key.pair.publicKey, signature, text), true);
  const first = await key.prove({ subject: "tab_1.1", nonce: "n", bind: true }, "s");
  assert.equal(Buffer.from(first.key ?? "", "base64url").length, 65);
  await assert.rejects(crypto.subtle.exportKey("jwk", key.pair.privateKey));
});

test("a browser that asks the person whether to keep things holds nothing up", async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator"); // older Nodes have none
  const storage = { persisted: async () => false, persist: () => new Promise(() => {}) };
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { storage } });
  try {
    assert.equal(await keeping(), "passing");
  } finally {
    Object.defineProperty(globalThis, "navigator", before ?? { configurable: true, value: undefined });
  }
});
