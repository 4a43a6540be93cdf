/** The health of series in a list: the worst of what was found, as a badge and a sentence. */

import { html, nothing } from "../../vendor/lit.js";
import { formatSentence } from "../../format.js";

/** @typedef {{code: string, severity: "ok"|"info"|"warning"|"error", detail: string}} Check */
/** @typedef {{series_id: string, trainable: boolean, checks: Check[]}} Health */

const ORDER = ["ok", "info", "warning", "error"];
/** @type {Record<Check["severity"], [string, string]>} */
const BADGES = { ok: ["good", "Healthy"], info: ["", "Note"], warning: ["warn", "Look"], error: ["bad", "Problem"] };

/** @param {Check[]} checks @returns {Check|null} */
export function findWorst(checks) {
  const ordered = [...checks].sort((a, b) => ORDER.indexOf(b.severity) - ORDER.indexOf(a.severity));
  return ordered[0] ?? null;
}

/** @param {Health|undefined} health @param {string} href where all of it is told */
export function renderHealth(health, href) {
  if (!health) return html`<span class="soft">…</span>`;
  const worst = findWorst(health.checks);
  const [look, word] = BADGES[worst?.severity ?? "ok"];
  const isHealthy = !worst || worst.severity === "ok";
  return html`<a class="health" href=${href} title=${isHealthy ? "No check found anything" : worst.detail}>
    <span class="badge ${look}">${word}</span>${isHealthy ? nothing : html`<span class="health-words">${formatSentence(worst.detail)}</span>`}
  </a>`;
}
