/** Differences between versions. */

import { getGate, MEASURES } from "./judging.js";

/** @typedef {{name: string, values: unknown[], differs: boolean}} Line a value of each version */

/** Write nested fields as `outer.inner`. @param {Record<string, any>} fields @param {string} [before] @returns {Record<string, unknown>} */
function flatten(fields, before = "") {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value && typeof value === "object" && !Array.isArray(value) ? Object.entries(flatten(value, `${before}${name}.`)) : [[`${before}${name}`, value]],
    ),
  );
}

/** @param {string} name @param {unknown[]} values @returns {Line} */
const makeLine = (name, values) => ({ name, values, differs: new Set(values.map((value) => JSON.stringify(value))).size > 1 });

/** Compare what versions were given: options, data and seed. @param {Record<string, any>[]} versions @returns {Line[]} */
export function compareConfigs(versions) {
  const all = versions.map(({ config, data_span, provenance, cleaning }) => ({
    ...flatten(config),
    "data.start": data_span.start,
    "data.end": data_span.end,
    "data.series": data_span.series.length,
    "cleaning.filled": cleaning.filled.total,
    "cleaning.clipped": cleaning.clipped.total,
    device: provenance.device,
  }));
  const names = [...new Set(all.flatMap((fields) => Object.keys(fields)))];
  return names.map((name) => makeLine(name, all.map((fields) => /** @type {Record<string, unknown>} */ (fields)[name] ?? null)));
}

/** Compare measures on each version's own gate. @param {Record<string, any>[]} versions @returns {(Line & {measure: string})[]} */
export function compareMeasures(versions) {
  return MEASURES.map(({ name, label }) => ({
    ...makeLine(label, versions.map(({ metrics }) => getGate(metrics)?.[name] ?? null)),
    measure: name,
  })).filter(({ values }) => values.some((value) => value !== null));
}
