/** Who is in the call, and how far the handing on of it has come: which panel is shown, and its words. Pure. */

/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {import("../lib/wire.js").PartyView} PartyView */
/** @typedef {"none" | "ask" | "ringing" | "sitting" | "ended" | "receive" | "listen"} Panel */

/**
 * Our own seat in the media.
 * @param {ConsoleSession} session
 */
export function ownSeat(session) {
  return session.company.find((one) => one.party === session.party)?.seat ?? "clinician";
}

/**
 * The place of our own that we have agreed to fill: a receiver is not heard before they press Join.
 * @param {ConsoleSession} session
 */
export function placeKey(session) {
  return session.role === "lead" ? null : `${session.id}:${session.party ?? ""}`;
}

/**
 * Whether our leg should be up.
 * @param {ConsoleSession | null} session  the live one
 * @param {string | null} joined  the place for which Join was pressed
 */
export function wantsMedia(session, joined) {
  if (!session) return false;
  return session.role === "receiver" ? joined === placeKey(session) : true;
}

/**
 * What stands below the call's controls.
 * @param {ConsoleSession} session
 * @param {{ asks: boolean, seen: string | null }} local  asks: Transfer was pressed; seen: the id of the ended transfer that was put away
 * @returns {Panel}
 */
export function panelOf(session, { asks, seen }) {
  if (session.role === "receiver") return "receive";
  if (session.role === "supervisor") return "listen";
  const transfer = session.transfer;
  if (transfer && transfer.stage !== "ended") return transfer.stage;
  if (asks) return "ask";
  return transfer && transfer.id !== seen ? "ended" : "none"; // each one's end is said, also when it ends as the last one did
}

/**
 * What the lead reads while somebody sits in, or the receiver about themselves: key and values.
 * @param {ConsoleSession} session
 * @returns {{ key: string, values: Record<string, string> }}
 */
export function handingWords(session) {
  const transfer = session.transfer;
  const values = { lead: session.lead, name: transfer?.receiver ?? transfer?.to ?? transfer?.ringing[0] ?? "" };
  /** @param {string} key */
  const say = (key) => ({ key: `console.handing.${key}`, values });
  if (session.role === "receiver") {
    if (session.state === "recovering") return say("lead_lost");
    if (!transfer?.joined) return say("read_first");
    if (transfer.receiver_ready) return say(transfer.lead_ready ? "changing" : "wait_for_lead");
    return say(transfer.lead_ready ? "lead_is_ready" : "both_here");
  }
  // only who is in the call can have confirmed, or have been confirmed to
  if (!transfer?.joined) return say(transfer?.lead_ready || transfer?.receiver_ready ? "receiver_lost" : "reads");
  if (transfer.lead_ready) return say(transfer.receiver_ready ? "changing" : "wait_for_receiver");
  return say(transfer.receiver_ready ? "receiver_is_ready" : "hears");
}
