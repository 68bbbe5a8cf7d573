/**
 * What a tablet shows that is loaded anew while the service cannot be reached: kept by the service worker, so it stands alone and
 * imports nothing. It goes back by itself as soon as anything answers.
 */

const AGAIN_MS = 4000;

async function again() {
  try {
    const answer = await fetch("/service-worker.js", { cache: "no-store" });
    if (answer.ok) location.replace("/tablet");
  } catch {
    // still no network: the next time
  }
}

setInterval(() => { void again(); }, AGAIN_MS);
addEventListener("online", () => { void again(); });
