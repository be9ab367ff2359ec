// Sends uses of services, one JSON object a line on standard input, to a collector. Needs Node 18 or later alone (Debian: nodejs).
//   VIGIE_TOKEN=... ENT_SECRET=... node publish.mjs https://vigie.example.org:8400 mbn < uses.ndjson
// NODE_EXTRA_CA_CERTS names the authority of the collector's certificate, where it is not a public one.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const BATCH_EVENTS_MAX = 500;
const TRIES_MAX = 8;

/** The secret of the project: text, or hex:... for bytes. */
function secret() {
  const text = process.env.ENT_SECRET ?? "";
  const isHex = text.startsWith("hex:");
  if (!isHex || /^hex:([0-9a-f]{2})+$/i.test(text)) {
    const bytes = isHex ? Buffer.from(text.slice(4), "hex") : Buffer.from(text);
    if (bytes.length >= 16) return bytes;
  }
  console.error("ENT_SECRET is no secret of at least 16 bytes (text, or hex:...)");
  process.exit(2);
}

/** Sends a batch until it is answered for, always with the same ids; returns how many of its events Kafka confirmed. */
async function send(url, events, token) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" };
  const request = { method: "POST", headers, body: gzipSync(events.join("\n")) };
  let why = "";
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    let seconds = 1;
    try {
      const answer = await fetch(`${url}/v1/events`, { ...request, signal: AbortSignal.timeout(60_000) });
      const text = await answer.text();
      if (answer.status === 200 || answer.status === 422) {
        const found = JSON.parse(text);
        for (const { line, reason } of found.refused_lines) console.error(`refused (${reason}): ${events[line - 1]}`);
        return found.accepted;
      }
      why = `${answer.status} ${text}`;
      if (answer.status !== 429 && answer.status < 500) break; // to send it again would change nothing
      seconds = Number(answer.headers.get("retry-after")) || 1;
    } catch (error) {
      why = String(error.cause ?? error);
    }
    await pause(seconds * 1000);
  }
  console.error(`not confirmed, keep it and send it later with the same ids: ${why}`);
  return 0;
}

const [url, project] = process.argv.slice(2);
const token = process.env.VIGIE_TOKEN ?? "";
const key = secret();
let batch = [];
let taken = 0;
let delivered = 0;

async function flush() {
  if (batch.length === 0) return;
  taken += batch.length;
  delivered += await send(url, batch, token);
  batch = [];
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") continue;
  const { id, user, uai, service, profile } = JSON.parse(line);
  const visitor = createHmac("sha256", key).update(user).digest("hex"); // the user's id goes no further
  batch.push(JSON.stringify({ v: 1, id, ts: Date.now(), project, uai, service, profile, visitor }));
  if (batch.length >= BATCH_EVENTS_MAX) await flush();
}
await flush();
console.error(`${delivered} delivered, ${taken - delivered} failed`);
process.exitCode = taken > delivered ? 1 : 0;
