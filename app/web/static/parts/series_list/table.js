/** The table of series. */

import { html, nothing, repeat } from "../../vendor/lit.js";
import { formatNumber, formatTime } from "../../format.js";
import { link } from "../../router.js";
import "../sparkline.js";
import { renderHealth } from "./health.js";

const LABELS_SHOWN = 3;

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} freq
 * @property {string} timezone
 * @property {string|null} unit
 * @property {string|null} description
 * @property {Record<string, string>} labels
 * @property {number} count
 * @property {{ds: string[], y: number[]}} recent
 */

/**
 * @typedef {object} Choice which rows are ticked; null where nothing could be done with them
 * @property {Set<string>} ids
 * @property {(ids: string[], isOn: boolean) => void} set
 */

/**
 * @param {Row[]} rows @param {Map<string, import("./health.js").Health>|null} health null where it could not be read
 * @param {Choice|null} choice @param {(key: string, value: string) => void} filter
 */
export function renderTable(rows, health, choice, filter) {
  return html`<div class="scroll">
    <table class="series-table">
      <caption class="hidden-text">Series by id</caption>
      <thead>
        <tr>
          ${choice ? html`<th scope="col">${renderTickAll(rows, choice)}</th>` : nothing}
          <th scope="col">Series</th>
          <th scope="col" class="hide-narrow">Labels</th>
          <th scope="col" class="hide-narrow">Frequency</th>
          <th scope="col" class="number hide-narrow">Values</th>
          <th scope="col" class="number">Last value</th>
          <th scope="col">Recent</th>
          <th scope="col">Health</th>
        </tr>
      </thead>
      <tbody>
        ${repeat(rows, (row) => row.id, (row) => renderRow(row, health, choice, filter))}
      </tbody>
    </table>
  </div>`;
}

/** @param {Row[]} rows @param {Choice} choice */
function renderTickAll(rows, { ids, set }) {
  const ticked = rows.filter((row) => ids.has(row.id)).length;
  return html`<input
    type="checkbox"
    aria-label="All series of this page"
    .checked=${ticked === rows.length}
    .indeterminate=${ticked > 0 && ticked < rows.length}
    @change=${(/** @type {any} */ event) => set(rows.map((row) => row.id), event.target.checked)}
  />`;
}

/** @param {Row} row @param {Map<string, import("./health.js").Health>|null} health @param {Choice|null} choice @param {(key: string, value: string) => void} filter */
function renderRow(row, health, choice, filter) {
  const href = link("series/one", { id: row.id });
  const last = row.recent.y.length - 1;
  return html`<tr>
    ${choice
      ? html`<td>
          <input
            type="checkbox"
            aria-label="Choose ${row.id}"
            .checked=${choice.ids.has(row.id)}
            @change=${(/** @type {any} */ event) => choice.set([row.id], event.target.checked)}
          />
        </td>`
      : nothing}
    <td class="id"><a href=${href}>${row.id}</a>${row.description ? html`<div class="soft clip">${row.description}</div>` : nothing}</td>
    <td class="hide-narrow">${renderLabels(row.labels, filter)}</td>
    <td class="hide-narrow"><code>${row.freq}</code></td>
    <td class="number hide-narrow">${row.count.toLocaleString("en")}</td>
    <td class="number">
      ${last < 0
        ? html`<span class="soft">no value yet</span>`
        : html`${formatNumber(row.recent.y[last], row.unit)}
            <div class="soft">${formatTime(row.recent.ds[last], row.timezone, row.freq)}</div>`}
    </td>
    <td><gc-sparkline .ds=${row.recent.ds} .y=${row.recent.y} .label=${`Newest values of ${row.id}`}></gc-sparkline></td>
    <td>${health ? renderHealth(health.get(row.id), href) : html`<span class="soft">could not be read</span>`}</td>
  </tr>`;
}

/** @param {Record<string, string>} labels @param {(key: string, value: string) => void} filter */
function renderLabels(labels, filter) {
  const pairs = Object.entries(labels);
  return html`<div class="tags">
    ${pairs
      .slice(0, LABELS_SHOWN)
      .map(
        ([key, value]) => html`<button type="button" class="tag" title="Show those with ${key}: ${value}" @click=${() => filter(key, value)}>
          <span class="soft">${key}</span> ${value}
        </button>`,
      )}
    ${pairs.length > LABELS_SHOWN ? html`<span class="soft">+ ${pairs.length - LABELS_SHOWN}</span>` : nothing}
  </div>`;
}
