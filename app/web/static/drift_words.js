/** Drift in a sentence. */

import { formatNumber, formatPercent, formatTime } from "./format.js";

/** times the gate's error from which on a period counts as worse, for the date that is told */
const WORSE = 1.2;

/** @typedef {{version: number, status: "unknown"|"steady"|"drifting", detail: string, mase?: number, gate_mase?: number, [measure: string]: any}} Drift */
/** @typedef {{first_origin: string, model: import("./judging.js").Measures}} Period */

/** Return when the last run of worse periods began. @param {Drift} drift @param {Period[]} rolling the oldest first @returns {string|null} */
function findStart({ gate_mase }, rolling) {
  if (gate_mase === undefined) return null;
  let start = null;
  for (const period of [...rolling].reverse()) {
    if (!(period.model.mase > WORSE * gate_mase)) break;
    start = period.first_origin;
  }
  return start;
}

/** Return [how much of the interval held, how much did on the gate] where both are known. @param {Drift} drift @returns {[string, number, number]|null} */
function getCoverage(drift) {
  const name = Object.keys(drift).find((one) => one.startsWith("coverage_"));
  return name && drift[`gate_${name}`] !== undefined ? [name.replace("coverage_", ""), drift[name], drift[`gate_${name}`]] : null;
}

/**
 * @param {Drift|null} drift @param {Period[]} rolling
 * @returns {{tone: "good"|"warn"|"", text: string}}
 */
export function describeDrift(drift, rolling) {
  if (!drift) return { tone: "", text: "No version serves, so that nothing can drift." };
  if (drift.status === "unknown") return { tone: "", text: `It is too early to speak of drift: ${drift.detail}.` };
  const { mase = 0, gate_mase = 0, version } = drift;
  if (drift.status === "steady") {
    return { tone: "good", text: `No drift: version ${version} errs about as it did when it was judged (MASE ${formatNumber(mase)} now, ${formatNumber(gate_mase)} then).` };
  }
  const start = findStart(drift, rolling);
  const coverage = getCoverage(drift);
  const since = start ? `Drift since ${formatTime(start, "UTC", "D")}` : "Drift";
  const reasons = [];
  if (mase > gate_mase && gate_mase > 0) reasons.push(`the error of the newest forecasts is ${formatNumber(mase / gate_mase)} times what it was when version ${version} was judged`);
  if (coverage && coverage[1] < coverage[2]) reasons.push(`the ${coverage[0]} % interval holds ${formatPercent(coverage[1])} of the values, and held ${formatPercent(coverage[2])} then`);
  return { tone: "warn", text: `${since}: ${reasons.join("; ") || drift.detail}. Train it again.` };
}
