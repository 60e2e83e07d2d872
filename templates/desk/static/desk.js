"use strict";
// Keeps the first page of a list fresh: fetches the same page and takes over its live parts.
(() => {
  const live = document.querySelector("[data-live]");
  if (!live) return;
  const parts = ["live", "rows"];
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of parts) {
        const mine = document.getElementById(id);
        const theirs = fresh.getElementById(id);
        if (!mine || !theirs || mine.innerHTML === theirs.innerHTML) continue;
        if (mine.contains(document.activeElement) && document.activeElement !== document.body) continue;
        mine.replaceChildren(...theirs.cloneNode(true).childNodes);
      }
    } catch {
      // The service restarts; the next round finds it again.
    }
  };
  setInterval(refresh, 2000);
})();
