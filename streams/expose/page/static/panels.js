// Figures of now, alerts, the verdict, the chain.
import { STATE_WORDS, approx, byId, decimal, duration, hm, make, mark, number, text, times } from "./words.js";

export function now(board, lists) {
  const { scope } = board;
  const names = { france: () => "France entière", region: () => lists.regionNames.get(scope.code), academy: () => `Académie : ${lists.academyNames.get(scope.code)}`, project: () => `ENT : ${lists.projectNames.get(scope.code)}` };
  const service = scope.service ? ` · ${lists.serviceNames.get(scope.service)}` : "";
  text(byId("place-name"), names[scope.kind]() + service);
  text(byId("big-unit"), scope.service ? "utilisations par minute" : "visites par minute");
  const visits = board.visits.at(-1), events = board.events.at(-1);
  const last = board.first + board.visits.length - 1;
  const big = byId("big");
  const shown = visits === undefined ? "–" : number(visits);
  if (big.textContent !== shown) {
    big.textContent = shown;
    big.classList.remove("fresh-number");
    void big.offsetWidth;
    big.classList.add("fresh-number");
  }
  text(byId("big-when"), visits === undefined ? "Aucune minute n'est encore arrêtée." : `minute de ${hm(last * 60000)}, arrêtée`);
  figure("users-15m", approx(board.users["15m"]));
  figure("users-day", approx(board.users.day));
  figure("events", events === undefined ? null : number(events));
  figure("establishments", approx(board.users.establishments));
  document.title = `${names[scope.kind]()}${service} : ${shown} ${scope.service ? "utilisations" : "visites"} par minute – Vigie`;
  against(board, visits);
}

function figure(id, value) {
  const node = byId(id);
  text(node, value ?? "non mesuré ici");
  node.classList.toggle("none", value === null);
}

function against(board, visits) {
  const items = [];
  const at = board.visits.length - 1;
  const expected = board.expected?.expected[at] ?? null;
  if (expected !== null && visits !== undefined) {
    const low = Math.round(board.expected.lower[at]), high = Math.round(board.expected.upper[at]);
    const tone = visits > board.expected.upper[at] ? "high" : visits < board.expected.lower[at] ? "low" : "as";
    const learning = board.expected.learning ? ", en apprentissage" : "";
    items.push(make("li", { class: tone }, make("b", {}, expected ? times(visits / expected) : "–"), ` de l'attendu (entre ${number(low)} et ${number(high)}${learning})`));
  } else items.push(make("li", { class: "muted" }, "Pas encore d'attendu"));
  const before = board.rentree ?? null;
  if (before && before.visits && visits !== undefined) items.push(make("li", {}, make("b", {}, times(visits / before.visits)), ` de la rentrée du ${before.day} à la même heure (${number(before.visits)})`));
  else items.push(make("li", { class: "muted" }, board.rentreeNote ?? "Pas d'archive de la dernière rentrée"));
  byId("against").replaceChildren(...items);
}

const KINDS = { surge: "Affluence", drop: "Chute", silence: "Silence" };
export function alerts(found, lists) {
  const box = byId("alerts");
  if (found === null || found === undefined) {
    box.replaceChildren(make("p", { class: "muted calm" }, "Pas encore d'attendu : rien n'est jugé pour le moment."));
    return;
  }
  const running = found.filter((alert) => alert.endMinute === null);
  const ended = found.filter((alert) => alert.endMinute !== null);
  const calm = running.length ? null : make("p", { class: "state s-ok calm" }, mark("ok"), "Aucune alerte en cours");
  const list = [...running, ...ended].map((alert) => item(alert, lists));
  box.replaceChildren(...[calm, list.length ? make("ul", {}, ...list) : null].filter(Boolean));
}

function item(alert, lists) {
  const isOver = alert.endMinute !== null;
  const place = alert.where || lists.regionNames.get(alert.region) || "France";
  const end = isOver ? `, finie à ${hm(alert.endMinute * 60000)}` : `, en cours depuis ${duration(alert.seconds ?? 0)}`;
  return make("li", { class: `alert${isOver ? " ended" : ""}` }, make("h3", {}, `${KINDS[alert.kind] ?? alert.kind} : ${place}`), make("p", {}, alert.explanation), make("p", { class: "meta" }, `depuis ${hm(alert.startMinute * 60000)}${end}`));
}

let drawnTrust = "";
export function trust(found) {
  const key = JSON.stringify(found);
  if (key === drawnTrust) return;
  drawnTrust = key;
  const answer = byId("trust-answer");
  answer.className = `answer s-${found.state}`;
  answer.replaceChildren(mark(found.state), found.answer);
  text(byId("trust-why"), found.why);
  byId("trust-checks").replaceChildren(...found.checks.map((check) => {
    const name = make("dt", {}, check.title, make("span", { class: "out" }, ` (${STATE_WORDS[check.state]})`));
    const row = make("div", {}, name, make("dd", {}, check.value), check.note ? make("dd", { class: "note" }, check.note) : null);
    name.before(mark(check.state));
    return row;
  }));
}

export function chain(found, lateness) {
  const rows = [
    ["Retard", found.lagSeconds === null ? "inconnu" : `${decimal(found.lagSeconds)} s`],
    ["En attente", found.lagEvents === null ? "inconnu" : `${number(found.lagEvents)} év.`],
    ["Débit", found.perSecond === null ? "…" : `${number(Math.round(found.perSecond))} év./s`],
    ["Workers", found.redis ? number(found.workers.length) : "inconnu"],
    ["Partitions lues", found.redis ? `${number(found.partitions.filter((p) => p.worker !== null).length)} sur ${number(found.partitions.length)}` : "inconnu"],
    ["Redis", found.redis ? "répond" : "ne répond pas"],
  ];
  void lateness;
  const box = byId("chain");
  if (box.children.length !== rows.length) box.replaceChildren(...rows.map(([name]) => make("div", {}, make("dt", {}, name), make("dd"))));
  rows.forEach(([, value], at) => text(box.children[at].lastChild, value));
}
