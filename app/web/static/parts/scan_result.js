/** `<gc-scan-result .scan .series .request>`: one scanned series: its interval, what lies outside, and the list of it. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { formatCount, formatPercent, formatTime, toSeconds } from "../format.js";
import { toSentence } from "../job_words.js";
import { adjust, link } from "../router.js";
import { describeAlarm } from "../watch_words.js";
import "./chart.js";

const MOST_LISTED = 200;
/** values that are shown on each side of an anomaly, where its link leads to */
const AROUND = 100;

/** @typedef {(number|null)[]} Numbers */
/** @typedef {(boolean|null)[]} Flags */
/**
 * @typedef {{series_id: string, status: string, error?: {detail: string}, ds: string[], y: Numbers, expected: Numbers,
 *   lower: Numbers, upper: Numbers, score: Numbers, anomaly: Flags, alarm: Flags}} SeriesScan
 */
/** @typedef {{index: number, ds: string, y: number, expected: number, lower: number, upper: number, score: number, isAlarm: boolean}} Anomaly */

/** What lies outside of its interval or raised an alarm. @param {SeriesScan} scan @returns {Anomaly[]} in the order of time */
function listAnomalies(scan) {
  const numbers = /** @type {Record<"y"|"expected"|"lower"|"upper"|"score", number[]>} */ (/** @type {unknown} */ (scan));
  /** @type {Anomaly[]} */
  const found = [];
  scan.anomaly.forEach((isOut, index) => {
    if (!isOut && !scan.alarm[index]) return;
    found.push({
      index,
      ds: scan.ds[index],
      y: numbers.y[index],
      expected: numbers.expected[index],
      lower: numbers.lower[index],
      upper: numbers.upper[index],
      score: numbers.score[index],
      isAlarm: Boolean(scan.alarm[index]),
    });
  });
  return found;
}

/** @param {number} level */
const formatLevel = (level) => formatPercent(level, level > 0.99 ? 1 : 0);

class ScanResult extends Element {
  static properties = {
    scan: { attribute: false },
    series: { attribute: false },
    level: { attribute: false },
    sort: {},
    request: { attribute: false },
  };

  constructor() {
    super();
    /** @type {SeriesScan|null} */
    this.scan = null;
    /** @type {Record<string, any>|null} */
    this.series = null;
    this.level = 0.99;
    /** "score", or in the order of time */
    this.sort = "";
    /** @type {import("../snippet.js").Request|null} */
    this.request = null;
    /** @type {import("./chart/traces.js").Layer[]} */
    this.layers = [];
    /** @type {import("./chart/traces.js").Band[]} */
    this.bands = [];
    /** @type {Anomaly[]} */
    this.anomalies = [];
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("scan") || !this.scan || this.scan.status !== "ok") return;
    const { ds, y, expected, lower, upper } = this.scan;
    const x = ds.map(toSeconds);
    this.anomalies = listAnomalies(this.scan);
    this.bands = [{ name: `Where ${formatLevel(this.level)} of ordinary values lie`, x, low: lower, high: upper, color: "forecast", strength: 0.35 }];
    this.layers = [
      { name: "Value", x, y, kind: "line", color: "actual", width: 1.5 },
      { name: "Expected", x, y: expected, kind: "line", color: "forecast", width: 1 },
      { name: "Anomaly", x: this.anomalies.map((one) => x[one.index]), y: this.anomalies.map((one) => one.y), kind: "points", color: "anomaly" },
    ];
  }

  render() {
    const { scan, series } = this;
    if (!scan) return nothing;
    if (scan.status !== "ok") return html`<div class="problem" role="alert"><strong>${scan.series_id} could not be scored</strong><p>${toSentence(scan.error?.detail ?? "")}</p></div>`;
    const count = this.anomalies.length;
    const outside = scan.anomaly.filter(Boolean).length;
    const alarms = this.anomalies.filter((one) => one.isAlarm).length;
    return html`<section class="card">
        <p>
          <strong>${outside ? formatCount(outside, "anomaly", "anomalies") : "No anomaly"} among ${formatCount(scan.ds.length, "value")}.</strong>
          ${count ? `${formatCount(alarms, "alarm")}: the rarest of all, about one a week, and what goes on alarms once.` : "All lie where the model expected them."}
        </p>
        <gc-chart
          .label=${`Anomalies of ${scan.series_id}`}
          .layers=${this.layers}
          .bands=${this.bands}
          .timezone=${series?.timezone ?? "UTC"}
          .freq=${series?.freq ?? null}
          .unit=${series?.unit ?? null}
          .request=${this.request}
        ></gc-chart>
      </section>
      ${count ? this.renderList(scan) : nothing}`;
  }

  /** @param {SeriesScan} scan */
  renderList(scan) {
    const byScore = this.sort === "score";
    const listed = [...this.anomalies].sort((one, other) => (byScore ? other.score - one.score : other.index - one.index)).slice(0, MOST_LISTED);
    return html`<section class="card">
      <div class="head">
        <h2>What was improbable</h2>
        <span class="actions">
          <button type="button" class="quiet" aria-pressed=${!byScore} @click=${() => adjust({ sort: null })}>Newest first</button>
          <button type="button" class="quiet" aria-pressed=${byScore} @click=${() => adjust({ sort: "score" })}>Most improbable first</button>
        </span>
      </div>
      <div class="scroll" tabindex="0">
        <table>
          <caption>${listed.length < this.anomalies.length ? `${listed.length} of ${this.anomalies.length}; ` : ""}score 3 is as rare as three standard deviations</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col" class="number">Score</th>
              <th scope="col">In words</th>
            </tr>
          </thead>
          <tbody>
            ${listed.map((one) => this.renderAnomaly(one, scan))}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  /** @param {Anomaly} anomaly @param {SeriesScan} scan */
  renderAnomaly(anomaly, { series_id, ds }) {
    const from = ds[Math.max(0, anomaly.index - AROUND)];
    const to = ds[Math.min(ds.length - 1, anomaly.index + AROUND)];
    const time = formatTime(anomaly.ds, this.series?.timezone, this.series?.freq);
    return html`<tr>
      <td><a href=${link("series/one", { id: series_id, from: toUtc(from), to: toUtc(to), anomalies: 1 })}>${time}</a></td>
      <td class="number">${anomaly.score.toFixed(1)} ${anomaly.isAlarm ? html`<span class="badge bad">alarm</span>` : nothing}</td>
      <td class="words">${describeAlarm(anomaly)}</td>
    </tr>`;
  }
}

/** @param {string} ds */
const toUtc = (ds) => new Date(ds).toISOString();

customElements.define("gc-scan-result", ScanResult);
