// Incidents: what the observer folded alerts into, with what each explains, who has taken it in charge, and where it leads.
import { replace, rove } from "./roving.js";
import { byId, duration, hm, make, mark, number, text } from "./words.js";

export const startIncidents = () => rove(byId("alerts"));

let drawn = "";
// `stillMs`: where the chain stands still, up to when it is known what ran.
export function incidents(found, stillMs) {
  const key = JSON.stringify([stillMs, found ?? null], (name, value) => (name === "seconds" ? Math.floor(value / 60) : value));
  if (key === drawn) return;
  drawn = key;
  const box = byId("alerts");
  if (!found) {
    text(byId("alerts-count"), "");
    replace(box, make("p", { class: "muted calm" }, "Pas encore d'attendu : rien n'est jugé pour le moment."));
    return;
  }
  const open = new Set([...box.querySelectorAll("details[open][data-id]")].map((node) => node.dataset.id));
  const running = found.list.filter((one) => one.endMinute === null);
  const ended = found.list.filter((one) => one.endMinute !== null);
  text(byId("alerts-count"), running.length ? `${number(found.running)} en cours${found.alerts > found.running ? `, de ${number(found.alerts)} alertes` : ""}` : "");
  const ok = stillMs === null ? make("p", { class: "state s-ok calm" }, mark("ok"), "Aucune alerte en cours") : make("p", { class: "state s-inconnu calm" }, mark("inconnu"), `Aucune alerte jusqu'à ${hm(stillMs)} ; depuis, inconnu`);
  const calm = running.length ? null : ok;
  const list = (items, more) => make("ul", more, ...items.map((one) => item(one, open)));
  const past = ended.length ? make("details", {}, make("summary", {}, `${many(found.ended, "incident")} ${found.ended > 1 ? "finis" : "fini"}`), cut(ended.length, found.ended), list(ended, {})) : null;
  if (past) past.open = box.querySelector(":scope > details")?.open ?? !running.length;
  const unknown = running.length && !found.acknowledgementsKnown ? make("p", { class: "muted" }, "Prises en charge inconnues : Alertmanager ne répond pas.") : null;
  replace(box, ...[calm, cut(running.length, found.running), unknown, running.length ? list(running, { class: "running" }) : null, past].filter(Boolean));
}

export function unknownIncidents() {
  drawn = "";
  text(byId("alerts-count"), "");
  replace(byId("alerts"), make("p", { class: "state s-inconnu calm" }, mark("inconnu"), "Inconnu"));
}

const many = (n, word) => `${number(n)} ${word}${n > 1 ? "s" : ""}`;
const cut = (shown, all) => (shown < all ? make("p", { class: "muted" }, `${number(shown)} sur ${number(all)}`) : null);
const QUIET = {
  learning: "en apprentissage, personne n'est prévenu", small: "trop peu de visites pour prévenir quelqu'un",
  held: "appel dans 2 min au plus, si rien d'autre ne l'explique",
};
const spaced = (words) => words.replaceAll("× ", "×\u00a0");

function item(one, open) {
  const isOver = one.endMinute !== null;
  const span = isOver ? `de ${hm(one.startMinute * 60000)} à ${hm(one.endMinute * 60000)}` : `en cours depuis ${duration(one.seconds)}`;
  const quiet = one.planned ? `prévu : ${one.planned}, personne n'est prévenu` : QUIET[one.quiet];
  const taken = one.acknowledged ? `pris en charge par ${one.acknowledged.by} jusqu'à ${hm(one.acknowledged.untilMs)}` : null;
  const tone = isOver ? " ended" : one.planned ? " planned" : one.kind === "surge" ? " surge" : "";
  const more = [span, quiet, taken, one.apart ? `${many(one.apart, "autre incident")} dans ce périmètre` : null].filter(Boolean);
  return make("li", { class: `alert${tone}` }, make("h3", {}, make("a", { href: one.links.page }, one.title)), make("p", {}, spaced(one.explanation)), explained(one, open),
    make("p", { class: "meta" }, `${more.join(" · ")} · `, make("a", { href: one.links.runbook }, "que faire ?"), " · ", one.links.board.startsWith("http") ? make("a", { href: one.links.board }, "tableau de bord") : null, one.links.board.startsWith("http") ? " · " : null, make("a", { href: one.links.json }, "JSON")));
}

// What an incident explains is folded: a count, and the parts when asked.
function explained(one, open) {
  if (!one.explained) return null;
  const ratio = (part) => (part.ratio === null ? "" : ` (×\u00a0${part.ratio.toLocaleString("fr-FR", { maximumFractionDigits: 1 })})`);
  const parts = make("ul", { class: "parts" }, ...one.parts.map((part) => make("li", {}, `${part.title}${ratio(part)}`)));
  return make("details", { "data-id": one.id, open: open.has(one.id) }, make("summary", {}, one.explained), cut(one.parts.length, one.explains.alerts), parts);
}
