/**
 * The tablet's camera, microphone and leg, kept in step with the session: up as soon as there is a session, so that
 * the picture is there when somebody accepts; gone when it ends. It has two cameras, and a page that is often away.
 */

import { CallMedia } from "../lib/call_media.js";
import * as devices from "../lib/devices.js";

export class TabletMedia extends CallMedia {
  /** Make later sound possible: browsers allow an element to play which was started within a press. */
  unlock() {
    void this.audio.play().catch(() => { /* nothing to play yet; the press still counts */ });
  }

  /** On hold nothing comes, and that is no fault of the line. @protected @override @param {import("../lib/call_media.js").CallSession} session */
  hears(session) {
    return session.held_at === null;
  }

  /** @protected @override */
  get sendsStills() {
    return true;
  }

  /** @override @param {import("../lib/call_media.js").CallSession | null} session  the open one, or null */
  follow(session) {
    super.follow(session);
    if (this.peer?.word === "refused") this.peer.restart(); // refused by an older state of things
  }

  /** The other camera. */
  async flip() {
    const peer = this.peer;
    if (!peer || !this.stream) return;
    try {
      await peer.flip();
      this.cameraProblem = null;
    } catch (error) {
      this.cameraProblem = devices.why(error);
    }
    this.facing = peer.facing;
    this.adopt(peer);
  }

  /** Nothing is said to be off while the devices are still being opened. @protected @override */
  sending() {
    return {
      muted: this.muted || (this.captured && !this.hasMicrophone),
      camera: this.cameraOn && (this.hasCamera || !this.captured),
    };
  }

  /** @protected @override */
  showSelf() {
    this.selfView.dataset["facing"] = this.facing;
    super.showSelf();
  }
}
