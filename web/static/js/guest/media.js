/** A guest's camera, microphone and leg. */

import { CallMedia } from "../lib/call_media.js";

export class GuestMedia extends CallMedia {
  /** Who only listens is asked for no device. @protected @override @param {import("../lib/call_media.js").CallSession} session */
  join(session) {
    const mode = /** @type {import("../lib/wire.js").GuestSession} */ (session).mode;
    if (mode === "speak") return super.join(session);
    if (mode === "whisper") this.speak();
    void this.connect(session.id);
  }

  /** On hold nothing comes, and that is no fault of the line. @protected @override @param {import("../lib/call_media.js").CallSession} session */
  hears(session) {
    return session.held_at === null;
  }
}
