/** Measures of several forecasters side by side. */

import { html } from "../vendor/lit.js";
import { formatMeasure, isShare, MEASURES } from "../judging.js";

/** @typedef {{label: unknown, measures: import("../judging.js").Measures|null|undefined, isOwn?: boolean}} Row */

/** Return the least value of each measure, which is marked; of shares there is none. @param {Row[]} rows */
function findLeast(rows) {
  return Object.fromEntries(
    MEASURES.filter(({ name }) => !isShare(name)).map(({ name }) => [name, Math.min(...rows.map((row) => row.measures?.[name] ?? Infinity))]),
  );
}

/** Draw a table of measures: a row each, the best of each column marked. @param {Row[]} rows @param {string} caption @param {string} [what] heading of the first column */
export function renderMeasures(rows, caption, what = "Forecast") {
  const shown = MEASURES.filter(({ name }) => rows.some((row) => row.measures?.[name] !== undefined));
  const least = findLeast(rows);
  return html`<div class="scroll" tabindex="0">
    <table>
      <caption>${caption}</caption>
      <thead>
        <tr>
          <th scope="col">${what}</th>
          ${shown.map(({ label, hint }) => html`<th scope="col" class="number"><abbr title=${hint}>${label}</abbr></th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr class=${row.isOwn ? "chosen" : ""}>
            <th scope="row">${row.label}</th>
            ${shown.map(({ name }) => {
              const value = row.measures?.[name];
              return html`<td class="number ${value !== undefined && value === least[name] ? "best" : ""}">${formatMeasure(name, value)}</td>`;
            })}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
