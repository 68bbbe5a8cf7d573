/** A guest's camera, microphone and leg. */

import { CallMedia } from "../lib/call_media.js";

export class GuestMedia extends CallMedia {
  /** On hold nothing comes, and that is no fault of the line. @protected @override @param {import("../lib/call_media.js").CallSession} session */
  hears(session) {
    return session.held_at === null;
  }
}
