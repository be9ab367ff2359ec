// One stop of the Tab key for all links of a table or list; arrows, Home and End move between them (a "roving tabindex").
const MOVES = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
const stops = (box) => [...box.querySelectorAll("a, summary")];

// After every change of what is in the box.
export function stop(box) {
  const all = stops(box), seen = all.filter((one) => one.checkVisibility());
  const here = seen.find((one) => one === document.activeElement) ?? seen.find((one) => one.tabIndex === 0 && one.tagName === "A") ?? seen.find((one) => one.ariaCurrent) ?? seen[0];
  for (const one of all) one.tabIndex = one === here ? 0 : -1;
}

// Other children in the box; who was on its third link stays on the third.
export function replace(box, ...children) {
  const at = stops(box).indexOf(document.activeElement);
  box.replaceChildren(...children);
  if (at >= 0) stops(box)[Math.min(at, stops(box).length - 1)]?.focus();
  stop(box);
}

export function rove(box) {
  box.addEventListener("keydown", (event) => {
    const seen = stops(box).filter((one) => one.checkVisibility()), at = seen.indexOf(event.target), move = MOVES[event.key];
    if (at < 0 || move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    seen[Math.min(Math.max(at + move, 0), seen.length - 1)].focus();
  });
  box.addEventListener("focusin", () => stop(box));
  box.addEventListener("toggle", () => stop(box), true); // details in it; the event does not bubble
}
