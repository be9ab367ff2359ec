// Figures of now, the verdict, the chain.
import { STATE_WORDS, approx, byId, decimal, hm, make, mark, number, text, times } from "./words.js";

export function now(board, lists) {
  const { scope } = board;
  const names = { france: () => "France entière", region: () => lists.regionNames.get(scope.code), academy: () => `Académie : ${lists.academyNames.get(scope.code)}`, project: () => `ENT : ${lists.projectNames.get(scope.code)}` };
  const service = scope.service ? ` · ${lists.serviceNames.get(scope.service)}` : "";
  text(byId("place-name"), names[scope.kind]() + service);
  const unit = scope.service ? "utilisations" : "visites";
  text(byId("big-unit"), `${unit} par minute`);
  text(byId("t-curve"), `${scope.service ? "Utilisations" : "Visites"} par minute`);
  text(byId("th-visits"), scope.service ? "Utilisations" : "Visites");
  const visits = board.now?.visits, events = board.now?.events;
  const big = byId("big");
  const shown = visits === undefined ? "–" : number(visits);
  if (big.textContent !== shown) {
    big.textContent = shown;
    big.classList.remove("fresh-number");
    void big.offsetWidth;
    big.classList.add("fresh-number");
  }
  text(byId("big-when"), visits === undefined ? "Aucune minute n'est encore arrêtée." : `minute de ${hm(board.now.minute * 60000)}, arrêtée`);
  figures(board.figures);
  text(byId("unmeasured"), board.unmeasured);
  document.title = `${names[scope.kind]()}${service} : ${shown} ${unit} par minute – Vigie`;
  against(board, visits);
}

function figures(found) {
  const box = byId("figures");
  if (box.children.length !== found.length) box.replaceChildren(...found.map(() => make("div", {}, make("dt"), make("dd"))));
  found.forEach(({ title, value, unit }, at) => {
    const [name, figure] = box.children[at].children;
    text(name, title);
    text(figure, value === null ? "pas encore" : typeof value === "string" ? value : unit === "%" ? `${decimal(value)}\u202f%` : unit ? approx(value) : number(value));
    figure.classList.toggle("none", value === null);
  });
}

// A figure is held against what was expected of the same minutes, or of nothing: the expectation of a minute comes a second after it.
function against(board, visits) {
  const items = [];
  const row = board.compared;
  if (row && visits !== undefined) {
    const observed = row.minutes === 1 ? visits : row.visits;
    const tone = observed > row.upper ? "high" : observed < row.lower ? "low" : "as";
    // An alert that runs was raised from more than one minute: that this one lies in the band is no reassurance.
    const told = board.spans.some(([, end]) => end === null);
    const where = { high: "au-dessus de la fourchette,", low: "sous la fourchette,", as: told ? "fourchette de" : "dans la fourchette," }[tone];
    const limits = `${where} ${number(Math.round(row.lower))} à ${number(Math.round(row.upper))}`;
    const ratio = make("b", {}, row.expected ? times(observed / row.expected) : "–");
    const when = row.minutes === 1 ? "" : ` de ${hm(row.first * 60000)} à ${hm((row.first + row.minutes) * 60000)}`;
    // A band that is still being learned is wide: what lies in it is no news, however the middle compares.
    if (row.learning && tone === "as") items.push(make("li", { class: "muted" }, `Attendu encore en apprentissage : ${limits}`));
    else items.push(make("li", { class: tone }, ratio, ` l'attendu${when} (${limits}${row.learning ? ", en apprentissage" : ""})`));
  } else items.push(make("li", { class: "muted" }, board.expectedNote ?? (board.expected ? "Attendu de cette minute : dans un instant" : "Pas encore d'attendu")));
  for (const { day, what, visits: then } of board.beside ?? []) {
    if (then && visits !== undefined) items.push(make("li", {}, make("b", {}, times(visits / then)), ` ${what}, même heure (${number(Math.round(then))})`));
    else items.push(make("li", { class: "muted" }, then === 0 ? `Aucune visite le ${day} à cette heure` : `Pas de chiffre archivé du ${day} à cette heure`));
  }
  if (!board.beside?.length) items.push(make("li", { class: "muted" }, board.beside ? "Aucun jour comparable dans les semaines d'avant" : "Pas d'archive : aucun jour d'avant"));
  byId("against").replaceChildren(...items);
}

// What the worst checks say: a chip that says « Non » must not need a click.
function reasons(found) {
  const worst = found.checks.filter((check) => check.state === found.state).map((check) => `${check.title} : ${check.value}.`);
  return [found.why, ...worst].join(" ");
}

let drawnTrust = "";
export function trust(found) {
  const key = JSON.stringify(found);
  if (key === drawnTrust) return;
  drawnTrust = key;
  const answer = byId("trust-answer");
  byId("trust").className = `trust s-${found.state}`;
  answer.replaceChildren(mark(found.state), found.answer);
  const why = byId("trust-why");
  why.className = `why s-${found.state}`;
  text(why, found.state === "ok" ? "" : reasons(found));
  byId("trust-checks").replaceChildren(...found.checks.map((check) => {
    const name = make("dt", {}, check.title, make("span", { class: "out" }, ` (${STATE_WORDS[check.state]})`));
    const row = make("div", {}, name, make("dd", {}, check.value), check.note ? make("dd", { class: "note" }, check.note) : null, check.limit ? make("dd", { class: "note" }, check.limit) : null);
    name.before(mark(check.state));
    return row;
  }));
}

export function chain(found) {
  const rows = [
    ["Retard", found.lagSeconds === null ? "inconnu" : `${decimal(found.lagSeconds)} s`],
    ["En attente", found.lagEvents === null ? "inconnu" : `${number(found.lagEvents)} év.`],
    ["Débit", found.perSecond === null ? "…" : `${number(Math.round(found.perSecond))} év./s`],
    ["Workers", found.redis ? number(found.workers.length) : "inconnu"],
    ["Partitions suivies", found.redis ? `${number(found.partitions.filter((p) => p.worker !== null).length)} sur ${number(found.partitions.length)}` : "inconnu"],
    ["Redis", found.redis ? "répond" : "ne répond pas"],
    ["Kafka", found.kafka === null ? "inconnu" : found.kafka ? "ne répond pas" : "répond"],
  ];
  const box = byId("chain");
  if (box.children.length !== rows.length) box.replaceChildren(...rows.map(([name]) => make("div", {}, make("dt", {}, name), make("dd"))));
  rows.forEach(([, value], at) => text(box.children[at].lastChild, value));
}

// Nothing is known of now: nothing of before may be read as of now. The next board and pulse draw all of it anew.
export function unknownNow() {
  text(byId("big"), "Inconnu");
  text(byId("big-when"), "");
  for (const figure of document.querySelectorAll("#figures dd, #chain dd")) text(figure, "Inconnu");
  byId("against").replaceChildren(make("li", { class: "muted" }, "Inconnu"));
  document.title = `Inconnu – ${byId("place-name").textContent} – Vigie`;
  trust({ state: "inconnu", answer: "Inconnu", why: "Rien n'est su de maintenant.", checks: [] });
}
