// The tables. Rows stay in place and only texts change, so that focus, reading position and scroll survive every update.
import { COMPARED_MIN } from "./map.js";
import { rove, stop } from "./roving.js";
import { byId, decimal, duration, hm, make, mark, number, shifted, text, times } from "./words.js";

const SHORT = 7; // services shown at first: the most used, as many of them as fit
let fitting = SHORT;
const LAST = ["99", "INCONNU"];
const NEARLY_NOTHING = 2; // visits expected in five minutes, below which a ratio tells nothing
let allServices = false;
let drawn = "";

const ENT_STATES = { normal: ["ok", "normal"], hausse: ["attention", "en hausse"], baisse: ["attention", "en baisse"], muet: ["mauvais", "muet"], "jamais-vu": ["info", "jamais vu"], inconnu: ["inconnu", "pas encore su"], calme: ["info", "calme"], prevu: ["attention", "arrêt prévu"] };

export function startTables(redraw) {
  const box = byId("matrix").parentElement;
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    fitting = SHORT;
    redraw();
  }).observe(box);
  rove(byId("matrix"));
  rove(byId("ents"));
  const button = byId("all-services");
  button.addEventListener("click", () => {
    allServices = !allServices;
    button.setAttribute("aria-pressed", String(allServices));
    redraw();
  });
}

function order(rows, names, overseas) {
  const rank = (code) => (LAST.includes(code) ? 2 : overseas.has(code) ? 1 : 0);
  return [...rows].sort((a, b) => rank(a.code) - rank(b.code) || names.get(a.code).localeCompare(names.get(b.code), "fr"));
}

let ranking = [];
function services(rows, chosen, known) {
  const sums = new Map(known.map((code) => [code, 0]));
  for (const row of rows) for (const [code, n] of Object.entries(row.services)) sums.set(code, (sums.get(code) ?? 0) + n);
  const ranked = [...sums].sort((a, b) => b[1] - a[1]).map(([code]) => code);
  // Columns keep their places while the set of the most used stays the same: nothing jumps under a reader's eye.
  if (ranking.length !== ranked.length || new Set([...ranking.slice(0, SHORT), ...ranked.slice(0, SHORT)]).size > SHORT + 1) ranking = ranked;
  const shown = allServices ? ranking : ranking.slice(0, fitting);
  return chosen && !shown.includes(chosen) ? [...shown, chosen] : shown;
}

export function matrix(rows, scope, lists, link) {
  const sorted = order(rows, lists.regionNames, lists.overseas);
  const columns = services(rows, scope.service, lists.services.map((s) => s.code));
  const table = byId("matrix");
  const key = columns.join() + sorted.map((row) => row.code).join();
  if (key !== drawn) build(table, sorted, columns, lists, link);
  drawn = key;
  // A figure that is cut in two reads as another figure.
  if (!allServices && fitting > 0 && table.offsetWidth > table.parentElement.clientWidth) {
    fitting -= 1;
    matrix(rows, scope, lists, link);
    return;
  }
  for (const anchor of table.querySelectorAll("a")) {
    const { region, service } = anchor.dataset;
    const here = region ? region === scope.region && scope.kind !== "france" : service === scope.service;
    anchor.toggleAttribute("aria-current", here);
    if (here) anchor.setAttribute("aria-current", "true");
    anchor.href = link(anchor.dataset);
  }
  stop(table);
  text(table.tHead.querySelector(".measure"), scope.service ? "Utilisations" : "Visites");
  const tops = columns.map((code) => Math.max(1, ...sorted.map((row) => row.services[code] ?? 0)));
  sorted.forEach((row, at) => {
    const cells = table.tBodies[0].rows[at].cells;
    table.tBodies[0].rows[at].classList.toggle("chosen", row.code === scope.region && scope.kind !== "france");
    text(cells[1], number(row.visits));
    text(cells[2], row.ratio === null || row.expected < COMPARED_MIN ? "–" : times(row.ratio));
    columns.forEach((code, column) => {
      const n = row.services[code] ?? 0;
      text(cells[column + 3], number(n));
      cells[column + 3].style.backgroundColor = n ? `rgb(var(--heat) / ${Math.round(4 + 26 * (n / tops[column]))}%)` : "";
    });
  });
}

function build(table, rows, columns, lists, link) {
  const head = make("tr", {}, make("th", { scope: "col" }, "Région"), make("th", { scope: "col", class: "measure" }), make("th", { scope: "col" }, "Sur l'attendu"));
  for (const code of columns) head.append(make("th", { scope: "col" }, make("a", { "data-service": code, href: link({ service: code }) }, lists.serviceNames.get(code) ?? code)));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows.map((row) => {
    const line = make("tr", {}, make("th", { scope: "row" }, make("a", { "data-region": row.code, href: link({ region: row.code }) }, lists.regionNames.get(row.code))), make("td", { class: "total" }), make("td"));
    for (let n = 0; n < columns.length; n += 1) line.append(make("td"));
    return line;
  }));
}

let drawnEnts = "";
export function ents(rows, scope, lists, settledMs, link) {
  const body = byId("ents").tBodies[0];
  const rank = { muet: 0, baisse: 1, hausse: 1, inconnu: 2, prevu: 2, normal: 3, calme: 3, "jamais-vu": 4 };
  const sorted = [...rows].sort((a, b) => rank[a.state] - rank[b.state] || lists.projectNames.get(a.code).localeCompare(lists.projectNames.get(b.code), "fr"));
  const key = sorted.map((row) => row.code + row.state).join();
  if (key !== drawnEnts) {
    const focused = document.activeElement?.dataset?.project;
    body.replaceChildren(...sorted.map((row) => {
      const [state, word] = ENT_STATES[row.state];
      return make("tr", {}, make("th", { scope: "row" }, make("a", { "data-project": row.code, href: link({ project: row.code }) }, lists.projectNames.get(row.code))), make("td", {}, make("span", { class: `state s-${state}` }, mark(state), word)), make("td"), make("td"), make("td"), make("td"));
    }));
    if (focused) body.querySelector(`[data-project="${focused}"]`)?.focus();
    drawnEnts = key;
  }
  stop(body);
  sorted.forEach((row, at) => {
    const line = body.rows[at];
    const anchor = line.cells[0].firstChild;
    anchor.href = link({ project: row.code });
    if (scope.kind === "project" && scope.code === row.code) anchor.setAttribute("aria-current", "true");
    else anchor.removeAttribute("aria-current");
    text(line.cells[2], row.lastMinute === null ? "–" : `${lastSeen(row.lastMinute, settledMs)}`);
    text(line.cells[3], number(row.visits));
    const compared = row.ratio !== null && row.expected >= NEARLY_NOTHING;
    text(line.cells[4], compared ? times(row.ratio) : row.expected === null ? "pas encore d'attendu" : row.expected ? "presque rien d'attendu" : "rien d'attendu");
    line.cells[4].classList.toggle("muted", !compared);
    text(line.cells[5], row.establishments === null ? "–" : `≈ ${number(row.establishments)}`);
  });
  const count = (state) => sorted.filter((row) => row.state === state).length;
  byId("ents-sum").replaceChildren(...[["normal", "ok", "normaux", "normal"], ["hausse", "attention", "en hausse", "en hausse"], ["baisse", "attention", "en baisse", "en baisse"], ["muet", "mauvais", "muets", "muet"], ["jamais-vu", "info", "jamais vus", "jamais vu"]].filter(([state]) => count(state)).map(([state, tone, many, one]) => make("span", { class: `state s-${tone}` }, mark(tone), `${count(state)} ${count(state) > 1 ? many : one}`)));
}

export function unknownTables() {
  drawn = drawnEnts = "";
  for (const cell of document.querySelectorAll("#matrix td, #ents td, #partitions td:not(:first-child)")) {
    text(cell, "Inconnu");
    cell.style.backgroundColor = "";
  }
  text(byId("ents-sum"), "");
}

function lastSeen(minute, settledMs) {
  const age = ((settledMs ?? minute * 60000) - (minute + 1) * 60000) / 1000;
  const sameDay = new Date(shifted(minute * 60000)).toDateString() === new Date(shifted(settledMs ?? 0)).toDateString();
  if (age < 120) return hm(minute * 60000);
  return `${sameDay ? hm(minute * 60000) : `il y a ${duration(age)}`}${sameDay ? ` (${duration(age)})` : ""}`;
}

export function partitions(rows, nowMs) {
  const body = byId("partitions").tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((p, at) => {
    const row = body.rows[at] ?? body.insertRow();
    const state = p.worker === null ? "sans worker" : p.warming !== null ? `relecture, ${decimal(p.warming * 100, 0)} %` : p.stale ? "n'avance pas" : "lit";
    const cells = [String(p.partition), p.worker ?? "–", p.lag === null ? "–" : `${number(p.lag)} (${decimal(p.lagSeconds ?? 0)} s)`, p.watermarkMs === null ? "–" : hm(p.watermarkMs), state];
    cells.forEach((value, column) => text(row.cells[column] ?? row.insertCell(), value));
  });
  void nowMs;
}
