/** The worker's half of ticker.js: posts a message every so many milliseconds, once told how many. */
self.addEventListener("message", (event) => {
  setInterval(() => self.postMessage(0), Number(event.data));
}, { once: true });
