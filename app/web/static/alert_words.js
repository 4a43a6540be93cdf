/** Alerts in words: rules, states, messages, and what became of them. */

import { formatCount, formatDuration, formatNumber, formatPercent, formatSentence } from "./format.js";
import { formatStamp } from "./wall_clock.js";

/** @typedef {"forecast"|"anomaly"|"drift"|"job"|"data"} Subject */
/** @typedef {Record<string, any>} Alert as GET /alerts/{name} answers it */
/** @typedef {Record<string, any>} AlertEvent as GET /alerts/{name}/events lists it */
/** @typedef {{kind: string, url: string, delivered_at: string|null, attempts: number, next_attempt: string|null, error: string|null}} Delivery */

/** @type {Record<Subject, string>} */
export const SUBJECTS = {
  forecast: "A forecast crosses a threshold",
  anomaly: "A value is improbable",
  drift: "A model becomes worse",
  job: "A job ends",
  data: "Values stop coming",
};

/** @type {Record<string, string>} units of durations, as the API writes them */
export const UNITS = { s: "second", min: "minute", h: "hour", D: "day", W: "week" };

/** @type {Record<string, string>} */
export const JOB_ENDS = { failed: "fails", succeeded: "succeeds", cancelled: "is cancelled" };

/** @param {string} duration such as 24h */
export function describeSpan(duration) {
  const [, count, unit] = /^(\d+)(\w+)$/.exec(duration) ?? [];
  return unit in UNITS ? formatCount(Number(count), UNITS[unit]) : duration;
}

/** Name the series of a rule. @param {string[]|{labels: Record<string, string>}|null} series @param {string} all what stands for no choice */
export function nameSeries(series, all) {
  if (!series) return all;
  if (!Array.isArray(series)) return `any series with ${Object.entries(series.labels).map((pair) => pair.join(": ")).join(", ")}`;
  if (series.length > 3) return `one of ${formatCount(series.length, "series", "series")}`;
  return series.join(" or ");
}

/** @param {number} quantile */
export const nameQuantile = (quantile) => (quantile === 0.5 ? "the median" : `the ${formatPercent(quantile, Number.isInteger(100 * quantile) ? 0 : 1)} quantile`);

/** Say what an alert watches, as the condition under which it fires. @param {Alert} alert */
export function describeRule({ on, model, series, when }) {
  if (on === "drift") return `The live forecasts of ${model} are worse than its test promised`;
  if (on === "job") return `A job of ${model ?? "any model"} ${JOB_ENDS[when.status]}`;
  if (on === "data") return `No new value for ${describeSpan(when.silent_for)} in ${nameSeries(series, "any series")}`;
  const about = nameSeries(series, "any of its series");
  if (on === "anomaly") return when.alarm ? `The watch of ${model} raises an alarm for ${about}` : `The watch of ${model} scores a value ${formatNumber(when.score)} or more, in ${about}`;
  const side = when.above === undefined ? `below ${formatNumber(when.below)}` : `above ${formatNumber(when.above)}`;
  return `Within ${describeSpan(when.within)}, ${nameQuantile(when.quantile)} of what ${model} forecasts for ${about} is ${side}`;
}

/** Say how long a condition must hold, or not hold. @param {Alert} alert */
export function describePatience(alert) {
  const begins = alert.for ? `It fires once that has held for ${describeSpan(alert.for)}` : "It fires at once";
  const ends = alert.keep_firing_for ? `is resolved once it has not held for ${describeSpan(alert.keep_firing_for)}` : "is resolved as soon as that no longer holds";
  return `${begins}, and ${ends}.`;
}

/** Say what has to happen before an alert is judged. @param {Subject} on */
const describeOccasion = (on) =>
  ({
    forecast: "It is judged when the model's schedule has made a forecast.",
    anomaly: "It is judged when the model's watch has scanned a value.",
    drift: "It is judged when the model's schedule has made a forecast.",
    job: "It is judged when a job ends.",
    data: "It is judged every ten seconds while a worker runs.",
  })[on];

/** @type {Record<Subject, [string, string]>} what an alert counts that fires */
const COUNTED = { forecast: ["series", "series"], anomaly: ["series", "series"], data: ["series", "series"], drift: ["model", "models"], job: ["kind of job", "kinds of jobs"] };

/** Say the state of an alert. @param {Alert} alert */
export function describeState(alert) {
  const problem = alert.problem ? `The last evaluation could judge nothing: ${formatSentence(alert.problem)}` : "";
  if (alert.state === "firing") return `It is firing for ${formatCount(alert.firing, ...COUNTED[/** @type {Subject} */ (alert.on)])}. ${problem}`;
  if (!alert.evaluated_at) return `Nothing was judged yet. ${describeOccasion(alert.on)}`;
  return problem || "All is well.";
}

/** Say what a message is about. @param {AlertEvent} event @param {Subject} on @param {string|null} [freq] of its series */
export function describeEvent({ state, value, threshold, ds }, on, freq = null) {
  if (state === "test") return "A test, sent by hand";
  const time = formatStamp(ds, freq);
  const number = formatNumber(value);
  if (on === "job") return ds ? `A job ended on ${time} UTC` : "A job ended";
  if (value === null) return state === "firing" ? "It holds" : "It holds no more";
  if (on === "data") return ds ? `Newest value of ${time}, ${formatDuration(value)} old` : "No value";
  if (on === "anomaly") return `Score ${number}${threshold === null ? "" : ` (from ${formatNumber(threshold)} on)`}, value of ${time}`;
  if (on === "drift") return `Live error (MASE) ${number}, at most ${formatNumber(threshold)} is well`;
  return `${number} forecast for ${time}; the threshold is ${formatNumber(threshold)}`;
}

/** Name the receiver by its host. @param {string} url */
export function nameHost(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** Say what became of a message at one receiver. @param {Delivery} delivery */
export function describeDelivery({ url, delivered_at, attempts, next_attempt, error }) {
  const host = nameHost(url);
  if (delivered_at) return `${host} took it${attempts > 1 ? ` at attempt ${attempts}` : ""}.`;
  const why = error ? `: ${error.replace(/\.$/, "")}` : "";
  if (!next_attempt) return `${host} did not take it${why}. ${formatCount(attempts, "attempt")}, then given up.`;
  if (!attempts) return `It is on its way to ${host}.`;
  return `${host} has not taken it after ${formatCount(attempts, "attempt")}${why}. It is tried again.`;
}

/** Return the newest state of each series, those that fire first. @param {AlertEvent[]} events the newest first */
export function listStates(events) {
  const seen = new Map();
  for (const event of events) {
    const key = event.series ?? event.model ?? "";
    if (event.state !== "test" && !seen.has(key)) seen.set(key, event);
  }
  return [...seen.values()].sort((one, other) => Number(other.state === "firing") - Number(one.state === "firing"));
}
