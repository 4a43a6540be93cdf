/** Watches in words: what is scanned, what is an alarm, and how good the alarms were. */

import { formatAgo, formatCount, formatNumber, formatPercent } from "./format.js";

/** @typedef {Record<string, any>} Watch as GET /models/{name}/watch answers it */
/** @typedef {{direction?: "up"|"down", absolute?: number, relative?: number, labels?: Record<string, string>}} IgnoreRule */
/** @typedef {{series: string, ds: string, y: number, expected: number, lower: number, upper: number, score: number, verdict: "normal"|"anomaly"|null}} Alarm */

/** Percent with as many digits as a level needs. @param {number} part */
export const formatLevel = (part) => `${Number((100 * part).toFixed(4))} %`;

/** @param {IgnoreRule} rule */
export function describeIgnored({ direction, absolute, relative, labels }) {
  if (direction) return `values ${direction === "up" ? "above" : "below"} the forecast`;
  if (absolute !== undefined) return `values nearer to the forecast than ${formatNumber(absolute)}`;
  if (relative !== undefined) return `values nearer to the forecast than ${formatLevel(relative)} of it`;
  return `series with ${Object.entries(labels ?? {}).map((pair) => pair.join(": ")).join(", ")}`;
}

/** Say what a watch does. @param {Watch} watch */
export function describeWatch({ watched, ahead, level, alarms_per_week, ignore, scanned_at }) {
  const from = ahead === 1 ? "the step before it" : `${ahead} steps before it`;
  const share = alarms_per_week === null ? `An alarm is what ${formatLevel(level)} of ordinary values are not.` : `Thresholds are such that about ${formatNumber(alarms_per_week)} ${alarms_per_week === 1 ? "alarm comes" : "alarms come"} in a week, of all series together.`;
  const left = ignore.length ? ` Left out are ${ignore.map(describeIgnored).join("; ")}.` : "";
  const last = scanned_at ? ` The last scan was ${formatAgo(scanned_at)}.` : " Nothing was scanned yet: it begins with the next value that comes.";
  return `${formatCount(watched, "series is", "series are")} scanned as values come; each value is compared with what was forecast of it from ${from}. ${share}${left}${last}`;
}

/** Say how good the alarms were by what people said. @param {Watch} watch */
export function describeVerdicts({ alarms, verdicts }) {
  const count = alarms.total ? `${formatCount(alarms.total, "alarm")} so far, ${alarms.last_week} in the last week.` : "No alarm so far.";
  const judged = verdicts.normal + verdicts.anomaly;
  if (!judged) return `${count} Nobody has said yet which values were normal.`;
  const said = `${formatCount(judged, "value was", "values were")} judged by people: ${formatCount(verdicts.anomaly, "anomaly", "anomalies")}, ${verdicts.normal} normal.`;
  const precision = verdicts.precision === null ? "" : ` Of the alarms that were judged, ${formatPercent(verdicts.precision)} were right (precision).`;
  const recall = verdicts.recall === null ? "" : ` Of the anomalies, ${formatPercent(verdicts.recall)} had raised an alarm (recall).`;
  return `${count} ${said}${precision}${recall}`;
}

/** Say what was seen and what was expected. @param {Pick<Alarm, "y"|"expected"|"lower"|"upper"|"score">} alarm */
export function describeAlarm({ y, expected, lower, upper, score }) {
  const bounds = `${formatNumber(expected)}, between ${formatNumber(lower)} and ${formatNumber(upper)}`;
  if (y >= lower && y <= upper) return `${formatNumber(y)} alone is as expected (${bounds}); the steps up to it are not what came before`;
  const side = y > expected ? "above" : "below";
  return `${formatNumber(y)} is ${score >= 6 ? "far " : ""}${side} what was expected: ${bounds}`;
}
