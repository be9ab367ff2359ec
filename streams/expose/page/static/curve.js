// The curve of a day's minutes: settled visits, running ones, the expected band, alerts as shaded spans. uPlot draws on a canvas;
// the same figures are in the table below it, and arrow keys move through the minutes.
import { byId, hm, make, minuteText, number, shifted, text } from "./words.js";

const TABLE_ROWS = 60;
const BAND = 2; // the series whose drawing fills the band: alerts are shaded over it, and the curve drawn over both
let plot = null;
let box = null;
let latest = null;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Bring a board and the running minutes of a pulse onto one grid.
export function grid(board, running) {
  const length = board.visits.length;
  const last = board.first + length - 1;
  const end = Math.max(last, ...running.map(([minute]) => minute));
  const minutes = [], settled = [], run = [], events = [], expected = [], lower = [], upper = [];
  const live = new Map(running.map(([minute, e, v]) => [minute, [e, v]]));
  const band = board.expected;
  for (let minute = board.first; minute <= end; minute += 1) {
    const at = minute - board.first;
    const isSettled = at < length;
    const now = live.get(minute) ?? [0, 0];
    minutes.push(minute);
    settled.push(isSettled ? board.visits[at] : null);
    run.push(isSettled ? null : now[1]);
    events.push(isSettled ? board.events[at] : now[0]);
    expected.push(band?.expected[at] ?? null);
    lower.push(band?.lower[at] ?? null);
    upper.push(band?.upper[at] ?? null);
  }
  return { minutes, settled, run, events, expected, lower, upper, lastSettled: last };
}

function shade(u) {
  const { ctx, bbox } = u;
  const column = (minute) => u.valToPos(shifted(minute * 60000) / 1000, "x", true);
  const clip = (x) => Math.min(Math.max(x, bbox.left), bbox.left + bbox.width);
  ctx.save();
  for (const [start, end] of latest?.board.spans ?? []) {
    const from = clip(column(start)), to = clip(column(end ?? latest.figures.minutes.at(-1)));
    if (to <= from) continue;
    ctx.globalAlpha = 0.72;
    ctx.fillStyle = colour("--bad-soft");
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colour("--bad");
    ctx.fillRect(from, bbox.top, 2 * devicePixelRatio, bbox.height);
  }
  ctx.restore();
}

// What was counted and expected sets the height; a wide band is cut off at the top rather than pressing the curve flat.
function ceiling() {
  const { settled, run, expected, upper } = latest.figures;
  const highest = Math.max(1, ...settled, ...run, ...expected);
  return Math.max(4, Math.min(Math.max(highest * 1.08, ...upper.map((n) => n * 1.04)), highest * 1.45));
}

function options(width, height) {
  const font = `${Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.82)}px system-ui, sans-serif`;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const axis = { stroke: colour("--muted"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width, height, padding: [rem * 0.5, rem * 1.4, 0, 0], legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Europe/Paris"),
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: { x: { time: true }, y: { range: () => [0, ceiling()] } },
    axes: [
      { ...axis, size: rem * 2, space: rem * 6, values: (_u, ticks) => ticks.map((s) => new Intl.DateTimeFormat("fr-FR", { timeZone: "Europe/Paris", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(s * 1000)), grid: { show: false } },
      { ...axis, size: rem * 4.6, space: rem * 3, values: (_u, ticks) => ticks.map((n) => (Number.isInteger(n) ? number(n) : "")) },
    ],
    series: [
      {},
      { stroke: "transparent", points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { stroke: colour("--run"), width: 1.5, dash: [6, 5], points: { show: false } },
      { stroke: colour("--accent"), width: 2.6, points: { show: false } },
      // A running minute is not whole yet: a line down to it would look like a fall.
      { stroke: colour("--accent"), width: 0, paths: () => null, points: { show: true, size: 9, width: 2, stroke: colour("--accent"), fill: colour("--surface") } },
    ],
    bands: [{ series: [2, 1], fill: colour("--band") }],
    hooks: { drawSeries: [(u, index) => { if (index === BAND) shade(u); }], setCursor: [(u) => say(u.cursor.idx)] },
  };
}

function say(index) {
  const out = byId("readout");
  const at = latest?.figures;
  if (!at || index === null || index === undefined || at.minutes[index] === undefined) { text(out, ""); return; }
  const minute = at.minutes[index];
  const isSettled = minute <= at.lastSettled;
  const visits = isSettled ? at.settled[index] : at.run[index];
  const hoped = at.expected[index] === null ? "" : `, attendu ${number(Math.round(at.expected[index]))}`;
  out.replaceChildren(make("b", {}, minuteText(minute)), ` : ${number(visits)} ${latest.unit}${hoped}${isSettled ? "" : " (provisoire)"}`);
}

function step(event) {
  if (!plot || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
  event.preventDefault();
  const last = latest.figures.minutes.length - 1;
  const from = plot.cursor.idx ?? last;
  const wanted = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
  const index = Math.min(Math.max(wanted, 0), last);
  plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 10 });
}

export function startCurve() {
  box = byId("curve");
  box.addEventListener("keydown", step);
  new ResizeObserver(() => {
    if (plot) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot?.destroy();
    plot = null;
    if (latest) draw(latest.board, latest.running);
  });
}

export function draw(board, running) {
  const figures = grid(board, running);
  latest = { board, running, figures, unit: board.scope.service ? "utilisations" : "visites" };
  byId("k-band").hidden = !board.expected;
  byId("k-alert").hidden = !board.spans.length;
  table(figures);
  if (!figures.minutes.length) text(byId("readout"), "Rien n'est encore arrêté : la courbe commence avec la première minute.");
  else if (!plot) text(byId("readout"), "");
  if (!figures.minutes.length || typeof uPlot === "undefined") return;
  const seconds = figures.minutes.map((minute) => shifted(minute * 60000) / 1000);
  const data = [seconds, figures.lower, figures.upper, figures.expected, figures.settled, figures.run];
  if (plot) plot.setData(data);
  else {
    plot = new uPlot(options(box.clientWidth, box.clientHeight), data, box);
    box.setAttribute("tabindex", "0");
    box.setAttribute("role", "img");
  }
  const shown = figures.settled.filter((n) => n !== null);
  const top = Math.max(0, ...shown);
  const peak = figures.minutes[figures.settled.indexOf(top)];
  box.setAttribute("aria-label", shown.length ? `Courbe des ${latest.unit} par minute de ${hm(figures.minutes[0] * 60000)} à ${hm(figures.lastSettled * 60000)} : dernière ${number(shown.at(-1))}, plus haute ${number(top)} à ${minuteText(peak)}. Flèches gauche et droite : minute par minute.` : `Courbe des ${latest.unit} par minute : rien n'est encore arrêté.`);
}

function table(figures) {
  const body = document.querySelector("#curve-table tbody");
  const rows = [];
  for (let index = figures.minutes.length - 1; index >= 0 && rows.length < TABLE_ROWS; index -= 1) {
    const isSettled = figures.minutes[index] <= figures.lastSettled;
    rows.push([minuteText(figures.minutes[index]), number(isSettled ? figures.settled[index] : figures.run[index]), number(figures.events[index]), figures.expected[index] === null ? "–" : number(Math.round(figures.expected[index])), isSettled ? "arrêtée" : "provisoire"]);
  }
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    cells.forEach((value, column) => text(row.cells[column] ?? row.insertCell(), value));
  });
}
