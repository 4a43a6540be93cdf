/** Rules of what is never an alarm, as rows of a form. */

import { html, nothing } from "../../vendor/lit.js";
import { readLabels, writeLabels } from "../selection.js";

const MOST = 50;

/** @typedef {import("../../watch_words.js").IgnoreRule} IgnoreRule */
/** @typedef {"up"|"down"|"absolute"|"relative"|"labels"} Kind */
/** @typedef {{kind: Kind, text: string}} Row `text`: a number, percent or labels */

/** @type {Record<Kind, string>} */
const KINDS = {
  up: "Values above the forecast",
  down: "Values below the forecast",
  absolute: "Values nearer to it than …",
  relative: "Values nearer to it than … % of it",
  labels: "Series with the label …",
};

/** @param {IgnoreRule} rule @returns {Row} */
export function readRule({ direction, absolute, relative, labels }) {
  if (direction) return { kind: direction, text: "" };
  if (absolute !== undefined) return { kind: "absolute", text: String(absolute) };
  if (relative !== undefined) return { kind: "relative", text: String(Number((100 * relative).toFixed(6))) };
  return { kind: "labels", text: writeLabels(labels ?? {}) };
}

/** @param {Row} row @returns {IgnoreRule} */
export function writeRule({ kind, text }) {
  if (kind === "absolute") return { absolute: Number(text) };
  if (kind === "relative") return { relative: Number(text) / 100 };
  return kind === "labels" ? { labels: readLabels(text) } : { direction: kind };
}

/** @param {Row[]} rows @param {(rows: Row[]) => void} change */
export function renderIgnored(rows, change) {
  const replace = (/** @type {number} */ index, /** @type {Partial<Row>} */ changes) => change(rows.map((row, other) => (other === index ? { ...row, ...changes } : row)));
  return html`${rows.map((row, index) => renderRow(row, index + 1, (changes) => replace(index, changes), () => change(rows.filter((_, other) => other !== index))))}
    ${rows.length < MOST ? html`<button type="button" @click=${() => change([...rows, { kind: "down", text: "" }])}>Add a rule</button>` : nothing}`;
}

/** @param {Row} row @param {number} number @param {(changes: Partial<Row>) => void} change @param {() => void} drop */
function renderRow({ kind, text }, number, change, drop) {
  const isNumber = kind === "absolute" || kind === "relative";
  return html`<div class="filters">
    <select aria-label="Rule ${number}" @change=${(/** @type {any} */ event) => change({ kind: event.target.value, text: "" })}>
      ${Object.entries(KINDS).map(([name, words]) => html`<option value=${name} ?selected=${name === kind}>${words}</option>`)}
    </select>
    ${isNumber || kind === "labels"
      ? html`<input class="few" aria-label="Value of rule ${number}" type=${isNumber ? "number" : "text"} min="0" step="any" required
          pattern=${isNumber ? nothing : ".+:.+"} placeholder=${isNumber ? "" : "key:value"} .value=${text} @input=${(/** @type {any} */ event) => change({ text: event.target.value })} />`
      : nothing}
    <button type="button" class="quiet" aria-label="Remove rule ${number}" @click=${drop}>Remove</button>
  </div>`;
}
