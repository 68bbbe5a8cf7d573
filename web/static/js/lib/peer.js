/**
 * One side's media connection to the bridge. The page always describes itself first and the bridge answers; one
 * audio and one video section, both ways, for the life of the connection: mute, camera and flip only swap
 * tracks and never negotiate. Further parties arrive in sections that only receive, there from the start. When the path breaks: a word after 2.5 s, one ICE restart after 2 s of
 * 'disconnected', a new connection (a new generation of the same seat) when that has not helped in 8 s. Restarts never overlap:
 * each one resets the checks of the one before, and makes the gap longer. A new connection is built beside the one before, which
 * carries whatever it still can until the new one is connected.
 */

import { WireError, randomKey } from "./socket.js";
import { openCamera, openMicrophone } from "./devices.js";
import * as ladder from "./ladder.js";
import { judge, read } from "./quality.js";
import * as watchdog from "./watchdog.js";

/** @typedef {import("./wire.js").Quality} Quality */
/** @typedef {import("./devices.js").Facing} Facing */
/**
 * "connecting": no path yet; "up": a path, packets may flow; "silent": packets came and stopped;
 * "blocked": no path was ever found, by no way, in VERDICT_MS, and the search goes on; "full": the server has no room for this
 * leg, and is asked again; "reconnecting": the path is lost and being rebuilt; "refused": the server does not want this leg; "closed".
 * @typedef {"connecting" | "up" | "silent" | "blocked" | "full" | "reconnecting" | "refused" | "closed"} PeerWord
 */
/**
 * @typedef {object} PeerOptions
 * @property {{ send(type: string, fields?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> }} line
 * @property {() => string | null} session
 * @property {() => number} epoch
 * @property {() => { muted: boolean, camera: boolean }} sending  what is on and what is off, as the other side is told
 * @property {string | null} [page]  the name of this window of ours, where a person may have several
 * @property {boolean} [take]  it was opened, or pressed, for this call, and takes it from any other window
 * @property {() => void} [onElsewhere]  another window of ours has the call
 * @property {import("./relay.js").Relay} relay
 * @property {number} [maxBitrate]  of our picture, bit/s
 * @property {(stream: MediaStream) => void} onRemote  whenever a track of the other side comes; always the same stream
 * @property {(slot: number, track: MediaStreamTrack) => void} onMore  a track for a further party: slots 1 to 3
 * @property {(word: PeerWord) => void} onState
 * @property {(found: watchdog.Found) => void} onFound  whenever what the watchdog finds has changed
 * @property {() => Promise<boolean>} onLost  a relay answers no more: the network is another one, or there is none. Begins the line anew, and
 *   resolves when it is there
 * @property {(sure: boolean) => Promise<boolean>} onDoubt  another path was taken (`sure`), or nothing has come back for two seconds: the
 *   network may be another one. Gives whether the server answers by the line.
 * @property {(step: import("./wire.js").PictureStep) => void} onStep  how much picture is sent from now on
 * @property {(word: Quality, reading: import("./quality.js").Reading) => void} onQuality  every 5 s
 */

const SILENT_MS = 2500;
const HEARD_MS = 1800;
const RELAYED_MS = 1000; // by a relay there are no other signs, and the way to a new path is longer
const RELAYED_MOST_MS = 4000; // for who was wrong again and again
const LISTEN_MS = 250;
const STANDS_MS = 4000;
const DISCONNECTED_MS = 2000;
const VERDICT_MS = 8000;
const QUALITY_MS = 5000;
const OVERLAP_MS = 800; // the bridge forgets the former connection after a second
const FULL = ["too-many-calls", "too-many-legs"];
const MAX_BITRATE = 1_200_000;
export const MORE = 4; // further parties, as many as the bridge carries

export class Peer {
  /** @param {PeerOptions} options */
  constructor(options) {
    this.options = options;
    this.remote = new MediaStream();
    /** @type {RTCPeerConnection | null} */
    this.pc = null;
    /** @type {RTCPeerConnection | null} the connection before, until this one is connected */
    this.former = null;
    /** @type {(() => void)[]} what comes by this connection, to be shown once it is connected */
    this.arriving = [];
    this.generation = "";
    this.take = options.take === true; // until it is heard: what only reconnects later takes nothing
    /** @type {MediaStreamTrack | null} */
    this.microphone = null;
    /** @type {MediaStreamTrack | null} */
    this.camera = null;
    this.muted = false;
    this.cameraOn = true;
    /** @type {Facing} */
    this.facing = "user";
    this.expectMedia = false; // the other side is there and sends; the page says so
    this.expectPicture = false; // and a moving picture
    this.expectSlow = false; // of few pictures a second
    this.saver = false; // at most still pictures, by somebody's wish
    this.ladder = ladder.begin(performance.now());
    /** @type {number | null} bit/s that this line carries upwards, as far as the browser has found out, and says */
    this.upload = null;
    /** @type {import("./wire.js").PictureStep} */
    this.step = this.ladder.step;
    this.watchdog = watchdog.begin(performance.now());
    /** @type {watchdog.Found} */
    this.found = watchdog.FINE;
    /** @type {RTCRtpTransceiver | null} the other side's picture, and ours */
    this.picture = null;
    /** @type {Map<RTCRtpTransceiver, number>} the sections of further parties, and their slots */
    this.places = new Map();
    /** @type {Map<string, { value: number | null, since: number }>} by section, since when its picture stands where it is */
    this.clocks = new Map();
    /** @type {PeerWord} */
    this.word = "closed";
    this.describing = false;
    this.describeAgain = false;
    this.restarted = false;
    this.reached = false; // a path, at least once
    this.connectedAt = 0;
    /** @type {import("./quality.js").Reading | null} */
    this.reading = null;
    this.packets = 0;
    this.packetsAt = 0;
    this.heard = 0; // bytes, of everything that comes from the bridge
    this.heardAt = 0;
    /** @type {string | null} the pair that carries */
    this.path = null;
    /** @type {RTCPeerConnection | null} whose pair that is */
    this.pathOf = null;
    this.told = 0; // bytes, of everything that goes there
    this.toldAt = 0;
    this.reported = 0; // when the bridge's last report of what we send came
    this.unheard = false;
    this.relayed = false;
    this.patience = RELAYED_MS;
    /** @type {string | null} the pair that was not heard any more */
    this.missed = null;
    /** @type {RTCIceTransport | null} whose path is followed */
    this.followed = null;
    this.frames = 0; // decoded since start, over all generations
    this.framesBefore = 0; // of the generations that are gone
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.verdict = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    /** @type {ReturnType<typeof setInterval>[]} */
    this.watches = [];
  }

  /**
   * Build the leg. Without a stream it comes up all the same: tracks are put in later without negotiating.
   * @param {MediaStream | null} local
   * @param {{ voiceOnly: boolean }} how
   */
  async start(local, { voiceOnly }) {
    this.cameraOn = !voiceOnly;
    this.#take(local);
    this.watches = [
      setInterval(() => { void this.#look(); }, 1000),
      setInterval(() => { void this.#listen(); }, LISTEN_MS),
      setInterval(() => { void this.#measure(); }, QUALITY_MS),
    ];
    this.#say("connecting");
    await this.#build();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.muted = muted;
    if (this.microphone) this.microphone.enabled = !muted;
  }

  /**
   * Camera off sends nothing at all, rather than black.
   * @param {boolean} on
   */
  async setCamera(on) {
    this.cameraOn = on;
    if (this.camera) this.camera.enabled = on;
    await this.#putTracks();
  }

  /** The moving picture to send, if there is one. */
  get #moving() {
    return this.cameraOn && ladder.PICTURES[this.step] ? this.camera : null;
  }

  /**
   * The other camera. The old track is stopped first: many tablets cannot open two.
   * @returns {Promise<MediaStreamTrack>} for the self-view
   */
  async flip() {
    const before = this.facing;
    this.camera?.stop();
    try {
      this.facing = before === "user" ? "environment" : "user";
      await this.#putCamera(await openCamera(this.facing));
    } catch (error) {
      this.facing = before;
      await this.#putCamera(await openCamera(before));
      throw error;
    }
    if (!this.camera) throw new Error("no camera after a flip");
    return this.camera;
  }

  /**
   * Other devices, or the first ones when they come late.
   * @param {MediaStream | null} stream
   */
  async replaceStream(stream) {
    this.#take(stream);
    await this.#putTracks();
  }

  /** A new connection for the same seat, as when the bridge has lost this leg. */
  restart() {
    if (this.word === "closed") return;
    this.#say(this.word === "refused" ? "connecting" : this.word);
    void this.#build();
  }

  /** End the leg. Devices stay open: they belong to the page. */
  close() {
    for (const watch of this.watches) clearInterval(watch);
    this.watches = [];
    this.#unbuild();
    for (const track of this.remote.getTracks()) this.remote.removeTrack(track);
    this.#say("closed");
  }

  /** @param {MediaStream | null} stream */
  #take(stream) {
    this.microphone = stream?.getAudioTracks()[0] ?? null;
    this.camera = stream?.getVideoTracks()[0] ?? null;
    if (this.microphone) this.microphone.enabled = !this.muted;
    if (this.camera) this.camera.enabled = this.cameraOn;
  }

  /** @param {MediaStreamTrack} track */
  async #putCamera(track) {
    this.camera = track;
    track.enabled = this.cameraOn;
    await this.#putTracks();
  }

  async #putTracks() {
    for (const pc of [this.former, this.pc]) { // what carries until the new one does must not send what is off, or a track that is gone
      await put(senderOf(pc, "audio"), this.microphone);
      await put(senderOf(pc, "video"), this.#moving);
    }
    await this.#shape();
  }

  /** As large and as many pictures as the step allows, and as much sound. */
  async #shape() {
    const { pc, step, camera } = this;
    const picture = ladder.PICTURES[step];
    await shape(senderOf(pc, "audio"), (encoding) => {
      const most = ladder.SOUNDS[step];
      if (most === undefined) delete encoding.maxBitrate;
      else encoding.maxBitrate = most;
    });
    if (!picture || !camera) return;
    const { width = 1280, height = 720 } = camera.getSettings();
    await shape(senderOf(pc, "video"), (encoding) => {
      encoding.scaleResolutionDownBy = Math.max(1, Math.min(width, height) / picture.lines);
      encoding.maxFramerate = picture.frames;
      encoding.maxBitrate = Math.min(picture.bitrate, this.options.maxBitrate ?? MAX_BITRATE);
    });
  }

  #unbuild() {
    this.#setAside();
    this.#putAway();
  }

  /** Build no further. What has carried once, and may do so again, stays until the next one is connected. */
  #setAside() {
    clearTimeout(this.verdict);
    clearTimeout(this.retry);
    const old = this.pc;
    this.pc = null;
    this.arriving = [];
    if (!old) return;
    if (old.connectionState !== "connected" && old.connectionState !== "disconnected") {
      old.close();
      return;
    }
    this.#putAway();
    this.former = old;
  }

  #putAway() {
    this.former?.close();
    this.former = null;
  }

  async #build() {
    this.#setAside();
    const generation = this.generation = randomKey();
    this.restarted = false;
    this.describing = false;
    this.describeAgain = false;
    this.reading = null;
    this.packets = 0;
    this.framesBefore = this.frames;
    const iceServers = await this.options.relay.fresh();
    if (generation !== this.generation || this.word === "closed") return; // built anew, or ended, meanwhile
    const pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.pc = pc;
    const sound = pc.addTransceiver(this.microphone ?? "audio", {
      direction: "sendrecv", sendEncodings: [{ priority: "high", networkPriority: "high" }], // before the picture, always
    });
    const picture = pc.addTransceiver(this.#moving ?? "video", {
      direction: "sendrecv",
      sendEncodings: [{ maxBitrate: this.options.maxBitrate ?? MAX_BITRATE, maxFramerate: 30 }],
    });
    this.picture = picture;
    prefer(sound, "audio", ["audio/opus"]);
    prefer(picture, "video", ["video/vp8", "video/rtx"]);
    /** @type {Map<RTCRtpTransceiver, number>} */
    const slots = this.places = new Map();
    this.clocks.clear();
    for (const [kind, types] of /** @type {const} */ ([["audio", ["audio/opus"]], ["video", ["video/vp8", "video/rtx"]]])) {
      for (let slot = 1; slot <= MORE; slot += 1) {
        const more = pc.addTransceiver(kind, { direction: "recvonly" });
        prefer(more, kind, types);
        slots.set(more, slot);
      }
    }
    pc.addEventListener("track", (event) => {
      if (pc !== this.pc) return;
      const slot = slots.get(event.transceiver);
      const show = () => {
        if (slot === undefined) this.#arrived(event.track);
        else this.options.onMore(slot, event.track);
      };
      if (this.former) this.arriving.push(show);
      else show();
    });
    pc.addEventListener("connectionstatechange", () => { if (pc === this.pc) this.#changed(pc); });
    await this.#describe();
  }

  /**
   * Keep one track of each kind in one stream that never changes, so that the page's elements keep playing.
   * @param {MediaStreamTrack} track
   */
  #arrived(track) {
    for (const old of this.remote.getTracks()) if (old.kind === track.kind) this.remote.removeTrack(old);
    this.remote.addTrack(track);
    this.options.onRemote(this.remote);
  }

  /** Send our description, take the answer. One at a time; the line keeps it through a lost socket. */
  async #describe() {
    const pc = this.pc;
    const session = this.options.session();
    if (!pc || session === null) return;
    if (this.describing) {
      this.describeAgain = true;
      return;
    }
    this.describing = true;
    try {
      await pc.setLocalDescription();
      const { description } = await this.options.line.send("media.describe", {
        session, epoch: this.options.epoch(), generation: this.generation, description: pc.localDescription?.sdp ?? "",
        ...this.options.sending(), ...(this.options.page ? { page: this.options.page, take: this.take } : {}),
      });
      this.take = false;
      if (pc !== this.pc) return; // a newer connection took over meanwhile
      await pc.setRemoteDescription({ type: "answer", sdp: String(description) });
      this.#followPath(pc);
      await this.#shape();
      this.#expectVerdict();
    } catch (error) {
      if (pc === this.pc) this.#refused(error);
    } finally {
      if (pc === this.pc) this.describing = false;
    }
    if (pc === this.pc && this.describeAgain) {
      this.describeAgain = false;
      await this.#describe();
    }
  }

  /** @param {unknown} error */
  #refused(error) {
    const code = error instanceof WireError ? error.code : "";
    if (code === "carried-elsewhere" && this.options.onElsewhere) {
      this.options.onElsewhere();
      return;
    }
    if (["closed", "no-such-session", "stale-epoch", "wrong-role", "illegal-transition"].includes(code)) {
      this.#say("refused"); // the next snapshot tells the page what to do
      return;
    }
    if (FULL.includes(code) && !this.former) this.#say("full");
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.restart(), 2000);
  }

  /** The path must be up within 8 s from now, or everything is built anew. */
  #expectVerdict() {
    clearTimeout(this.verdict);
    this.verdict = setTimeout(() => {
      if (!this.pc || this.pc.connectionState === "connected") return;
      if (!this.reached) this.#say("blocked");
      void this.#build();
    }, VERDICT_MS);
  }

  /** Sound and picture find a new way by themselves; a WebSocket does not, and does not notice. @param {RTCPeerConnection} pc */
  #followPath(pc) {
    const ice = pc.getTransceivers()[0]?.sender.transport?.iceTransport;
    if (!ice || ice === this.followed) return;
    this.followed = ice;
    ice.addEventListener("selectedcandidatepairchange", () => { if (pc === this.pathOf) void this.options.onDoubt(true); });
  }

  /** @param {RTCPeerConnection} pc */
  #changed(pc) {
    switch (pc.connectionState) {
      case "connected":
        clearTimeout(this.verdict);
        this.restarted = false;
        this.reached = true;
        this.#takeOver();
        this.watchdog = watchdog.begin(performance.now());
        this.connectedAt = performance.now();
        this.packetsAt = performance.now();
        this.#say("up");
        void this.#look(); // after a long cut the picture is off: not for another second
        return;
      case "disconnected":
        this.#say("reconnecting");
        if (this.relayed && !this.unheard) void this.#unhear(); // the connection to it has been closed: no need to wait for a second
        clearTimeout(this.verdict);
        this.verdict = setTimeout(() => {
          if (pc === this.pc && pc.connectionState === "disconnected") void this.#restartIce(pc);
        }, DISCONNECTED_MS);
        return;
      case "failed":
        this.#say(this.reached ? "reconnecting" : "blocked");
        if (this.restarted) void this.#build();
        else void this.#restartIce(pc);
        return;
      default:
    }
  }

  /** This connection carries from now on: what comes by it is shown. The one before goes on sending until this one does. */
  #takeOver() {
    for (const show of this.arriving.splice(0)) show();
    const { former } = this;
    if (former) setTimeout(() => { if (former === this.former) this.#putAway(); }, OVERLAP_MS);
  }

  /** @param {RTCPeerConnection} pc */
  async #restartIce(pc) {
    if (this.restarted) return;
    this.restarted = true;
    const iceServers = await this.options.relay.fresh();
    if (pc !== this.pc) return;
    pc.setConfiguration({ ...pc.getConfiguration(), iceServers });
    pc.restartIce();
    this.#expectVerdict();
    void this.#describe();
  }

  /** What sound and picture go by now: until a connection that is built beside another is connected, that is the line we have. */
  get #carrying() {
    return this.former && this.pc?.connectionState !== "connected" ? this.former : this.pc;
  }

  /** Each second, by one report: does all still come, and how much can be sent? */
  async #look() {
    const pc = this.#carrying;
    const report = await pc?.getStats();
    if (pc !== this.#carrying || this.word === "closed") return;
    if (report && pc === this.pc && pc?.connectionState === "connected") this.#watch(report);
    const look = ladder.read(report?.values() ?? [], this.reported);
    this.#followPair(pc ?? null, look.path);
    await this.#climb(look);
  }

  /** Do packets still come? ICE takes 7 s to notice, people take 2. @param {RTCStatsReport} report */
  #watch(report) {
    const { packets, framesDecoded } = read(report.values(), 0);
    this.#guard(watchdog.read(report.values(), this.picture?.mid ?? null));
    this.frames = this.framesBefore + framesDecoded;
    const now = performance.now();
    this.clocks = watchdog.clocks(this.clocks, watchdog.decodedBy(report.values()), now);
    if (packets !== this.packets) {
      this.packets = packets;
      this.packetsAt = now;
      this.#say("up");
    } else if (!this.expectMedia && this.word === "silent") {
      this.#say("up"); // what was missed is off, or on hold
    } else if (packets > 0 && this.expectMedia && now - this.packetsAt > SILENT_MS) {
      this.#say("silent");
    }
  }

  /** Whether a further party's picture stands still, as far as the browser says. @param {number} slot */
  stands(slot) {
    const mid = [...this.places].find(([one, at]) => at === slot && one.receiver.track.kind === "video")?.[0].mid;
    const clock = mid ? this.clocks.get(mid) : undefined;
    return clock !== undefined && performance.now() - clock.since >= STANDS_MS;
  }

  /**
   * A router on the way that forgot us, or the system that gave us another address: where the browser searched for no way it tells nobody,
   * but the pair has another name then. A new connection has other pairs, and that means nothing.
   * @param {RTCPeerConnection | null} pc @param {string | null} path
   */
  #followPair(pc, path) {
    if (path === null) return;
    if (pc === this.pathOf && path !== this.path) void this.options.onDoubt(true);
    this.path = path;
    this.pathOf = pc;
  }

  /** Does a relay still answer? */
  async #listen() {
    if (!this.relayed || !this.reached) return;
    const pc = this.#carrying;
    const report = await pc?.getStats();
    if (report && pc === this.#carrying && this.word !== "closed") this.#hear(ladder.read(report.values(), this.reported), performance.now());
  }

  /** How much picture does the line carry? @param {ReturnType<typeof ladder.read>} look */
  async #climb(look) {
    const now = performance.now();
    this.#hear(look, now);
    this.reported = look.reported;
    const up = (this.word === "up" || this.word === "silent") && now - this.heardAt < HEARD_MS;
    if (up) this.upload = look.uplink;
    const sent = look.told > this.told && this.told > 0 ? (8000 * (look.told - this.told)) / Math.max(1, now - this.toldAt) : null;
    this.told = look.told;
    this.toldAt = now;
    this.ladder = this.reached ? ladder.climb(this.ladder, { ...look, up, sent }, now) : ladder.anew(this.ladder, now);
    await this.#settle();
  }

  /**
   * The bridge reports several times a second: where nothing comes back, the line is not thin but cut.
   * Less than before: a pair that is dead is not counted any more.
   * @param {ReturnType<typeof ladder.read>} look @param {number} now
   */
  #hear(look, now) {
    if (look.path !== null) this.relayed = look.relayed; // one that is lost may have no name any more
    if (look.heard > this.heard) this.#isHeard(look.path, now);
    else if (this.reached && !this.unheard && now - this.heardAt >= (this.relayed ? this.patience : HEARD_MS)) void this.#unhear();
    this.heard = look.heard;
  }

  /** @param {string | null} path @param {number} now */
  #isHeard(path, now) {
    if (this.unheard && this.relayed) this.patience = path === this.missed ? Math.min(2 * this.patience, RELAYED_MOST_MS) : RELAYED_MS;
    this.heardAt = now;
    this.unheard = false;
    if (this.pc?.connectionState === "connected") this.restarted = false;
  }

  /** The line answers, so that it is this path alone which is lost: browsers wait for seven seconds more before they look for another. */
  async #unhear() {
    const { pc } = this;
    this.unheard = true;
    this.missed = this.path;
    const answered = await (this.relayed ? this.options.onLost() : this.options.onDoubt(false));
    // one that is still being built has not lost anything: a restart would only begin its search anew
    const lost = pc === this.pc && (pc?.connectionState === "connected" || pc?.connectionState === "disconnected");
    if (answered && this.unheard && lost && pc) void this.#restartIce(pc);
  }

  /** Send what the ladder says now, or less if somebody wishes so. */
  async #settle() {
    const step = ladder.lesser(ladder.stepOf(this.ladder, performance.now()), this.saver ? "stills" : "720p");
    if (step === this.step) return;
    this.step = step;
    this.options.onStep(step);
    await this.#putTracks();
  }

  /** At most still pictures, or whatever the line carries. @param {boolean} saver */
  setSaver(saver) {
    this.saver = saver;
    void this.#settle();
  }

  /** A hidden page is not judged: browsers rest cameras and decoders there. @param {watchdog.Look} look */
  #guard(look) {
    const visible = document.visibilityState === "visible";
    const { watch, found } = watchdog.see(this.watchdog, look, performance.now(), {
      picture: visible && this.expectMedia && this.expectPicture,
      camera: visible && this.cameraOn && this.camera?.readyState === "live",
      microphone: visible && !this.muted && this.microphone?.readyState === "live",
    });
    this.watchdog = watch;
    const before = this.found;
    this.found = found;
    if (JSON.stringify(before) !== JSON.stringify(found)) this.options.onFound(found);
  }

  /** Whether a device has ended by itself: pulled out, or stopped by an iPad at a lock. @param {"camera" | "microphone"} what */
  died(what) {
    return this[what]?.readyState === "ended";
  }

  /**
   * A camera or microphone that gives nothing, or has died: closed, and opened anew. Rejects where that cannot be; then there is none.
   * @param {"camera" | "microphone"} what
   */
  async reopen(what) {
    this[what]?.stop();
    try {
      this[what] = await (what === "camera" ? openCamera(this.facing) : openMicrophone());
    } catch (error) {
      this[what] = null;
      throw error;
    } finally {
      if (this.camera) this.camera.enabled = this.cameraOn;
      if (this.microphone) this.microphone.enabled = !this.muted;
      await this.#putTracks();
    }
  }

  async #measure() {
    const pc = this.pc;
    if (!pc) return;
    this.options.relay.keep();
    const now = performance.now();
    const reading = read((await pc.getStats()).values(), now);
    if (pc !== this.pc) return;
    const before = this.reading;
    this.reading = reading;
    if (["reconnecting", "connecting", "blocked", "full"].includes(this.word)) this.options.onQuality("none", reading);
    else if (before) {
      const warm = now - this.connectedAt > 15_000 && ["720p", "360p"].includes(this.step);
      const context = { expectMedia: this.expectMedia, warm, slow: this.expectSlow };
      this.options.onQuality(judge(before, reading, context), reading);
    }
  }

  /** @param {PeerWord} word */
  #say(word) {
    if (this.word === word) return;
    this.word = word;
    this.options.onState(word);
  }
}

/**
 * Of our own sound or picture: the first section of each kind.
 * @param {RTCPeerConnection | null} pc @param {"audio" | "video"} kind
 */
function senderOf(pc, kind) {
  return pc?.getTransceivers().find((one) => one.receiver.track.kind === kind)?.sender;
}

/** @param {RTCRtpSender | undefined} sender @param {MediaStreamTrack | null} track */
async function put(sender, track) {
  try {
    await sender?.replaceTrack(track);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // closed meanwhile: the one after it was made with this track
  }
}

/** @param {RTCRtpSender | undefined} sender @param {(encoding: RTCRtpEncodingParameters) => void} change */
async function shape(sender, change) {
  const parameters = sender?.getParameters();
  const encoding = parameters?.encodings?.[0];
  if (!sender || !parameters || !encoding) return;
  change(encoding);
  try {
    await sender.setParameters(parameters);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // negotiating at this moment: done with the next step, or the next answer
  }
}

/**
 * Offer only what the bridge carries. Where the browser cannot say it, the answer chooses.
 * @param {RTCRtpTransceiver} transceiver
 * @param {"audio" | "video"} kind
 * @param {readonly string[]} wanted  lower-case MIME types
 */
function prefer(transceiver, kind, wanted) {
  if (typeof transceiver.setCodecPreferences !== "function") return;
  const codecs = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const chosen = wanted.flatMap((type) => codecs.filter((codec) => codec.mimeType.toLowerCase() === type));
  if (chosen.length > 0) transceiver.setCodecPreferences(chosen);
}
