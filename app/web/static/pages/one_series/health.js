/** `<gc-series-health .id .timezone .freq>`: what may surprise a training, the gravest first. Fires `look` {from, to}. */

import { html, nothing } from "../../vendor/lit.js";
import { get, inPath } from "../../api.js";
import { Element } from "../../element.js";
import { formatCount, formatTime, toSeconds } from "../../format.js";
import { Loader } from "../../loader.js";
import { toSentence } from "./words.js";

const ORDER = ["error", "warning", "info", "ok"];
/** @type {Record<string, string>} */
const LOOKS = { error: "bad", warning: "warn", info: "accent", ok: "good" };
const DAY = 86400;

class SeriesHealth extends Element {
  static properties = { series: { attribute: false } };

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    this.health = new Loader(this, "its health");
  }

  willUpdate() {
    const { id, version } = this.series;
    this.health.load([id, version], (signal) => get(`series/${inPath(id)}/health`, {}, signal));
  }

  render() {
    return html`<section class="card"><h2>Health</h2>${this.health.render((health) => this.renderHealth(health))}</section>`;
  }

  /** @param {any} health */
  renderHealth({ trainable, checks }) {
    const ordered = [...checks].sort((one, other) => ORDER.indexOf(one.severity) - ORDER.indexOf(other.severity));
    const notable = ordered.filter(({ severity }) => severity !== "ok");
    const fine = ordered.filter(({ severity }) => severity === "ok");
    return html`<p><span class="badge ${trainable ? "good" : "bad"}">${trainable ? "can be trained" : "cannot be trained yet"}</span></p>
      ${notable.length ? html`<ul class="plain">${notable.map((check) => this.renderCheck(check))}</ul>` : html`<p>Nothing here would surprise a training.</p>`}
      ${fine.length
        ? html`<details><summary>${formatCount(fine.length, "check")} without a finding</summary><ul class="plain">${fine.map((check) => html`<li>${toSentence(check.detail)}</li>`)}</ul></details>`
        : nothing}`;
  }

  /** @param {any} check */
  renderCheck(check) {
    return html`<li>
      <p><span class="badge ${LOOKS[check.severity]}">${check.severity}</span> ${toSentence(check.detail)}</p>
      ${check.training ? html`<p class="hint"><strong>In training:</strong> ${toSentence(check.training)}</p>` : nothing}
      ${check.option ? html`<p class="hint"><strong>To change it:</strong> ${toSentence(check.option)}</p>` : nothing}
      ${check.where.length ? html`<p class="hint"><strong>Where:</strong> ${check.where.slice(0, 3).map((/** @type {any} */ where) => this.renderWhere(where))}${check.where.length > 3 ? `and ${check.where.length - 3} more` : ""}</p>` : nothing}
    </li>`;
  }

  /** @param {string|[string, string]} where */
  renderWhere(where) {
    const [start, end] = Array.isArray(where) ? where : [where, where];
    const { timezone, freq } = this.series;
    const text = start === end ? formatTime(start, timezone, freq) : `${formatTime(start, timezone, freq)} to ${formatTime(end, timezone, freq)}`;
    return html`<button type="button" class="inline" @click=${() => this.look(toSeconds(start), toSeconds(end))}>${text}</button> `;
  }

  /** @param {number} start @param {number} end */
  look(start, end) {
    const margin = Math.max(3 * DAY, 2 * (end - start));
    this.dispatchEvent(new CustomEvent("look", { detail: { from: start - margin, to: end + margin } }));
  }
}

customElements.define("gc-series-health", SeriesHealth);
