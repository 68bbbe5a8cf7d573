/** What a browser's own report (getStats) says of the one path that carries. Pure. */

/** @typedef {Readonly<Record<string, unknown>>} Entry */

/**
 * The pair of addresses that everything goes by now, or none yet. Its `state` does not say so: a browser that waits for the answer to
 * a check calls the very pair that carries "in-progress", which on a slow line it is most of the time. The transport knows, or, in
 * Firefox, the pair itself. Where neither says, it is one that was nominated and has not failed.
 * @param {readonly Entry[]} entries @returns {Entry | null}
 */
export function carryingPair(entries) {
  const chosen = new Set(entries.filter(({ type }) => type === "transport").map((transport) => transport["selectedCandidatePairId"]));
  const pairs = entries.filter(({ type }) => type === "candidate-pair");
  return pairs.find(({ id }) => id !== undefined && chosen.has(id)) ?? pairs.find(({ selected }) => selected === true)
    ?? pairs.find(({ nominated, state }) => nominated === true && (state === "succeeded" || state === "in-progress")) ?? null;
}

/**
 * Whether that pair goes by a relay, which knows this browser by its address alone: under another one it answers nothing any more.
 * @param {readonly Readonly<Record<string, unknown>>[]} entries @param {Readonly<Record<string, unknown>> | null} pair
 */
export function goesByRelay(entries, pair) {
  const ours = pair?.["localCandidateId"];
  return ours !== undefined && entries.some(({ type, id, candidateType }) => type === "local-candidate" && id === ours && candidateType === "relay");
}
