// The map: one shape a region, the overseas ones beside it. It repeats what the table says, and is hidden from screen readers.
import { byId, hoped, make, number } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const shapes = new Map();
// Visits expressed against the expected: from far below to far above. Without expected: shares of the busiest region.
const RATIO_STEPS = [[0.5, "moins de la moitié", "low2"], [0.75, "moins", "low1"], [1.33, "comme attendu", "mid"], [2, "plus", "high1"], [Infinity, "plus du double", "high2"]];
// What the outlines of mainland France and Corsica fill of their own square of 1010.
const MAINLAND = "0 0 1010 1010";
// Fewer visits than this expected in five minutes: a ratio of them is noise.
export const COMPARED_MIN = 10;
const SHARE_STEPS = [0.05, 0.2, 0.4, 0.7, 1];

function shape(entry, choose) {
  const svg = document.createElementNS(NS, "svg");
  const path = document.createElementNS(NS, "path");
  const title = document.createElementNS(NS, "title");
  path.setAttribute("d", entry.path);
  path.dataset.region = entry.region;
  path.append(title);
  path.addEventListener("click", () => choose(entry.region));
  shapes.set(entry.region, { path, title });
  svg.setAttribute("viewBox", `0 0 ${entry.size}`);
  svg.append(path);
  return svg;
}

export async function startMap(names, choose) {
  const box = byId("map");
  if (box.firstChild) return;
  const answer = await fetch("static/vendor/carte/regions.json");
  const entries = await answer.json();
  if (box.firstChild) return;
  const mainland = document.createElementNS(NS, "svg");
  mainland.setAttribute("viewBox", MAINLAND);
  const others = make("div", { class: "overseas" });
  for (const entry of entries) {
    const svg = shape(entry, choose);
    if (entry.size === "1010 1010") mainland.append(shapes.get(entry.region).path);
    else others.append(make("div", {}, svg, names.get(entry.region) ?? entry.region));
  }
  box.append(mainland, others);
}

function fillOf(row, busiest, hasExpected) {
  if (hasExpected) {
    if (row.ratio === null || row.expected < COMPARED_MIN) return "var(--line)";
    const kind = RATIO_STEPS.find(([limit]) => row.ratio < limit)[2];
    return { low2: "var(--low2)", low1: "var(--low1)", mid: "var(--mid)", high1: "var(--high1)", high2: "var(--high2)" }[kind];
  }
  if (!row.visits) return "var(--line)";
  const step = SHARE_STEPS.findIndex((limit) => row.visits / busiest <= limit);
  return `rgb(var(--heat) / ${[18, 36, 54, 74, 95][step]}%)`;
}

export function paint(rows, scope, names) {
  const chosen = scope.kind === "france" ? null : scope.region;
  const unit = scope.service ? "utilisations" : "visites";
  const isLearning = rows.some((row) => row.learning);
  const hasExpected = !isLearning && rows.some((row) => row.ratio !== null);
  const busiest = Math.max(1, ...rows.map((row) => row.visits));
  for (const row of rows) {
    const known = shapes.get(row.code);
    if (!known) continue;
    known.path.style.fill = fillOf(row, busiest, hasExpected);
    known.path.classList.toggle("chosen", row.code === chosen);
    const against = row.expected ? `, attendu ${hoped(row.expected)}` : "";
    known.title.textContent = `${names.get(row.code)} : ${number(row.visits)} ${unit} en 5 min${against}`;
  }
  byId("map-note").textContent = hasExpected ? `${unit[0].toUpperCase()}${unit.slice(1)} sur l'attendu, 5 dernières minutes` : `${unit[0].toUpperCase()}${unit.slice(1)}, 5 dernières minutes ; ${isLearning ? "l'attendu s'apprend encore" : "pas encore d'attendu"}`;
  scale(hasExpected, busiest);
}

export function unknownMap() {
  for (const { path, title } of shapes.values()) {
    path.style.fill = "";
    path.classList.remove("chosen");
    title.textContent = "Inconnu";
  }
  byId("map-note").textContent = "Inconnu";
}

let drawnScale = "";
function scale(hasExpected, busiest) {
  const key = hasExpected ? "ratio" : `share ${busiest}`;
  if (key === drawnScale) return;
  drawnScale = key;
  const item = (fill, label) => {
    const swatch = make("i");
    swatch.style.background = fill;
    return make("li", {}, swatch, label);
  };
  const items = hasExpected
    ? [...RATIO_STEPS.map(([, label, name]) => item(`var(--${name})`, label)), item("var(--line)", "trop peu pour dire")]
    : [item("var(--line)", "aucune"), ...SHARE_STEPS.map((limit, at) => item(`rgb(var(--heat) / ${[18, 36, 54, 74, 95][at]}%)`, `jusqu'à ${number(Math.ceil(limit * busiest))}`))];
  byId("map-scale").replaceChildren(...items);
}
