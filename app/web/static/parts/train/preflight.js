/** What a training would take, and what may surprise it: sentences, the worst first. */

import { html, nothing } from "../../vendor/lit.js";
import { formatBytes, formatCount, formatDuration, formatSentence } from "../../format.js";

/** @typedef {import("../series_list/health.js").Check & {training: string|null, option: string|null}} Check */
/** @typedef {{check: Check, series: string[]}} Finding one kind of finding, and the series that have it */

const ORDER = ["error", "warning", "info"];
/** @type {Record<string, [string, string]>} */
const BADGES = { error: ["bad", "Problem"], warning: ["warn", "Look"], info: ["", "Note"] };

/** @param {any} preview */
export function renderPreflight({ estimate, checks }) {
  const findings = collectFindings(checks.items);
  return html`<p class="lead">${describeEstimate(estimate)}</p>
    ${findings.length ? nothing : html`<p><span class="badge good">Healthy</span> No check found anything that may surprise the training.</p>`}
    <ul class="findings">
      ${findings.map(renderFinding)}
    </ul>
    ${checks.checked < checks.series ? html`<p class="hint">The first ${checks.checked.toLocaleString("en")} of ${checks.series.toLocaleString("en")} series were checked.</p>` : nothing}
    ${renderFacts(estimate, checks.series)}`;
}

/** @param {any} estimate */
function describeEstimate({ seconds, windows }) {
  if (windows === 0) return "There is too little history: not one window of context and horizon fits into it.";
  if (!seconds) return "Ready to start. How long it takes shows as soon as it runs.";
  return `Ready to start: it takes about ${formatDuration(seconds)}.`;
}

/** @param {any} estimate @param {number} series */
function renderFacts({ rows, windows, steps, memory_bytes: memory }, series) {
  return html`<dl class="facts">
    <dt>Series</dt><dd>${series.toLocaleString("en")}</dd>
    <dt>History</dt><dd>${formatCount(rows, "step")}</dd>
    ${windows === null ? nothing : html`<dt>Examples</dt><dd>${formatCount(windows, "window")}</dd>`}
    ${steps === null ? nothing : html`<dt>Training</dt><dd>${formatCount(steps, "step")} at most</dd>`}
    ${memory === null ? nothing : html`<dt>Memory</dt><dd>${formatBytes(memory)}</dd>`}
  </dl>`;
}

/** Put the same finding of several series together, the worst first. @param {{series_id: string, checks: Check[]}[]} items @returns {Finding[]} */
function collectFindings(items) {
  /** @type {Map<string, Finding>} */
  const findings = new Map();
  for (const { series_id: id, checks } of items) {
    for (const check of checks.filter(({ severity }) => severity !== "ok")) {
      const name = `${check.severity} ${check.code}`;
      const finding = findings.get(name);
      if (finding) finding.series.push(id);
      else findings.set(name, { check, series: [id] });
    }
  }
  return [...findings.values()].sort((a, b) => ORDER.indexOf(a.check.severity) - ORDER.indexOf(b.check.severity) || b.series.length - a.series.length);
}

/** @param {Finding} finding */
function renderFinding({ check, series }) {
  const [look, word] = BADGES[check.severity];
  return html`<li>
    <span class="badge ${look}">${word}</span>
    ${series.length > 1 ? html`<strong>${formatCount(series.length, "series", "series")}</strong>, such as ${series[0]}: ` : nothing}${series.length > 1 ? `${check.detail}.` : formatSentence(check.detail)}
    ${check.training || check.option
      ? html`<details>
          <summary>What the training does about it</summary>
          ${check.training ? html`<p>${formatSentence(check.training)}</p>` : nothing} ${check.option ? html`<p class="hint">To change that: ${check.option}</p>` : nothing}
        </details>`
      : nothing}
  </li>`;
}

/** Say whether the request itself is at fault, so that sending it again is of no use. @param {import("../../api.js").Problem|null} problem */
export const isRefusal = (problem) => problem !== null && problem.status >= 400 && problem.status < 500;

/** @param {import("../../api.js").Problem} problem @param {(field: string) => void} open goes to a field, such as `body.network.hidden` */
export function renderRefusal({ detail, errors }, open) {
  return html`<div class="problem" role="alert">
    <strong>It would be refused</strong>
    ${errors.length ? nothing : html`<p>${formatSentence(detail)}</p>`}
    <ul class="sentences">
      ${errors.map(
        (one) => html`<li><button type="button" class="link" @click=${() => open(one.field)}>${one.field.replace(/^body\./, "")}</button>: ${one.detail}</li>`,
      )}
    </ul>
  </div>`;
}
