// Which pair of addresses carries: what a browser calls it meanwhile does not matter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { carryingPair, goesByRelay } from "../../web/static/js/lib/stats.js";
import * as ladder from "../../web/static/js/lib/ladder.js";
import * as quality from "../../web/static/js/lib/quality.js";

const OTHER = { type: "candidate-pair", id: "one", nominated: true, state: "succeeded", bytesReceived: 900, availableOutgoingBitrate: 1 };
const CHECKED = { type: "candidate-pair", id: "two", nominated: true, state: "in-progress", bytesReceived: 42, availableOutgoingBitrate: 70_000, currentRoundTripTime: 0.4 };
const TRANSPORT = { type: "transport", selectedCandidatePairId: "two" };

test("the pair that the transport has chosen carries, also while a check on it waits for its answer", () => {
  assert.equal(carryingPair([OTHER, CHECKED, TRANSPORT]), CHECKED);
  assert.equal(carryingPair([CHECKED]), CHECKED);
  const report = [OTHER, TRANSPORT, CHECKED];
  assert.deepEqual([ladder.read(report).heard, ladder.read(report).uplink], [42, 70_000]);
  assert.deepEqual([quality.read(report, 0).roundTrip, quality.read(report, 0).uplink], [0.4, 70_000]);
});

test("where no transport is told of, the pair says it itself; and one that has failed or was never nominated carries nothing", () => {
  const selected = { ...CHECKED, selected: true };
  assert.equal(carryingPair([OTHER, selected]), selected);
  assert.equal(carryingPair([OTHER, { type: "transport" }]), OTHER);
  assert.equal(carryingPair([{ ...OTHER, state: "failed" }, { ...CHECKED, nominated: false }]), null);
  assert.equal(carryingPair([]), null);
});

test("a pair goes by a relay when its own candidate is one", () => {
  const pair = { ...CHECKED, localCandidateId: "ours" };
  const relay = { type: "local-candidate", id: "ours", candidateType: "relay" };
  assert.equal(goesByRelay([pair, relay], pair), true);
  assert.equal(goesByRelay([pair, { ...relay, candidateType: "srflx" }], pair), false);
  assert.equal(goesByRelay([pair, { ...relay, id: "another" }], pair), false);
  assert.equal(goesByRelay([pair, { ...relay, type: "remote-candidate" }], pair), false);
  assert.equal(goesByRelay([CHECKED, { ...relay, id: undefined }], CHECKED), false);
  assert.equal(goesByRelay([], null), false);
});
