/** What a chart shows, in rows: for those who do not see it, and for spreadsheets. */

import { html } from "../../vendor/lit.js";
import { formatNumber } from "../../format.js";
import { findFirst, joinX } from "./traces.js";

const MOST_ROWS = 500;

/**
 * @typedef {object} Rows
 * @property {string[]} names of the columns after x
 * @property {number[]} x
 * @property {(number|null|undefined)[][]} columns undefined: the layer has no value there
 */

/** Return the rows in view of the layers and bands that are shown. @param {import("./plot.js").Content} content @param {[number, number]} view @returns {Rows} */
export function collectRows({ layers, bands, hidden }, view) {
  const shownLayers = layers.filter(({ name }) => !hidden.has(name));
  const shownBands = bands.filter(({ name }) => !hidden.has(name));
  const traces = [
    ...shownLayers.map(({ name, x, y }) => ({ name, x, values: y })),
    ...shownBands.flatMap(({ name, x, low, high }) => [
      { name: `${name}, low`, x, values: low },
      { name: `${name}, high`, x, values: high },
    ]),
  ];
  const x = joinX(traces, view);
  return { names: traces.map(({ name }) => name), x, columns: traces.map((trace) => align(trace, x)) };
}

/** @param {{x: number[], values: (number|null)[]}} trace @param {number[]} xs ascending */
function align({ x, values }, xs) {
  let index = findFirst(x, xs[0] ?? 0);
  return xs.map((one) => {
    while (index < x.length && x[index] < one) index += 1;
    return x[index] === one ? values[index] : undefined;
  });
}

/** Keep every so many rows, so that at most `most` are left. @param {Rows} rows @param {number} most @returns {Rows} */
function thinRows(rows, most) {
  const stride = Math.ceil(rows.x.length / most) || 1;
  /** @template T @param {T[]} values */
  const thin = (values) => (stride === 1 ? values : values.filter((_, index) => index % stride === 0));
  return { names: rows.names, x: thin(rows.x), columns: rows.columns.map(thin) };
}

/** @param {import("../chart.js").Chart} chart @param {[number, number]} view */
export function renderTable(chart, view) {
  const all = collectRows(chart.content, view);
  const rows = thinRows(all, MOST_ROWS);
  const count = rows.x.length < all.x.length ? `: ${rows.x.length} of ${all.x.length.toLocaleString("en")} rows; CSV has all` : "";
  return html`<div class="scroll tall" tabindex="0" role="region" aria-label=${`Table of ${chart.label}`}>
    <table>
      <caption>${chart.label}${count}</caption>
      <thead><tr><th scope="col">${chart.axis === "time" ? `Time (${chart.timezone})` : "x"}</th>${rows.names.map((name) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
      <tbody>
        ${rows.x.map((x, row) => html`<tr><th scope="row">${chart.writeX(x)}</th>${rows.columns.map((column) => html`<td class="number">${column[row] === undefined ? "" : formatNumber(column[row])}</td>`)}</tr>`)}
      </tbody>
    </table>
  </div>`;
}
