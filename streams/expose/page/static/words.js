// How figures and times are written in French, and small helpers of the document. Times are epoch ms of the clock; `shift` moves them to scenario time.
const whole = new Intl.NumberFormat("fr-FR");
const clocks = new Map();
let shiftMs = 0;

export const setShift = (ms) => { shiftMs = ms; };
export const shifted = (ms) => ms + shiftMs;
export const number = (n) => (n === null || n === undefined ? "–" : whole.format(n));
export const approx = (n) => (n === null || n === undefined ? null : `≈ ${whole.format(n)}`);
export const decimal = (n, digits = 1) => n.toLocaleString("fr-FR", { minimumFractionDigits: digits, maximumFractionDigits: digits });
// What was expected: few are never told as none.
export const hoped = (n) => (n === null || n === undefined ? "–" : n >= 10 || n === 0 ? whole.format(Math.round(n)) : n < 0.05 ? "presque rien" : decimal(n));
export const times = (ratio) => (ratio > 100 ? "plus de × 100" : `× ${decimal(ratio, ratio < 0.1 || ratio >= 10 ? 0 : ratio < 1 ? 2 : 1)}`);

function clock(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!clocks.has(key)) clocks.set(key, new Intl.DateTimeFormat("fr-FR", { timeZone: zone, hourCycle: "h23", ...options }));
  return clocks.get(key);
}
export const hms = (ms, zone = "Europe/Paris") => clock(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(shifted(ms));
export const hm = (ms, zone = "Europe/Paris") => clock(zone, { hour: "2-digit", minute: "2-digit" }).format(shifted(ms));
export const date = (ms, zone = "Europe/Paris") => clock(zone, { weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(shifted(ms)).replace(/ 1 /, " 1er ");
// The same of times that are shifted already.
export const clockText = (ms) => clock("Europe/Paris", { hour: "2-digit", minute: "2-digit" }).format(ms);
export const clockHour = (ms) => Number(clockText(ms).slice(0, 2));
export const dayText = (ms, withNumber = true) => clock("Europe/Paris", { weekday: "short", ...(withNumber ? { day: "numeric" } : {}) }).format(ms);
export const minuteText = (minute) => hm(minute * 60000);

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(seconds / 86400)} jours`;
}

export const byId = (id) => document.getElementById(id);
export function text(node, value) {
  const wanted = value ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const MARKS = { ok: "M4 12.5 9.5 18 20 6.5", attention: "M12 4v10M12 18.6v.1", mauvais: "M5 5l14 14M19 5 5 19", inconnu: "M9 9.2a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 2.1M12 18.4v.1", info: "M12 12v.1" };
export function mark(state) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `mark s-${state}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", MARKS[state] ?? MARKS.info);
  svg.append(path);
  return svg;
}
export const STATE_WORDS = { ok: "bon", attention: "attention", mauvais: "mauvais", inconnu: "inconnu", info: "pour information" };
