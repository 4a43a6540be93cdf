/** `<gc-watch-alarms .model .freq .alarms>`: alarms, and buttons that say what they were. Fires `changed`, `failed`. */

import { html, nothing, repeat } from "../../vendor/lit.js";
import { post } from "../../api.js";
import { Element } from "../../element.js";
import { hasTime, toSeconds } from "../../format.js";
import { renderEmpty } from "../../loader.js";
import { adjust, link } from "../../router.js";
import { may } from "../../session.js";
import { formatStamp } from "../../wall_clock.js";
import { describeAlarm } from "../../watch_words.js";

const DAY = 86_400;
/** days that are shown on each side of an alarm, by whether values have a time of day */
const FINE_DAYS = 4;
const COARSE_DAYS = 60;

/** @typedef {import("../../watch_words.js").Alarm} Alarm */

/** @type {[NonNullable<Alarm["verdict"]>, string][]} */
const VERDICTS = [
  ["normal", "This was normal"],
  ["anomaly", "An anomaly"],
];

/** A row stays that of its alarm when new ones come above it. @param {Alarm} alarm */
const nameAlarm = ({ series, ds }) => `${ds} ${series}`;

class WatchAlarms extends Element {
  static properties = { model: {}, freq: {}, alarms: { attribute: false }, series: {} };

  constructor() {
    super();
    this.model = "";
    this.freq = "";
    /** @type {Alarm[]} the newest first */
    this.alarms = [];
    /** the series whose alarms are shown; empty: all */
    this.series = "";
  }

  render() {
    const { alarms, series } = this;
    const all = series ? html`<button type="button" @click=${() => adjust({ series: null, cursor: null })}>Show all series</button>` : nothing;
    if (!alarms.length) return renderEmpty(series ? `No alarm of ${series}.` : "No alarm so far: values that come are as they were expected.", all);
    return html`<section class="card">
      <h2>Alarms${series ? ` of ${series}` : ""}</h2>
      ${series ? html`<p class="actions">${all}</p>` : nothing}
      <div class="scroll" tabindex="0">
        <table>
          <caption>The newest first, by the clock of their series; score 3 is as rare as three standard deviations</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Series</th>
              <th scope="col" class="number">Score</th>
              <th scope="col">In words</th>
              <th scope="col" class="number">What it was</th>
            </tr>
          </thead>
          <tbody>
            ${repeat(alarms, nameAlarm, (alarm) => this.renderAlarm(alarm))}
          </tbody>
        </table>
      </div>
      ${may("write") ? html`<p class="hint">What you say moves the threshold of its series from the next value on.</p>` : nothing}
    </section>`;
  }

  /** @param {Alarm} alarm */
  renderAlarm(alarm) {
    const time = formatStamp(alarm.ds, this.freq);
    const around = DAY * (hasTime(this.freq) ? FINE_DAYS : COARSE_DAYS);
    const [from, to] = [-around, around].map((seconds) => new Date(1000 * (toSeconds(alarm.ds) + seconds)).toISOString());
    return html`<tr>
      <td><a href=${link("series/one", { id: alarm.series, model: this.model, from, to, anomalies: 1 })}><time>${time}</time></a></td>
      <td class="id"><button type="button" class="inline" aria-label="Show the alarms of ${alarm.series} alone" @click=${() => adjust({ series: alarm.series, cursor: null })}>${alarm.series}</button></td>
      <td class="number">${alarm.score.toFixed(1)}</td>
      <td class="words">${describeAlarm(alarm)}</td>
      <td class="number">${may("write") ? this.renderButtons(alarm, time) : (alarm.verdict ?? "not judged")}</td>
    </tr>`;
  }

  /** @param {Alarm} alarm @param {string} time */
  renderButtons(alarm, time) {
    return html`<span class="actions" role="group" aria-label="${alarm.series}, ${time}">
      ${VERDICTS.map(([verdict, text]) => html`<button type="button" aria-pressed=${alarm.verdict === verdict} @click=${() => this.judge(alarm, verdict)}>${text}</button>`)}
    </span>`;
  }

  /** @param {Alarm} alarm @param {NonNullable<Alarm["verdict"]>} verdict */
  async judge({ series, ds }, verdict) {
    try {
      await post("anomalies/verdicts", { series, ds, verdict });
      this.dispatchEvent(new CustomEvent("changed"));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }
}

customElements.define("gc-watch-alarms", WatchAlarms);
