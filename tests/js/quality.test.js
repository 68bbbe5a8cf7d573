// One word for a connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, read } from "../../web/static/js/lib/quality.js";

/** @param {Partial<import("../../web/static/js/lib/quality.js").Reading>} changes */
const reading = (changes) => ({ at: 0, packets: 0, lost: 0, framesDecoded: 0, videoPackets: 0, roundTrip: 0.05, uplink: null, ...changes });
const start = reading({});
const fine = { at: 5000, packets: 1000, framesDecoded: 140, videoPackets: 700 };
const context = { expectMedia: true, warm: true, slow: false };

test("a clean picture is good", () => {
  assert.equal(judge(start, reading(fine), context), "good");
});

test("no packets from a side that should send is no connection", () => {
  assert.equal(judge(start, reading({ at: 5000 }), context), "none");
});

test("no packets while nobody is there is not a fault", () => {
  assert.equal(judge(start, reading({ at: 5000 }), { expectMedia: false, warm: true, slow: false }), "good");
});

test("loss, delay and a slow picture each lower the word", () => {
  assert.equal(judge(start, reading({ ...fine, lost: 50 }), context), "fair");
  assert.equal(judge(start, reading({ ...fine, lost: 200 }), context), "poor");
  assert.equal(judge(start, reading({ ...fine, roundTrip: 0.5 }), context), "fair");
  assert.equal(judge(start, reading({ ...fine, roundTrip: 1 }), context), "poor");
  assert.equal(judge(start, reading({ ...fine, framesDecoded: 50 }), context), "fair");
  assert.equal(judge(start, reading({ ...fine, framesDecoded: 10 }), context), "poor");
});

test("voice alone is not blamed for having no frames", () => {
  assert.equal(judge(start, reading({ at: 5000, packets: 250 }), context), "good");
});

test("the uplink counts against the limits of the national service, but not before the estimate is warm", () => {
  assert.equal(judge(start, reading({ ...fine, uplink: 300_000 }), context), "fair");
  assert.equal(judge(start, reading({ ...fine, uplink: 150_000 }), context), "poor");
  assert.equal(judge(start, reading({ ...fine, uplink: 150_000 }), { expectMedia: true, warm: false, slow: false }), "good");
});

test("counters that fall mean a new connection, not a fault", () => {
  assert.equal(judge(reading({ ...fine, at: 0 }), reading({ at: 5000, packets: 3 }), context), "good");
});

test("a report is read whatever else is in it", () => {
  const got = read([
    { type: "inbound-rtp", kind: "audio", packetsReceived: 10, packetsLost: 1 },
    { type: "inbound-rtp", kind: "video", packetsReceived: 20, packetsLost: 2, framesDecoded: 5 },
    { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.1, availableOutgoingBitrate: 400000 },
    { type: "candidate-pair", nominated: false, state: "failed", currentRoundTripTime: 9 },
    { type: "codec", mimeType: "video/VP8" },
  ], 7);
  assert.deepEqual(got, { at: 7, packets: 30, lost: 3, framesDecoded: 5, videoPackets: 20, roundTrip: 0.1, uplink: 400000 });
});
