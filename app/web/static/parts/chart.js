/**
 * `<gc-chart>`: lines, bands and marks over time or numbers, with a legend, words, a table and files of what is shown.
 * Fires `range-change` {from, to} a moment after a person has moved the view; both are null where all is shown.
 */

import { createRef, html, nothing, ref } from "../vendor/lit.js";
import { Element } from "../element.js";
import { formatNumber, formatTime } from "../format.js";
import { loadStyle } from "../style.js";
import "./copy.js";
import { press } from "./chart/gestures.js";
import { prepare } from "./chart/plot.js";
import { Stage } from "./chart/stage.js";
import { getAt } from "./chart/traces.js";

/** The box may be this much flatter than wide on a telephone. */
const NARROW_SHARE = 0.75;
const CONTENT = ["layers", "bands", "axis", "log", "timezone", "now", "marks", "range", "height", "hidden"];

export class Chart extends Element {
  static properties = {
    ...Object.fromEntries(["layers", "bands", "now", "marks", "range", "describe", "request", "freq", "unit"].map((name) => [name, { attribute: false }])),
    axis: {},
    timezone: {},
    label: {},
    log: { type: Boolean },
    height: { type: Number },
    hidden: { state: true },
    words: { state: true },
    table: { state: true },
  };

  constructor() {
    super();
    /** @type {import("./chart/traces.js").Layer[]} */
    this.layers = [];
    /** @type {import("./chart/traces.js").Band[]} */
    this.bands = [];
    /** @type {import("./chart/traces.js").Mark[]} */
    this.marks = [];
    /** @type {"time"|"number"} */
    this.axis = "time";
    this.log = false;
    this.timezone = "UTC";
    /** @type {string|null} */
    this.freq = null;
    /** @type {string|null} */
    this.unit = null;
    /** @type {number|null} */
    this.now = null;
    /** @type {[number, number]|null} */
    this.range = null;
    /** @type {((x: number) => string)|null} */
    this.describe = null;
    /** @type {import("../snippet.js").Request|null} */
    this.request = null;
    this.label = "Chart";
    this.height = 320;
    /** @type {Map<string, boolean>} what a person chose in the legend, by name */
    this.chosen = new Map();
    this.words = "";
    /** @type {typeof import("./chart/table.js")|null} loaded as it is opened */
    this.table = null;
    this.stage = new Stage(this);
    this.box = createRef();
    this.resizing = new ResizeObserver(() => this.resize());
    this.recolor = () => this.stage.plot?.recolor();
    this.darkness = matchMedia("(prefers-color-scheme: dark)");
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("gatecast-theme", this.recolor);
    this.darkness.addEventListener("change", this.recolor);
    this.requestUpdate("layers");
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("gatecast-theme", this.recolor);
    this.darkness.removeEventListener("change", this.recolor);
    this.resizing.disconnect();
    this.stage.drop();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (CONTENT.some((name) => changed.has(name))) this.draw();
  }

  /** @returns {import("./chart/plot.js").Content} */
  get content() {
    const { layers, bands, axis, log, timezone, now, marks } = this;
    const hidden = new Set([...layers, ...bands].filter((trace) => !this.isShown(trace)).map(({ name }) => name));
    return { layers, bands, axis, log, timezone, now, marks, hidden };
  }

  /** @param {{name: string, hidden?: boolean}} trace */
  isShown({ name, hidden }) {
    return this.chosen.get(name) ?? !hidden;
  }

  /** @returns {{width: number, height: number}} */
  get size() {
    const width = /** @type {HTMLElement} */ (this.box.value).clientWidth;
    return { width, height: Math.round(Math.min(this.height, Math.max(200, NARROW_SHARE * width))) };
  }

  async draw() {
    await Promise.all([loadStyle("vendor/uplot.css"), prepare(this.content)]);
    const box = /** @type {HTMLElement|undefined} */ (this.box.value);
    if (!box || !this.isConnected) return;
    this.resizing.observe(box);
    this.stage.draw(box, this.content, this.size, this.range);
  }

  resize() {
    if (this.stage.plot) this.stage.resize(this.size);
    else this.draw();
  }

  /** @param {[number, number]|null} range where a person has moved to */
  moved(range) {
    this.range = range;
    const [from, to] = range ?? [null, null];
    this.dispatchEvent(new CustomEvent("range-change", { detail: { from, to } }));
  }

  /** @param {number|null} x that a person has pointed at */
  selected(x) {
    this.words = x === null ? "" : (this.describe ?? this.describeValues).call(this, x);
  }

  get shownLayers() {
    return this.layers.filter((layer) => this.isShown(layer));
  }

  /** @param {number} x */
  writeX(x) {
    return this.axis === "time" ? formatTime(x, this.timezone, this.freq) : formatNumber(x);
  }

  /** @param {number} x */
  describeValues(x) {
    const values = this.shownLayers.map(({ name, x: xs, y }) => ({ name, value: getAt(xs, y, x) })).filter(({ value }) => value !== undefined);
    return `${this.writeX(x)}: ${values.map(({ name, value }) => `${name} ${formatNumber(value, this.unit)}`).join(", ")}`;
  }

  /** @returns {{name: string, color: import("./chart/traces.js").Color, kind: string, hidden?: boolean}[]} layers and bands, each name once */
  get legend() {
    const items = [...this.layers.map(({ kind = "line", ...layer }) => ({ ...layer, kind })), ...this.bands.map((band) => ({ ...band, kind: "band" }))];
    return [...new Map(items.reverse().map((item) => [item.name, item])).values()].reverse();
  }

  render() {
    return html`<div class="legend" role="group" aria-label="Shown in the chart">
        ${this.unit ? html`<span class="unit">${this.unit}</span>` : nothing}${this.legend.map((item) => this.renderItem(item))}
      </div>
      <div
        class="plot"
        ${ref(this.box)}
        tabindex="0"
        role="application"
        aria-roledescription="chart"
        aria-label=${`${this.label}. Arrows move, plus and minus zoom, 0 shows all, shift and arrows read values; a table follows.`}
        @keydown=${this.press}
        @blur=${() => this.stage.select(null)}
      ></div>
      <div class="chart-foot">
        <p class="hover-words" aria-live="polite">${this.words || html`<span class="hint">Drag to move, scroll to zoom, shift-drag to pick a part.</span>`}</p>
        <span class="buttons">
          ${this.range ? html`<button type="button" class="quiet" @click=${() => this.stage.viewport.showAll()}>Show all</button>` : nothing}
          <gc-copy .request=${this.request}></gc-copy>
          <button type="button" class="quiet" @click=${this.savePng}>PNG</button>
          <button type="button" class="quiet" @click=${this.saveCsv}>CSV</button>
        </span>
      </div>
      <details @toggle=${this.toggleTable}>
        <summary>Table</summary>
        ${this.table ? this.table.renderTable(this, this.range ?? this.stage.viewport.extent) : nothing}
      </details>`;
  }

  /** @param {{name: string, color: string, kind: string, hidden?: boolean}} item */
  renderItem(item) {
    const isShown = this.isShown(item);
    return html`<button type="button" class="legend-item" aria-pressed=${isShown} @click=${() => this.toggle(item.name, !isShown)}>
      <span class="key ${item.kind} of-${item.color}" aria-hidden="true"></span>${item.name}
    </button>`;
  }

  /** @param {Event} event */
  async toggleTable(event) {
    const { open } = /** @type {HTMLDetailsElement} */ (event.target);
    this.table = open ? await import("./chart/table.js") : null;
  }

  /** @param {string} name @param {boolean} isShown */
  toggle(name, isShown) {
    this.chosen.set(name, isShown);
    this.requestUpdate("hidden");
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (press(event, this.stage.viewport, this.stage)) event.preventDefault();
  }

  async savePng() {
    const { savePng } = await import("./chart/saving.js");
    if (this.stage.plot) savePng(this.label, this.stage.plot, this.legend.filter((item) => this.isShown(item)));
  }

  async saveCsv() {
    const [{ saveRows }, { collectRows }] = await Promise.all([import("./chart/saving.js"), import("./chart/table.js")]);
    saveRows(this.label, collectRows(this.content, this.stage.viewport.view), this.axis === "time" ? this.timezone : null);
  }
}

customElements.define("gc-chart", Chart);
