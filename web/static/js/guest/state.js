/** What a guest's page shows, from the server's snapshot and what this page knows. Pure. */

/** @typedef {import("../lib/wire.js").GuestView} GuestView */
/** @typedef {"connecting" | "waiting" | "door" | "call" | "elsewhere" | "over"} Stage */

const LIVE = new Set(["answering", "connected", "recovering"]);

/**
 * waiting: the session is back in the line, and the guest stays for the next clinician; elsewhere: another window of theirs has the call.
 * @param {GuestView | null} view
 * @param {string | null} dismissed  why the server sent us away for good
 * @returns {Stage}
 */
export function stageOf(view, dismissed) {
  if (dismissed !== null) return dismissed === "replaced" ? "elsewhere" : "over";
  if (!view) return "connecting";
  if (view.session.state === "wrap_up" || view.session.state === "closed") return "over";
  if (!view.session.seat) return LIVE.has(view.session.state) ? "door" : "waiting";
  return LIVE.has(view.session.state) ? "call" : "waiting";
}

/**
 * The session for our media: while we have a seat and the call runs.
 * @param {GuestView | null} view
 */
export function heard(view) {
  return view && stageOf(view, null) === "call" ? view.session : null;
}

/**
 * How one comes in: an interpreter is heard, a supervisor is not.
 * @param {GuestView} view
 */
export function firstMode(view) {
  return view.role === "interpreter" ? "speak" : "listen";
}

/**
 * Whom we hear beside the tablet, each with the slot of the media that carries them.
 * @param {GuestView} view
 * @param {(own: string, seat: string) => number} slotOf
 * @returns {{ slot: number, name: string, role: string, connected: boolean, speaks: boolean, held: boolean }[]}
 */
export function others(view, slotOf) {
  const session = view.session;
  const own = session.seat ?? "";
  return [
    ...(session.lead ? [{ slot: slotOf(own, "clinician"), name: session.lead, role: "lead", connected: true, speaks: true, held: false }] : []),
    ...session.company.filter((one) => one.party !== session.party).map((one) => (
      { slot: slotOf(own, one.seat), name: one.name, role: one.role, connected: one.connected, speaks: one.mode === "speak", held: one.held }
    )),
  ];
}

/**
 * What to say over the picture from the scene, as a key of the page's texts, or null when all is well.
 * @param {GuestView["session"]} session
 * @param {boolean} frozen  it should move and does not
 * @param {boolean} thin  our own line carries less than a full picture: that it arrives badly says nothing of theirs
 */
export function pictureWords(session, frozen, thin) {
  if (session.held_at !== null || !session.peer.connected || !session.peer.camera) return null; // said in the picture's place
  if (frozen) return "guest.peer.frozen";
  const { step, quality } = session.peer;
  if (step === "360p" || step === "180p" || step === "stills") return step === "stills" && session.saver ? "guest.peer.saver" : `guest.peer.${step}`;
  return !thin && step === "720p" && (quality === "poor" || quality === "none") ? "guest.peer.weak" : null;
}

/**
 * Which minute of the hold it is, the first one 0: a tone is heard once in each, so that nobody takes the silence for the end.
 * @param {GuestView | null} view
 * @param {number} now  UTC seconds
 */
export function minuteOfHold(view, now) {
  const since = heard(view)?.held_at ?? null;
  return since === null ? null : Math.floor((now - since) / 60);
}
