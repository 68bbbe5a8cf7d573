/** Takes an invitation's secret out of the address at once, and goes on with it; without a script it is pasted into the form. */

const form = document.querySelector("#welcome");
const field = document.querySelector("#token");
if (form instanceof HTMLFormElement && field instanceof HTMLInputElement) {
  const go = () => {
    if (location.hash.length < 2) return;
    field.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname); // not in the history, not over a shoulder
    form.submit();
  };
  addEventListener("hashchange", go);
  go();
}
