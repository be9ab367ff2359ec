// The page: what it looks at is in its address; what it shows comes over one stream of server-sent events, whole, so that nothing piles up.
import { draw, redrawAt, startCurve } from "./curve.js";
import { startForecast } from "./forecast.js";
import { incidents, startIncidents, unknownIncidents } from "./incidents.js";
import { paint, startMap, unknownMap } from "./map.js";
import { chain, now, trust, unknownNow } from "./panels.js";
import { ents, matrix, partitions, startTables, unknownTables } from "./tables.js";
import { byId, date, duration, hm, hms, make, setShift, text } from "./words.js";

const SILENT_SECONDS = 6; // a pulse comes every second
const STALE_SECONDS = 180;
const STUCK_SECONDS = 10; // settled time that runs after the clock, as after a start, is not stuck
const PARAMETERS = { region: "region", academy: "academie", project: "ent" };
const SPAN = "1h"; // the length of the curve where the address names none
let lists = null;
let board = null;
let pulse = null;
let source = null;
let pulseAt = 0; // performance.now() of the last pulse
let movedAt = 0; // performance.now() when settled time was last seen to move
let lostSince = null;
let refused = null;
let shown = null; // the address's question that is shown

const wanted = () => new URLSearchParams(location.search);

function query(changes) {
  const asked = refused ? new URLSearchParams() : wanted(); // nothing of an address that was refused leads on
  if ("region" in changes || "academy" in changes || "project" in changes) for (const name of Object.values(PARAMETERS)) asked.delete(name);
  for (const [kind, code] of Object.entries(changes)) {
    const name = PARAMETERS[kind] ?? kind;
    if (code) asked.set(name, code); else asked.delete(name);
  }
  if (asked.has("academie") || asked.has("ent")) asked.delete("service");
  const text_ = asked.toString();
  return text_ ? `?${text_}` : "./"; // relative: the page may lie below a prefix
}

// A link on what is chosen already takes the choice back; a service next to an academy or ENT leads to its region.
function link({ region, service, project }) {
  const asked = wanted();
  if (region) return query({ region: asked.get("region") === region ? "" : region });
  if (project) return query({ project: asked.get("ent") === project ? "" : project });
  const other = asked.has("academie") || asked.has("ent") ? { region: board?.scope.region ?? "" } : {};
  return query({ ...other, service: asked.get("service") === service ? "" : service });
}

function go(address) {
  if (new URL(address, location).search === location.search) return;
  history.pushState(null, "", address);
  connect();
}

function connect() {
  source?.close();
  refused = null;
  shown = location.search;
  byId("reset").hidden = !["service", ...Object.values(PARAMETERS)].some((name) => wanted().has(name));
  byId("reset").href = query({ region: "", service: "" });
  byId("live").href = query({ fin: "" });
  syncChoice();
  source = new EventSource(`page/stream${location.search}`);
  source.addEventListener("hello", (event) => hello(JSON.parse(event.data)));
  source.addEventListener("board", (event) => { board = JSON.parse(event.data); showBoard(); });
  source.addEventListener("pulse", (event) => {
    const before = pulse?.settledMs;
    pulse = JSON.parse(event.data);
    pulseAt = performance.now();
    if (pulse.settledMs !== before) movedAt = pulseAt;
    lostSince = null;
    showPulse();
  });
  source.addEventListener("error", () => {
    lostSince ??= Date.now();
    // A closed stream was refused (an address with a code that no list has, or too many pages): the browser does not try again by itself.
    if (source.readyState === EventSource.CLOSED) explain();
    tick();
  });
}

async function explain() {
  const mine = source;
  try {
    const answer = await fetch(`page/stream${location.search}`, { headers: { accept: "text/event-stream" } });
    await answer.body?.cancel();
    // The session ended, or its token was revoked: nothing is lost but the right to look.
    if (answer.status === 401) { location.assign("login"); return; }
    if (answer.status === 422 && mine === source) refuse();
  } catch { /* the observer is away: tried again below */ }
  tick();
  if (!refused && mine === source) setTimeout(() => { if (mine === source) connect(); }, 2000);
}

const WRONG = { region: "Région inconnue", academie: "Académie inconnue", ent: "ENT inconnu", service: "Service inconnu", duree: "Durée inconnue", fin: "Heure inconnue" };

// What is wrong with an address is told by the lists, which come with the stream of any place.
function refuse() {
  refused = "Cette adresse nomme ce qui n'existe pas.";
  board = null;
  unknown();
  if (lists) { explainRefusal(); return; }
  const other = new EventSource("page/stream");
  other.addEventListener("hello", (event) => { other.close(); hello(JSON.parse(event.data)); explainRefusal(); tick(); });
}

function explainRefusal() {
  syncChoice();
  const asked = wanted();
  const known = { region: lists.regionNames, academie: lists.academyNames, ent: lists.projectNames, service: lists.serviceNames, duree: new Set(["1h", "6h", "24h", "7j"]), fin: { has: (told) => !Number.isNaN(Date.parse(told)) } };
  const name = Object.keys(WRONG).find((one) => asked.get(one) && !known[one].has(asked.get(one)));
  const title = name ? WRONG[name] : "Adresse inconnue";
  text(byId("place-name"), title);
  refused = `${title}${name ? ` : « ${asked.get(name).slice(0, 60)} »` : ", ou choix qui ne vont pas ensemble"}. Choisissez ci-dessus ce que vous voulez voir, ou revenez à la France.`;
}

function unknown() {
  unknownNow();
  unknownIncidents();
  unknownTables();
  unknownMap();
}

function hello(found) {
  setShift(found.shiftMs);
  const pairs = (items) => new Map(items.map((item) => [item.code, item.name]));
  lists = {
    ...found,
    regionNames: pairs([...found.regions, { code: "INCONNU", name: "Région inconnue" }]),
    serviceNames: pairs(found.services),
    projectNames: pairs([...found.projects, { code: "INCONNU", name: "ENT inconnu" }]),
    academyNames: pairs([...found.regions.flatMap((region) => region.academies), { code: "INCONNU", name: "Académie inconnue" }]),
    overseas: new Set(found.regions.filter((region) => region.timezone !== "Europe/Paris").map((region) => region.code)),
  };
  fillChoice();
  startMap(lists.regionNames, (region) => go(link({ region }))).then(() => { if (board) showMap(); });
}

function fillChoice() {
  const place = byId("place"), service = byId("service");
  if (place.querySelector("optgroup")) { syncChoice(); return; }
  const sorted = (items) => [...items].sort((a, b) => a.name.localeCompare(b.name, "fr"));
  const group = (label, kind, items) => make("optgroup", { label }, ...sorted(items).map((item) => make("option", { value: `${kind}:${item.code}` }, item.name)));
  place.append(group("Régions", "region", lists.regions), group("Académies", "academy", lists.regions.flatMap((region) => region.academies)), group("ENT", "project", lists.projects));
  service.append(...sorted(lists.services).map((item) => make("option", { value: item.code }, item.name)));
  syncChoice();
}

function choose(select, value) {
  select.value = value;
  if (lists && select.selectedIndex < 0) select.value = "?";
}

function syncChoice() {
  const asked = wanted();
  const kind = Object.keys(PARAMETERS).find((name) => asked.get(PARAMETERS[name]));
  choose(byId("place"), kind ? `${kind}:${asked.get(PARAMETERS[kind])}` : "");
  choose(byId("service"), asked.get("service") ?? "");
  for (const span of document.querySelectorAll("[name=duree]")) span.checked = span.value === (asked.get("duree") || SPAN);
  byId("service").disabled = kind === "academy" || kind === "project";
  byId("service").title = byId("service").disabled ? "Les académies et les ENT ne sont pas mesurés par service" : "";
}

// Up to when minutes were judged, where nothing settles or nobody reads any more: what comes after, nobody knows.
function stoodStillAt() {
  const bad = (check) => ["settled", "readers"].includes(check.key) && check.state === "mauvais";
  return pulse && (!pulse.redisUp || pulse.trust.checks.some(bad)) ? pulse.settledMs : null;
}

function showMap() {
  paint(board.regions, board.scope, lists.regionNames);
}

function showBoard() {
  if (!lists) return;
  now(board, lists);
  matrix(board.regions, board.scope, lists, link);
  ents(board.projects, board.scope, lists, pulse?.settledMs ?? null, link);
  for (const part of document.querySelectorAll(".ents, .skip[href='#t-ents']")) part.hidden = Boolean(board.scope.service); // not measured by service
  document.querySelector(".forecast").hidden = board.scope.kind !== "france" || Boolean(board.scope.service); // what is forecast is France
  incidents(board.incidents, stoodStillAt());
  showMap();
  redraw();
}

// At most once a frame, and not at all while nobody looks: browsers hand out no frames to a hidden page.
let frame = 0;
function redraw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    draw(board, pulse?.running ?? []);
  });
}

function showPulse() {
  if (document.body.dataset.link === "lost" && board) showBoard(); // the same minute, after a silence
  document.body.dataset.link = "on";
  document.body.dataset.redis = pulse.redisUp ? "up" : "down";
  startForecast(clockMs);
  trust(pulse.trust);
  if (board) incidents(board.incidents, stoodStillAt());
  chain(pulse.chain);
  partitions(pulse.chain.partitions);
  if (board) redraw();
  tick();
}

// The observer's clock, carried on by this machine's steady one: a wrong clock of the screen does not show.
const clockMs = () => pulse.readMs + (performance.now() - pulseAt);

function tick() {
  if (pulse) {
    const ms = clockMs();
    text(byId("clock"), hms(ms));
    const fresh = byId("fresh");
    if (document.body.dataset.link === "lost") { text(fresh, "Inconnu"); fresh.dataset.at = ""; }
    else if (pulse.settledMs === null) text(fresh, "Rien n'est encore arrêté.");
    else {
      const reached = hms(pulse.settledMs);
      if (fresh.dataset.at !== reached) fresh.replaceChildren("arrivé jusqu'à ", make("b", {}, reached), ", provisoire ensuite");
      fresh.dataset.at = reached;
    }
    const notice = byId("simulation");
    notice.hidden = !lists?.shiftMs;
    if (lists?.shiftMs) text(notice, `Simulation du ${date(ms)}, ${hm(ms)} : ces chiffres ne viennent pas d'ENT réels.`);
  }
  trouble();
}

function trouble() {
  const line = byId("trouble");
  const silent = pulse ? (performance.now() - pulseAt) / 1000 : 0;
  let words = refused;
  if (!words && (silent > SILENT_SECONDS || (lostSince !== null && Date.now() - lostSince > 3000))) {
    if (document.body.dataset.link !== "lost") unknown();
    document.body.dataset.link = "lost";
    words = pulse ? `Connexion perdue depuis ${duration(silent)} : rien n'est su après ${hms(pulse.readMs)}. Nouvelle tentative en cours.` : "L'observateur ne répond pas. Nouvelle tentative en cours.";
  } else if (!words && pulse && !pulse.redisUp) words = `Redis ne répond pas : les chiffres affichés sont les derniers lus${pulse.settledMs ? `, arrêtés à ${hms(pulse.settledMs)}` : ""}.`;
  else if (!words && pulse?.chain.kafka) words = `${pulse.chain.kafka} : rien de ce qui arrive n'est compté pour le moment, les chiffres affichés sont ceux d'avant.`;
  else if (!words && pulse?.settledMs && (clockMs() - pulse.settledMs) / 1000 > STALE_SECONDS && performance.now() - movedAt > STUCK_SECONDS * 1000) words = `Plus aucune minute n'est arrêtée depuis ${duration((clockMs() - pulse.settledMs) / 1000)} : ce qui suit ${hms(pulse.settledMs)} n'est pas un zéro, c'est inconnu.`;
  line.hidden = !words;
  if (words) text(line, words);
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[data-region], a[data-service], a[data-project], #reset, #live");
  if (!anchor || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(anchor.getAttribute("href"));
});
byId("choice").addEventListener("submit", (event) => event.preventDefault());
byId("place").addEventListener("change", (event) => {
  const [kind, code] = event.target.value.split(":");
  go(query(kind ? { [kind]: code } : { region: "" }));
});
byId("service").addEventListener("change", (event) => go(query({ service: event.target.value })));
byId("lengths").addEventListener("change", (event) => go(query({ duree: event.target.value === SPAN ? "" : event.target.value })));
addEventListener("popstate", () => { if (location.search !== shown) connect(); }); // not for a skip link's fragment
// Paper is light, and as wide as it is; what is folded on the screen is open on it.
const A4_PIXELS = 690;
addEventListener("beforeprint", () => {
  if (pulse) text(byId("printed"), `Vigie, le ${date(clockMs())} à ${hm(clockMs())}, heure de Paris · ${location.href}`);
  document.documentElement.classList.add("printing");
  byId("trust").open = true;
  redrawAt(A4_PIXELS);
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  byId("trust").open = false;
  redrawAt(null);
});
byId("print").addEventListener("click", () => print());
byId("copy").hidden = !navigator.clipboard; // browsers give it to https and to this machine alone
byId("copy").addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(location.href);
  text(event.target, "Adresse copiée");
  setTimeout(() => text(event.target, "Copier l'adresse"), 2000);
});
// What is above the fold has the height that the bars leave.
const fit = new ResizeObserver(() => document.documentElement.style.setProperty("--top", `${byId("contenu").offsetTop}px`));
for (const bar of document.querySelectorAll(".top, .strip")) fit.observe(bar);
startCurve();
startIncidents();
startTables(() => { if (board) matrix(board.regions, board.scope, lists, link); });
connect();
setInterval(tick, 500);
