() => {
  const lines = cell => {
    const found = [];
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      if (!node.data.trim()) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const cut = node.parentElement.closest(".clamp, .cut")?.getBoundingClientRect();
      for (const box of range.getClientRects()) {
        const right = cut ? Math.min(box.right, cut.right) : box.right;
        const bottom = cut ? Math.min(box.bottom, cut.bottom) : box.bottom;
        if (right > box.left && bottom > box.top) found.push({ left: box.left, top: box.top, right, bottom });
      }
    }
    return found;
  };
  const meet = (a, b) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4;
  return [...document.querySelectorAll(".list tbody tr")].flatMap(row => {
    const cells = [...row.cells].map(cell => [cell.innerText.slice(0, 40), lines(cell)]);
    return cells.flatMap(([said, ours], i) =>
      cells.slice(i + 1)
        .filter(([, theirs]) => ours.some(a => theirs.some(b => meet(a, b))))
        .map(([other]) => said + " | " + other));
  });
}
