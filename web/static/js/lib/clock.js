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
 * Call now and each second, aligned loosely; returns a stop.
 * @param {() => void} tick
 * @returns {() => void}
 */
export function eachSecond(tick) {
  tick();
  const timer = setInterval(tick, 1000);
  return () => clearInterval(timer);
}
