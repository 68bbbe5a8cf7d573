/** Dark, light, or as the device says. The server renders the choice from the cookie, so nothing flashes. */

/** @typedef {"dark" | "light" | "auto"} Theme */

/** @returns {"dark" | "light"} what is shown now */
export function shown() {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "dark" || chosen === "light") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @param {Theme} theme */
export function choose(theme) {
  document.documentElement.dataset["theme"] = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `cb_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

/** Change between dark and light. */
export function toggle() {
  choose(shown() === "dark" ? "light" : "dark");
}
