// Keeps marked parts of the page fresh, and ticks all boxes at once. Everything works without it.
"use strict";
(() => {
  const EVERY = 5000;

  for (const all of document.querySelectorAll("[data-select-all]")) {
    all.closest("label").hidden = false;
    all.addEventListener("change", () => {
      for (const box of all.form.querySelectorAll("input[name=id]")) box.checked = all.checked;
    });
  }

  if (!document.querySelector("[data-live]")) return;
  for (const mark of document.querySelectorAll(".live-mark")) mark.hidden = false;

  // What somebody reads, types or has opened is not taken away from under them.
  const isBusy = (part) => part.contains(document.activeElement) || part.querySelector("details[open]") || String(getSelection()) !== "";

  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error", cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-live]");
      const parts = document.querySelectorAll("[data-live]");
      if (fresh.length !== parts.length) return;
      parts.forEach((part, place) => {
        if (!isBusy(part) && part.innerHTML !== fresh[place].innerHTML) part.replaceChildren(...fresh[place].childNodes);
      });
    } catch {
      // The server is away; the page stays as it is, and the next look may find it back.
    }
  };
  setInterval(refresh, EVERY);
})();
