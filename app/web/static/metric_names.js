/** What models and series are called in Prometheus and Grafana, and queries for them. */

/** @param {string} name */
const begin = (name) => (/^\d/.test(name) ? `_${name}` : name);

/** @param {string} model */
export const spellMetric = (model) => begin(model.replace(/[^a-zA-Z0-9_:]/g, "_"));

/** Write a selector. @param {string} metric @param {Record<string, string>} labels */
export const writeSelector = (metric, labels) => `${metric}{${Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`).join(",")}}`;

/** @param {string} value */
const escape = (value) => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** Write the query of the metric that a series was read from; null where its labels name none. @param {Record<string, string>} labels */
function writeOriginal({ __name__: name, ...others }) {
  if (!name) return null;
  const legal = Object.fromEntries(Object.entries(others).filter(([label]) => /^[a-zA-Z_]\w*$/.test(label)));
  if (/^[a-zA-Z_:][\w:]*$/.test(name)) return writeSelector(name, legal);
  return writeSelector("", { __name__: name, ...legal });
}

/**
 * Return the queries of a series, with what each is.
 * @param {string} model @param {{id: string, labels: Record<string, string>}} series @param {string[]} models names of all
 * @returns {{title: string, hint: string, text: string}[]}
 */
export function listQueries(model, { id, labels }, models) {
  const metric = spellMetric(model);
  const isShared = models.some((other) => other !== model && spellMetric(other) === metric);
  const exact = { series: id, ...(isShared ? { model } : {}) };
  const original = writeOriginal(labels);
  return [
    ...(original ? [{ title: "Original", hint: "What the series was read from, in your own Prometheus.", text: original }] : []),
    { title: "Predicted", hint: "The median, past and future. yhat_lower and yhat_upper are its interval.", text: writeSelector(`${metric}:predicted`, { ...exact, ml_forecast: "yhat" }) },
    { title: "Actual", hint: "The values as they are stored here.", text: writeSelector(`${metric}:actual`, exact) },
    { title: "Anomalous", hint: "-1 below, 0 inside, 1 above the interval that was forecast before.", text: writeSelector(`${metric}:anomalous`, exact) },
  ];
}
