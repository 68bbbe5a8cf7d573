/**
 * Keep the screen on while a session is open. The browser takes the lock away whenever the page is hidden, so it is
 * asked for again when the page comes back. Where there is no such API, nothing happens.
 */
export class WakeLock {
  constructor() {
    this.wanted = false;
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    document.addEventListener("visibilitychange", () => { this.#request(); });
  }

  /** Best called within a press. */
  hold() {
    this.wanted = true;
    this.#request();
  }

  release() {
    this.wanted = false;
    void this.lock?.release();
    this.lock = null;
  }

  #request() {
    if (!this.wanted || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    if (this.lock && !this.lock.released) return;
    navigator.wakeLock.request("screen").then(
      (lock) => {
        this.lock = lock;
        if (!this.wanted) this.release();
      },
      () => { /* battery saver or policy refuses it: the call goes on without */ },
    );
  }
}
