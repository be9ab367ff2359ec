// The curve: settled visits, running ones, the expected band, the same weekday a week before, on a rentrée the last one, alerts as shaded
// spans. uPlot draws on a canvas; the same figures are in the table below the page's first screen, and arrow keys read them out.
import { byId, clockHour, clockText, date, dayText, hoped, make, minuteText, number, shifted, text } from "./words.js";

const BAND = 2; // the series whose drawing fills the band: alerts are shaded over it, and the curve drawn over both
const PAGE = 10; // points that PageUp and PageDown move by
// Minutes between the times of the axis, of which at least TIMES_MIN are shown.
const STEPS = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440];
const TIMES_MIN = 4;
const WHOLE = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power)); // between figures of the axis
let plot = null;
let box = null;
let latest = null;
let paper = null; // width in pixels while it is printed
const PAPER_HEIGHT = 260;
let isRead = false; // somebody points at a minute

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

// Bring a board and the running minutes of a pulse onto one grid. A point that is the mean of several minutes has no running ones, nor has a past.
export function grid(board, running) {
  const { first, step, visits } = board;
  const live = new Map(step === 1 && !board.isPast ? running.map(([minute, , v]) => [minute, v]) : []);
  const last = first + (visits.length - 1) * step;
  const figures = { step, lastSettled: last, minutes: [], settled: [], run: [], expected: [], lower: [], upper: [], week: [], year: [] };
  for (let minute = first; minute <= Math.max(last, ...live.keys()); minute += step) {
    const at = (minute - first) / step;
    const isSettled = at < visits.length;
    figures.minutes.push(minute);
    figures.settled.push(isSettled ? visits[at] : null);
    figures.run.push(isSettled ? null : live.get(minute) ?? 0);
    for (const name of ["expected", "lower", "upper"]) figures[name].push(board.expected?.[name][at] ?? null);
    figures.week.push(board.week?.visits?.[at] ?? null);
    figures.year.push(board.lastYear?.visits?.[at] ?? null);
  }
  return figures;
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
  const { settled, run, expected, upper, week, year } = latest.figures;
  const highest = Math.max(1, ...settled, ...run, ...expected, ...week, ...year);
  return Math.max(4, Math.min(Math.max(highest * 1.08, ...upper.map((n) => n * 1.04)), highest * 1.75));
}

// Round times on the clock in Paris, whatever the width: at least four of them.
function splits(u, _axis, from, to) {
  const minutes = (to - from) / 60;
  const room = Math.max(TIMES_MIN, Math.floor(u.bbox.width / devicePixelRatio / (rem() * 3.6)));
  const found = STEPS.findIndex((step) => minutes / step <= room);
  let at = found < 0 ? STEPS.length - 1 : found;
  while (at > 0 && minutes / STEPS[at] < TIMES_MIN) at -= 1;
  const step = STEPS[at] * 60, every = Math.min(step, 3600), times = [];
  for (let time = Math.ceil(from / every) * every; time <= to; time += every) if (step <= 3600 || clockHour(time * 1000) % (step / 3600) === 0) times.push(time);
  return times;
}

// What every curve of the page looks like: times of the clock in Paris below, figures at the left. Times come shifted, in seconds.
export function look(width, height) {
  const size = rem();
  const axis = { stroke: colour("--muted"), font: `${Math.round(size * 0.82)}px system-ui, sans-serif`, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width, height, padding: [size * 0.5, size * 1.4, 0, 0], legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    axes: [
      { ...axis, size: size * 2, splits, values: (_u, times) => times.map((s) => (times[1] - times[0] > 82000 ? dayText(s * 1000, width > 480) : clockText(s * 1000))), grid: { show: false } },
      { ...axis, size: size * 3.8, space: size * 3, incrs: WHOLE, values: (_u, ticks) => ticks.map((n) => (Number.isInteger(n) ? number(n) : "")) },
    ],
    bands: [{ series: [BAND, BAND - 1], fill: colour("--band") }],
  };
}
export const line = (name, more) => ({ stroke: colour(name), points: { show: false }, ...more });
export const edge = () => line("--surface", { width: 0 }); // of the band

function options(width, height) {
  return {
    ...look(width, height),
    scales: { x: { time: true }, y: { range: () => [0, ceiling()] } },
    series: [
      {},
      edge(),
      edge(),
      line("--run", { width: 1.5, dash: [6, 5] }),
      line("--week", { width: 1.4 }),
      line("--year", { width: 1.6, dash: [2, 3] }),
      line("--accent", { width: 2.6 }),
      // A running minute is not whole yet: a line down to it would look like a fall.
      { stroke: colour("--accent"), width: 0, paths: () => null, points: { show: true, size: 9, width: 2, stroke: colour("--accent"), fill: colour("--surface") } },
    ],
    hooks: { drawSeries: [(u, index) => { if (index === BAND) shade(u); }], setCursor: [(u) => { isRead = u.cursor.idx !== null && u.cursor.idx !== undefined; say(); }] },
  };
}

const time = (minute, step) => (step === 1 ? minuteText(minute) : `${step > 5 ? `${dayText(shifted(minute * 60000))}, ` : ""}${minuteText(minute)} à ${minuteText(minute + step)}`);
const known = (n) => (n === null ? "indisponible" : number(Math.round(n)));

// What is known of one point, as [time, rest]; the last settled one while nobody points at any.
function reading() {
  const { figures, unit, board } = latest;
  const index = (isRead ? plot?.cursor.idx : null) ?? Math.max(0, figures.minutes.indexOf(figures.lastSettled));
  const minute = figures.minutes[index];
  const isSettled = minute <= figures.lastSettled;
  const visits = isSettled ? figures.settled[index] : figures.run[index];
  const parts = [visits === null ? "indisponible" : `${number(Math.round(visits))} ${unit}${figures.step > 1 ? " par minute" : ""}${isSettled ? "" : " (provisoire)"}`];
  if (figures.expected[index] !== null) parts.push(`attendu ${hoped(figures.expected[index])} (${known(figures.lower[index])} à ${known(figures.upper[index])})`);
  if (board.week) parts.push(`7 jours avant ${known(figures.week[index])}`);
  if (board.lastYear) parts.push(`dernière rentrée ${known(figures.year[index])}`);
  return { index, when: time(minute, figures.step), rest: parts.join(" · ") };
}

function say() {
  if (!latest?.figures.minutes.length) return;
  const { index, when, rest } = reading();
  byId("readout").replaceChildren(make("b", {}, when), ` : ${rest}`);
  box.setAttribute("aria-valuenow", index);
  box.setAttribute("aria-valuetext", `${when} : ${rest}`);
}

// Arrow keys read a curve out: the point that a key leads to.
export function step(event, plot, last) {
  const from = plot.cursor.idx ?? last;
  const wanted = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - PAGE, PageDown: from + PAGE, Home: 0, End: last }[event.key];
  if (wanted === undefined) return;
  event.preventDefault();
  const index = Math.min(Math.max(wanted, 0), last);
  plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 10 });
}

export function startCurve() {
  box = byId("curve");
  box.addEventListener("keydown", (event) => { if (plot) step(event, plot, latest.figures.minutes.length - 1); });
  box.addEventListener("blur", () => plot?.setCursor({ left: -10, top: -10 }));
  new ResizeObserver(() => {
    if (plot && paper === null) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawAt(null));
  byId("curve-table").closest("details").addEventListener("toggle", table);
}

// Anew, in the colours of now; `width` in pixels for paper, null for the screen.
export function redrawAt(width) {
  paper = width;
  plot?.destroy();
  plot = null;
  if (latest) draw(latest.board, latest.running);
}

function legend(board) {
  const other = (item, found, name, withYear) => {
    item.hidden = !found;
    item.classList.toggle("none", !found?.visits);
    if (found) text(item, `${name}${found.visits ? `, ${found.day.replace(withYear ? "" : / \d{4}$/, "")}` : " : indisponible"}`);
  };
  byId("k-band").hidden = !board.expected;
  byId("k-alert").hidden = !board.spans.length;
  byId("k-run").hidden = board.step > 1 || board.isPast;
  byId("past").hidden = !board.isPast;
  if (board.isPast) text(byId("past").firstChild, `Ce qui s'est passé jusqu'à ${minuteText(latest.figures.lastSettled + board.step)}, ${date(latest.figures.lastSettled * 60000)}.`);
  other(byId("k-week"), board.week, "7 jours avant", false);
  other(byId("k-year"), board.lastYear, "dernière rentrée", true);
  text(byId("k-line"), `${latest.unit}, ${board.step > 1 ? `moyenne de ${board.step} min` : "minute arrêtée"}`);
}

export function draw(board, running) {
  const figures = grid(board, running);
  latest = { board, running, figures, unit: board.scope.service ? "utilisations" : "visites" };
  legend(board);
  table();
  if (!figures.minutes.length) text(byId("readout"), "Rien n'est encore arrêté : la courbe commence avec la première minute.");
  if (!figures.minutes.length || typeof uPlot === "undefined") return;
  const seconds = figures.minutes.map((minute) => shifted((minute + (figures.step - 1) / 2) * 60000) / 1000);
  const data = [seconds, figures.lower, figures.upper, figures.expected, figures.week, figures.year, figures.settled, figures.run];
  if (plot) plot.setData(data);
  else {
    plot = new uPlot(options(paper ?? box.clientWidth, paper ? PAPER_HEIGHT : box.clientHeight), data, box);
    box.setAttribute("tabindex", "0");
    box.setAttribute("role", "slider");
    box.setAttribute("aria-valuemin", "0");
  }
  const shown = figures.settled.filter((n) => n !== null);
  const top = Math.max(0, ...shown);
  const peak = figures.minutes[figures.settled.indexOf(top)];
  box.setAttribute("aria-valuemax", figures.minutes.length - 1);
  box.setAttribute("aria-label", shown.length ? `Courbe des ${latest.unit} par minute jusqu'à ${minuteText(figures.lastSettled)}, plus haute ${number(Math.round(top))} à ${minuteText(peak)} ; flèches gauche et droite pour la lire` : `Courbe des ${latest.unit} par minute : rien n'est encore arrêté`);
  say();
}

function table() {
  const details = byId("curve-table").closest("details");
  if (!latest || !details.open) return;
  const { figures, board } = latest;
  byId("th-year").hidden = !board.lastYear;
  const body = byId("curve-table").tBodies[0];
  const cells = (at) => {
    const isSettled = figures.minutes[at] <= figures.lastSettled;
    const n = (value) => (value === null ? "–" : number(Math.round(value)));
    const row = [time(figures.minutes[at], figures.step), n(isSettled ? figures.settled[at] : figures.run[at]), figures.expected[at] === null ? "–" : hoped(figures.expected[at]), n(figures.week[at])];
    return [...row, ...(board.lastYear ? [n(figures.year[at])] : []), isSettled ? "arrêtée" : "provisoire"];
  };
  const rows = figures.minutes.map((_minute, at) => cells(at)).reverse();
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((values, at) => {
    const row = body.rows[at] ?? body.insertRow();
    while (row.cells.length > values.length) row.deleteCell(-1);
    values.forEach((value, column) => text(row.cells[column] ?? row.insertCell(), value));
  });
}
