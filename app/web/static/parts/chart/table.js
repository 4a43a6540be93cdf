/** What a chart shows, in rows: for those who do not see it, and for spreadsheets. */

import { findFirst, joinX } from "./traces.js";

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
export function thinRows(rows, most) {
  const stride = Math.ceil(rows.x.length / most) || 1;
  /** @template T @param {T[]} values */
  const thin = (values) => (stride === 1 ? values : values.filter((_, index) => index % stride === 0));
  return { names: rows.names, x: thin(rows.x), columns: rows.columns.map(thin) };
}
