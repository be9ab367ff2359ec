// France's coming day by quarter of an hour, from the forecast that a command keeps: asked for once its place comes near the screen, and
// again with each quarter that begins. Its times are those that screens show, in a simulation too.
import { edge, line, look, step } from "./curve.js";
import { byId, clockText, date, dayText, make, number, shifted, text } from "./words.js";

const QUARTER = 900; // seconds
const DAY = 86400;
const KEEP = "« vigie forecast --keep » en fait une, chaque nuit par exemple.";
let clock = null; // milliseconds of now, on the observer's clock
let plot = null;
let quarters = [];

const seconds = (minute) => Date.parse(minute) / 1000;
const shownDate = (at) => date((at * 1000) - shifted(0));
const spoken = (at) => `${dayText(at * 1000)}, ${clockText(at * 1000)} à ${clockText((at + QUARTER) * 1000)}`;
const whole = (n) => number(Math.round(n));

export function startForecast(clockMs) {
  if (clock) return;
  clock = clockMs;
  let near = false;
  const watch = new IntersectionObserver((seen) => {
    const before = near;
    near = seen.at(-1).isIntersecting;
    if (near && !before) load();
  }, { rootMargin: "300px" });
  watch.observe(document.querySelector(".forecast"));
  setInterval(() => { if (near) load(); }, QUARTER * 1000);
  const box = byId("forecast");
  box.addEventListener("keydown", (event) => { if (plot) step(event, plot, quarters.length - 1); });
  box.addEventListener("blur", () => plot?.setCursor({ left: -10, top: -10 }));
  new ResizeObserver(() => { if (plot && box.clientWidth) plot.setSize({ width: box.clientWidth, height: box.clientHeight }); }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

async function load() {
  try {
    const answer = await fetch("api/v1/forecast");
    if (answer.status === 404) show([], `Aucune prévision n'est gardée : ${KEEP}`);
    else if (answer.ok) told(await answer.json());
    else show([], "La prévision n'a pas pu être lue : l'adresse api/v1/forecast dit pourquoi.");
  } catch { show([], "L'observateur ne répond pas : la prévision est redemandée au prochain quart d'heure."); }
}

function told(forecast) {
  const now = shifted(clock()) / 1000;
  const found = forecast.quarters.map((one) => ({ ...one, at: seconds(one.minute) }));
  const coming = found.filter(({ at }) => at + QUARTER > now && at < now + DAY);
  const last = found.at(-1);
  text(byId("forecast-made"), `Faite le ${shownDate(seconds(forecast.at))}, d'après les jours archivés jusqu'au ${shownDate(seconds(`${forecast.known_to}T12:00:00Z`))}.`);
  show(coming, last && last.at < now ? `La prévision gardée s'arrête le ${shownDate(last.at)} : ${KEEP}` : "Rien n'est prévu de ces 24 heures : aucun jour comparable n'est connu.");
}

// `otherwise` is what is said where there is nothing to draw.
function show(coming, otherwise) {
  quarters = coming;
  byId("forecast-drawn").hidden = !coming.length;
  draw();
  if (!coming.length) text(byId("forecast-readout"), otherwise);
}

function draw() {
  plot?.destroy();
  plot = null;
  if (!quarters.length || typeof uPlot === "undefined") return;
  const box = byId("forecast");
  const top = Math.max(4, ...quarters.map((one) => one.upper)) * 1.05;
  const data = [quarters.map((one) => one.at), quarters.map((one) => one.lower), quarters.map((one) => one.upper), quarters.map((one) => one.visits)];
  plot = new uPlot({
    ...look(box.clientWidth, box.clientHeight),
    scales: { x: { time: true }, y: { range: () => [0, top] } },
    series: [{}, edge(), edge(), line("--run", { width: 2, dash: [6, 5] })],
    hooks: { setCursor: [say] },
  }, data, box);
  for (const [name, value] of Object.entries({ tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": quarters.length - 1, "aria-label": "Visites prévues par quart d'heure ; flèches gauche et droite pour lire la courbe" })) box.setAttribute(name, value);
  say(plot);
  const rows = quarters.map((one) => make("tr", {}, ...[spoken(one.at), whole(one.visits), whole(one.lower), whole(one.upper)].map((value) => make("td", {}, value))));
  byId("forecast-table").tBodies[0].replaceChildren(...rows);
}

// The quarter that somebody points at, else the busiest.
function say(u) {
  const busiest = quarters.reduce((best, one, at) => (one.visits > quarters[best].visits ? at : best), 0);
  const index = u.cursor.idx ?? busiest;
  const { at, visits, lower, upper } = quarters[index];
  const rest = `${whole(visits)} visites prévues (${whole(lower)} à ${whole(upper)})`;
  byId("forecast-readout").replaceChildren(u.cursor.idx === index ? "" : "Au plus fort, ", make("b", {}, spoken(at)), ` : ${rest}`);
  byId("forecast").setAttribute("aria-valuenow", index);
  byId("forecast").setAttribute("aria-valuetext", `${spoken(at)} : ${rest}`);
}
