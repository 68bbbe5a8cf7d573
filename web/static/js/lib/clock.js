/** Times as people read them. Pure. */

/**
 * "0:07", "12:34", "1:02:03"; never negative.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/**
 * The time of day of a moment in UTC seconds, on this device's clock.
 * @param {number} at
 * @param {string} locale
 */
export function timeOfDay(at, locale) {
  return new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(at * 1000);
}

/**
 * A moment in UTC seconds in a place's time: the time of day, with the weekday when it is not today, and the date when it is
 * not within the next days.
 * @param {number} at
 * @param {number} now
 * @param {string} locale
 * @param {string} timeZone
 */
export function momentOf(at, now, locale, timeZone) {
  /** @param {number} when @param {Intl.DateTimeFormatOptions} shown */
  const say = (when, shown) => new Intl.DateTimeFormat(locale, { ...shown, timeZone }).format(when * 1000);
  const time = /** @type {const} */ ({ hour: "numeric", minute: "2-digit" });
  /** @param {number} when */
  const day = (when) => say(when, { year: "numeric", month: "numeric", day: "numeric" });
  if (day(at) === day(now)) return say(at, time);
  if (at - now < 6 * 86400) return say(at, { ...time, weekday: "long" });
  return say(at, { ...time, weekday: "long", month: "long", day: "numeric" });
}

/**
 * Call now and each second, aligned loosely; returns a stop.
 * @param {() => void} tick
 * @returns {() => void}
 */
export function eachSecond(tick) {
  tick();
  const timer = setInterval(tick, 1000);
  return () => clearInterval(timer);
}
