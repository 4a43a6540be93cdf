/** An alert while it is written: what the form shows, from an alert or an address, and the body that it becomes. */

import { readSelection } from "../selection.js";

/** @typedef {{count: string, unit: string}} Span a duration; without a count there is none */
/** @typedef {{kind: "webhook"|"alertmanager", url: string, secret: string, kept: string}} Receiver `kept`: the address whose secret the service has */
/**
 * @typedef {object} Draft
 * @property {string} name
 * @property {import("../../alert_words.js").Subject} on
 * @property {string} model empty: any
 * @property {import("../series_picker.js").Selection} selection
 * @property {string} quantile
 * @property {"above"|"below"} side
 * @property {string} threshold
 * @property {Span} within
 * @property {"alarm"|"score"} measure
 * @property {string} score
 * @property {string} status
 * @property {Span} silent
 * @property {Span} hold
 * @property {Span} keep
 * @property {Receiver[]} send
 */

const NOTHING = { count: "", unit: "min" };
/** @type {Readonly<import("../../alert_words.js").Subject[]>} */
export const OF_SERIES = ["forecast", "anomaly", "data"];

/** @returns {Receiver} */
export const startReceiver = () => ({ kind: "webhook", url: "", secret: "", kept: "" });

/** @param {string|null|undefined} text such as 24h @param {Span} [otherwise] @returns {Span} */
function readSpan(text, otherwise = NOTHING) {
  const [, count, unit] = /^(\d+)(\w+)$/.exec(text ?? "") ?? [];
  return count ? { count, unit } : otherwise;
}

/** @param {Span} span */
const writeSpan = ({ count, unit }) => (count ? `${count}${unit}` : null);

/** Begin an alert with what an address says. @param {Record<string, any>} query @returns {Draft} */
export function startDraft(query) {
  return {
    name: "",
    on: query.on ?? "forecast",
    model: query.model ?? "",
    selection: readSelection(query) ?? "all",
    quantile: "0.9",
    side: "above",
    threshold: "",
    within: { count: "24", unit: "h" },
    measure: "alarm",
    score: "4",
    status: "failed",
    silent: { count: "6", unit: "h" },
    hold: NOTHING,
    keep: NOTHING,
    send: [startReceiver()],
  };
}

/** @param {import("../../alert_words.js").Alert} alert @returns {Draft} */
export function readDraft({ name, on, model, series, when, for: hold, keep_firing_for, send }) {
  const draft = startDraft({ on, model });
  const threshold = when.above ?? when.below;
  return {
    ...draft,
    name,
    selection: Array.isArray(series) ? { ids: series } : (series ?? "all"),
    quantile: String(when.quantile ?? draft.quantile),
    side: when.below === undefined ? "above" : "below",
    threshold: threshold === undefined ? "" : String(threshold),
    within: readSpan(when.within, draft.within),
    measure: when.score === undefined ? "alarm" : "score",
    score: String(when.score ?? draft.score),
    status: when.status ?? draft.status,
    silent: readSpan(when.silent_for, draft.silent),
    hold: readSpan(hold),
    keep: readSpan(keep_firing_for),
    send: send.map((/** @type {any} */ { webhook, alertmanager }) =>
      webhook ? { kind: "webhook", url: webhook, secret: "", kept: webhook } : { kind: "alertmanager", url: alertmanager, secret: "", kept: "" },
    ),
  };
}

/** @param {Draft} draft @returns {Record<string, any>} */
function writeWhen({ on, quantile, side, threshold, within, measure, score, status, silent }) {
  if (on === "forecast") return { quantile: Number(quantile), [side]: Number(threshold), within: writeSpan(within) };
  if (on === "anomaly") return measure === "alarm" ? { alarm: true } : { score: Number(score) };
  if (on === "job") return { status };
  return on === "data" ? { silent_for: writeSpan(silent) } : {};
}

/** @param {Draft} draft */
function writeSeries({ on, selection }) {
  if (!OF_SERIES.includes(on) || selection === "all") return null;
  return "ids" in selection ? selection.ids : selection;
}

/** @param {Receiver} receiver */
function writeReceiver({ kind, url, secret }) {
  if (kind === "alertmanager") return { alertmanager: url };
  return secret ? { webhook: url, secret } : { webhook: url };
}

/** Return the body of `PUT /alerts/{name}`. @param {Draft} draft @returns {import("../../alert_words.js").Alert} */
export function writeBody(draft) {
  return {
    on: draft.on,
    model: draft.on === "data" ? null : draft.model || null,
    series: writeSeries(draft),
    when: writeWhen(draft),
    for: writeSpan(draft.hold),
    keep_firing_for: writeSpan(draft.keep),
    send: draft.send.map(writeReceiver),
  };
}
