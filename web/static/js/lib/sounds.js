/**
 * The product's sounds, made here, never loaded: ring (two soft tones near 600 and 800 Hz, rising in volume over 6 s),
 * ringback (what the officer hears while somebody is alerted), join (one rise), drop (two falls). Each has a visual twin on
 * the page. Loops are one looped buffer, so a hidden page's slow timers cannot stretch them.
 */

/** @type {AudioContext | null} */
let context = null;

/** @type {() => void} */
let changed = () => {};

/**
 * Be told when sounds become possible or stop being so: Safari suspends or interrupts a page's sound (a phone call, a sleep)
 * without a press or any other event.
 * @param {() => void} listener  the only one; reads `ready`
 */
export function watch(listener) {
  changed = listener;
}

function open() {
  const made = new AudioContext();
  made.addEventListener("statechange", () => { if (made === context) changed(); });
  return made;
}

/**
 * Make sound possible; call it within a press.
 * @returns {Promise<boolean>} whether sounds can be heard now
 */
export async function unlock() {
  if (context === null || context.state === "closed") context = open();
  if (context.state !== "running") {
    // resume() of a page without a press stays pending for ever: do not wait for it longer than this. It is refused while
    // the system itself holds the sound: `ready` says so, and the next press tries again.
    await Promise.race([context.resume().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 300))]);
  }
  return ready();
}

/** Whether sounds can be heard, without a press. */
export function ready() {
  return context?.state === "running";
}

/** The page's context while sounds can be heard, for whoever wants to listen to something. @returns {AudioContext | null} */
export function unlocked() {
  return ready() ? context : null;
}

/** @typedef {{ at: number, length: number, from: number, to: number, level: number }} Tone  seconds, Hz, 0 … 1 */

/**
 * One period of a pattern as samples.
 * @param {AudioContext} audio
 * @param {number} seconds
 * @param {readonly Tone[]} tones
 */
function paint(audio, seconds, tones) {
  const rate = audio.sampleRate;
  const buffer = audio.createBuffer(1, Math.ceil(seconds * rate), rate);
  const samples = buffer.getChannelData(0);
  for (const tone of tones) {
    let phase = 0;
    const count = Math.floor(tone.length * rate);
    const start = Math.floor(tone.at * rate);
    for (let i = 0; i < count && start + i < samples.length; i++) {
      const part = i / count;
      phase += (2 * Math.PI * (tone.from + (tone.to - tone.from) * part)) / rate;
      const edge = Math.min(1, part * 12, (1 - part) * 3); // soft attack, softer end
      samples[start + i] = (samples[start + i] ?? 0) + Math.sin(phase) * tone.level * edge;
    }
  }
  return buffer;
}

/**
 * @param {number} seconds
 * @param {readonly Tone[]} tones
 * @param {{ loop: boolean, rise: number }} how  rise: seconds from almost silent to full
 * @returns {() => void} stop
 */
function play(seconds, tones, { loop, rise }) {
  const audio = context;
  if (!audio || audio.state === "closed") return () => {};
  const source = new AudioBufferSourceNode(audio, { buffer: paint(audio, seconds, tones), loop });
  const gain = new GainNode(audio, { gain: rise > 0 ? 0.15 : 1 });
  if (rise > 0) gain.gain.linearRampToValueAtTime(1, audio.currentTime + rise);
  source.connect(gain).connect(audio.destination);
  source.start();
  let stopped = false;
  return () => {
    if (stopped) return;
    stopped = true;
    gain.gain.cancelScheduledValues(audio.currentTime);
    gain.gain.setTargetAtTime(0, audio.currentTime, 0.03); // no click
    source.stop(audio.currentTime + 0.2);
  };
}

/** A session is offered. @returns {() => void} stop */
export function ring() {
  return play(2.4, [
    { at: 0, length: 0.45, from: 600, to: 600, level: 0.32 },
    { at: 0.5, length: 0.6, from: 800, to: 800, level: 0.32 },
  ], { loop: true, rise: 6 });
}

/** Somebody is being alerted. @returns {() => void} stop */
export function ringback() {
  return play(4, [
    { at: 0, length: 1.2, from: 425, to: 425, level: 0.07 },
    { at: 0, length: 1.2, from: 480, to: 480, level: 0.05 },
  ], { loop: true, rise: 0 });
}

/** Somebody is here. */
export function join() {
  play(0.5, [{ at: 0, length: 0.42, from: 440, to: 880, level: 0.2 }], { loop: false, rise: 0 });
}

/** The connection is gone. */
export function drop() {
  play(1, [
    { at: 0, length: 0.35, from: 620, to: 430, level: 0.2 },
    { at: 0.45, length: 0.45, from: 480, to: 300, level: 0.2 },
  ], { loop: false, rise: 0 });
}

/** On hold, still: soft, and not again for a minute. */
export function waiting() {
  play(1.6, [
    { at: 0, length: 0.7, from: 392, to: 392, level: 0.1 },
    { at: 0.6, length: 0.9, from: 523, to: 523, level: 0.1 },
  ], { loop: false, rise: 0 });
}

/** A message or a card came. */
export function note() {
  play(0.3, [{ at: 0, length: 0.25, from: 700, to: 700, level: 0.12 }], { loop: false, rise: 0 });
}
