/**
 * Camera and microphone, with failures as values: a session never depends on them. Whoever asks gets what
 * there is, and what is wrong with the rest in words that have a text on the page.
 */

/** @typedef {"denied" | "missing" | "busy" | "unsupported" | "failed" | "silent"} Why  silent: open, and gives nothing */
/** @typedef {"user" | "environment"} Facing */
/** @typedef {{ stream: MediaStream | null, microphone: Why | null, camera: Why | null }} Opened
 *   null: works, or was not asked for */

/**
 * @param {Facing} facing
 * @returns {MediaTrackConstraints}
 */
function cameraConstraints(facing) {
  return { facingMode: { ideal: facing }, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
}

/** @type {MediaTrackConstraints} */
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * The reason behind an error of getUserMedia.
 * @param {unknown} error
 * @returns {Why}
 */
export function why(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    case "TypeError": // no mediaDevices: the page is not served securely
      return "unsupported";
    default:
      return "failed";
  }
}

/**
 * @param {MediaStreamConstraints} constraints
 * @returns {Promise<MediaStream>}
 */
async function get(constraints) {
  if (!navigator.mediaDevices) throw new TypeError("no media devices on an insecure page");
  return navigator.mediaDevices.getUserMedia(constraints);
}

/**
 * Open microphone and, unless `camera` is false, camera; as much of it as works. Never rejects.
 * @param {{ camera: boolean, facing?: Facing }} wanted
 * @returns {Promise<Opened>}
 */
export async function open({ camera, facing = "user" }) {
  const video = camera ? cameraConstraints(facing) : false;
  try {
    return { stream: await get({ audio: MICROPHONE, video }), microphone: null, camera: null };
  } catch (error) {
    if (!camera) return { stream: null, microphone: why(error), camera: null };
  }
  // One of the two is missing or refused: ask for each alone, to know which and to have the other.
  const [sound, picture] = [await single({ audio: MICROPHONE }), await single({ video })];
  const tracks = [...sound.tracks, ...picture.tracks];
  return { stream: tracks.length > 0 ? new MediaStream(tracks) : null, microphone: sound.why, camera: picture.why };
}

/**
 * @param {MediaStreamConstraints} constraints
 * @returns {Promise<{ tracks: MediaStreamTrack[], why: Why | null }>}
 */
async function single(constraints) {
  try {
    return { tracks: (await get(constraints)).getTracks(), why: null };
  } catch (error) {
    return { tracks: [], why: why(error) };
  }
}

/**
 * A camera track alone, as for a flip or after the camera died.
 * @param {Facing} facing
 * @returns {Promise<MediaStreamTrack>}
 */
export async function openCamera(facing) {
  const [track] = (await get({ video: cameraConstraints(facing) })).getVideoTracks();
  if (!track) throw new DOMException("no camera track", "NotFoundError");
  return track;
}

/** @returns {Promise<MediaStreamTrack>} a microphone track alone */
export async function openMicrophone() {
  const [track] = (await get({ audio: MICROPHONE })).getAudioTracks();
  if (!track) throw new DOMException("no microphone track", "NotFoundError");
  return track;
}

/**
 * Let go of devices: their lights go out.
 * @param {MediaStream | null} stream
 */
export function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** How many cameras there are; a single one cannot be flipped. */
export async function cameras() {
  const all = await navigator.mediaDevices?.enumerateDevices() ?? [];
  return all.filter((device) => device.kind === "videoinput").length;
}

/**
 * Whether camera and microphone seem usable, without opening them: there, and not refused. For the readiness line.
 * @returns {Promise<{ camera: boolean, microphone: boolean }>}
 */
export async function readiness() {
  if (!navigator.mediaDevices) return { camera: false, microphone: false };
  const kinds = new Set((await navigator.mediaDevices.enumerateDevices()).map((device) => device.kind));
  return {
    camera: kinds.has("videoinput") && !(await refused("camera")),
    microphone: kinds.has("audioinput") && !(await refused("microphone")),
  };
}

/**
 * @param {"camera" | "microphone"} name
 * @returns {Promise<boolean>} false also where the browser cannot say
 */
async function refused(name) {
  try {
    // The DOM's own types do not list these two names everywhere.
    const status = await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) });
    return status.state === "denied";
  } catch {
    return false;
  }
}
