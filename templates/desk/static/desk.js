"use strict";
// Keeps a page fresh: fetches it again and takes over its live parts, without moving what the reader holds.
(() => {
  const EVERY_MS = 2000;
  const parts = [...document.querySelectorAll("[data-live]")].map((part) => ({ id: part.id, was: part.innerHTML }));
  const offline = document.getElementById("offline");

  const selecting = (part) => {
    const selection = getSelection();
    return !selection.isCollapsed && part.contains(selection.anchorNode);
  };

  // What a reader has opened stays open, and what has the keyboard's focus keeps it.
  const replace = (part, fresh) => {
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    const held = part.contains(document.activeElement) ? document.activeElement : null;
    const href = held?.getAttribute("href");
    const inside = held?.closest("details")?.id;
    part.replaceChildren(...fresh.childNodes);
    for (const one of part.querySelectorAll("details")) one.open = open.includes(one.id);
    if (href) [...part.querySelectorAll("a")].find((one) => one.getAttribute("href") === href)?.focus();
    else if (inside) document.getElementById(inside)?.querySelector("summary")?.focus();
  };

  const refresh = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) {
      const mine = document.getElementById(part.id);
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.innerHTML === part.was || selecting(mine)) continue;
      part.was = fresh.innerHTML;
      replace(mine, fresh);
    }
  };

  const again = async () => {
    try {
      await refresh();
      offline.hidden = true;
    } catch {
      offline.hidden = false; // the service restarts, or is gone: the next round tells
    }
    setTimeout(again, EVERY_MS);
  };
  if (parts.length) setTimeout(again, EVERY_MS);

  // A mail is shown whole, whatever its height. Nothing in it can run: its sandbox allows no script.
  for (const frame of document.querySelectorAll("iframe.mail")) {
    const fit = () => {
      const page = frame.contentDocument?.documentElement;
      if (page) frame.style.height = `${page.offsetHeight + 2}px`;
    };
    frame.addEventListener("load", fit);
    addEventListener("resize", fit);
    fit();
  }
})();
