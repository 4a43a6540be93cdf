/** Keys, projects, usage and the audit log in words. */

import { formatCount, formatDuration, formatTime } from "./format.js";

/** @typedef {import("./session.js").Right} Right */
/** @typedef {{id: number, name: string, begins_with: string, scopes: Right[], project: string, created_at: string, expires_at: string|null, last_used_at: string|null, labels?: Record<string, string>|null}} Key as GET /keys lists it */
/** @typedef {{name: string, quotas: Record<string, number>, created_at: string}} Project as GET /projects lists it */
/** @typedef {{at: string, who: string, key: number|null, action: string, target: string, request_id: string|null, address: string|null, before: View, after: View}} Entry as GET /audit lists it */
/** @typedef {Record<string, unknown>|null} View of a thing, before or after */

const DAY = 86_400;
/** seconds before its end within which a key stands out */
const SOON = 14 * DAY;

/** @type {Record<Right, string>} what each scope lets a key do */
export const SCOPES = {
  read: "see series, models, jobs, rules and alerts",
  forecast: "have models compute: forecasts, charts, scans, queries of Prometheus' API",
  write: "store series and observations; set rules, alerts, watches and retention",
  train: "start and cancel jobs, say which version serves, set schedules, delete models",
  admin: "make, rotate and revoke keys, and read the audit log; in the project default for all projects",
};

/** What the page makes by itself: a key that changes nothing. @type {Right[]} */
export const USUAL_SCOPES = ["read", "forecast"];

/** @type {Record<string, {title: string, one: string, many: string, limited?: string}>} what is counted, as the API names it; what the limit is of where that is something else */
const AMOUNTS = {
  observations: { title: "Stored observations", one: "observation", many: "observations" },
  series: { title: "Series", one: "series", many: "series" },
  models: { title: "Models", one: "model", many: "models" },
  jobs: { title: "Jobs queued and running", one: "job at a time", many: "jobs at a time" },
  trainings_per_day: { title: "Trainings within 24 hours", one: "training a day", many: "trainings a day" },
  minute: { title: "Requests with this key in this minute", one: "request a minute", many: "requests a minute" },
  month: { title: "Requests of the project in this month", one: "request a month", many: "requests a month", limited: "a key" },
};

/** Quotas that every project may have, in the order of their form. */
export const QUOTAS = ["observations", "series", "models", "jobs", "trainings_per_day"];

/** Name what is counted, also where the service counts more than the page knows. @param {string} name */
export const nameAmount = (name) => AMOUNTS[name]?.title ?? capitalise(name.replaceAll("_", " "));

/** Say what a limit is of, where it is not that of what is counted: the two are no share then. @param {string} name */
export const nameLimited = (name) => AMOUNTS[name]?.limited ?? "";

/** @param {string} text */
const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {Record<string, number>} quotas */
export function describeQuotas(quotas) {
  const parts = Object.entries(quotas).map(([name, limit]) => {
    const { one, many } = AMOUNTS[name] ?? { one: name.replaceAll("_", " "), many: name.replaceAll("_", " ") };
    return formatCount(limit, one, many);
  });
  return parts.join(", ") || "no limit";
}

/** Say when a key ends, and whether that is soon. @param {string|null} expires */
export function describeEnd(expires) {
  if (!expires) return { text: "never", isSoon: false };
  const left = Date.parse(expires) / 1000 - Date.now() / 1000;
  if (left <= 0) return { text: "it has expired", isSoon: true };
  if (left <= SOON) return { text: `in ${formatDuration(left)}`, isSoon: true };
  return { text: formatTime(expires, "UTC", "D"), isSoon: false };
}

/** Name the series that a key sees, where it does not see all. @param {Key} key */
export function describeLabels({ labels }) {
  const pairs = Object.entries(labels ?? {});
  return pairs.length ? `only series with ${pairs.map((pair) => pair.join(": ")).join(", ")}` : "";
}

/** Actions of the audit log, as they are suggested; those of a kind are found by what stands before the dot. */
export const ACTIONS = [
  "alert", "alert.delete", "alert.set", "anomaly_scan.start", "backtest.start", "champion.set", "covariate", "covariate.delete", "covariate.set",
  "job.cancel", "key", "key.create", "key.revoke", "key.rotate", "model.delete", "observations.delete", "project", "project.delete", "project.set",
  "refresh.start", "retention", "retention.delete", "retention.set", "rule", "rule.delete", "rule.set", "schedule", "schedule.delete", "schedule.set",
  "series", "series.change", "series.create", "series.delete", "session", "session.begin", "session.end", "train.start", "verdict.set", "version.delete", "watch", "watch.delete", "watch.set",
];

/** @typedef {{field: string, before: unknown, after: unknown}} Difference */

/** Return the fields by which two views of a thing differ; all of them where there is one view. @param {View} before @param {View} after @returns {Difference[]} */
export function listDifferences(before, after) {
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return fields
    .map((field) => ({ field, before: before?.[field], after: after?.[field] }))
    .filter((one) => !before || !after || JSON.stringify(one.before) !== JSON.stringify(one.after));
}

/** Name what an entry is about: keys have numbers, beside which a name says more. @param {Entry} entry */
export function nameTarget({ target, before, after }) {
  const { name } = after ?? before ?? {};
  return typeof name === "string" && name !== target ? `${name} (${target})` : target;
}

const NAMED = 3;

/** Say in a few words what an entry tells of the thing. @param {Entry} entry */
export function describeChange({ target, before, after }) {
  if (before && after) {
    const fields = listDifferences(before, after).map(({ field }) => field);
    return fields.length ? `Changed: ${nameSome(fields)}` : "Nothing differs";
  }
  const told = Object.entries(before ?? after ?? {}).filter(([field, value]) => isTelling(field, value) && String(value) !== target);
  if (!told.length) return "–";
  return `${before ? "Before" : "After"}: ${nameSome(told.map(([field, value]) => `${field} ${Array.isArray(value) ? value.join(" ") : writeValue(value)}`))}`;
}

/** @param {string[]} parts */
const nameSome = (parts) => `${parts.slice(0, NAMED).join(", ")}${parts.length > NAMED ? ` and ${parts.length - NAMED} more` : ""}`;

/** What stands beside an entry anyhow, or is the same for most. */
const UNTOLD = ["id", "name", "created_at", "version"];

/** Say whether a value says something in a few words. @param {string} field @param {unknown} value */
function isTelling(field, value) {
  if (UNTOLD.includes(field) || value === null || value === "" || value === 0) return false;
  return typeof value !== "object" || Object.keys(value ?? {}).length > 0;
}

/** Write a value of a view. @param {unknown} value */
export const writeValue = (value) => (typeof value === "string" ? value : value === undefined ? "–" : JSON.stringify(value));
