/** `<gc-loss-curve .curve .best .log .smooth .request>`: losses of a training by epoch; the switches go into the address. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { formatNumber } from "../format.js";
import { adjust } from "../router.js";
import "./chart.js";

/** share of the smoothed value before in the next one */
const INERTIA = 0.7;

/** @param {(number|null)[]} values @returns {(number|null)[]} exponentially smoothed */
function smoothen(values) {
  /** @type {number|null} */
  let last = null;
  return values.map((value) => {
    if (value === null) return null;
    last = last === null ? value : INERTIA * last + (1 - INERTIA) * value;
    return last;
  });
}

/** @param {import("../job_stream.js").Curve} curve @returns {number|null} the epoch with the least loss on the selection span */
export function findBest({ epochs, val }) {
  let best = -1;
  val.forEach((value, index) => {
    if (value !== null && (best < 0 || value < /** @type {number} */ (val[best]))) best = index;
  });
  return best < 0 ? null : epochs[best];
}

/** @param {{train?: number[], val?: number[]}} losses as a version keeps them @returns {import("../job_stream.js").Curve} */
export function toCurve({ train = [], val = [] }) {
  return {
    epochs: train.map((_, index) => index + 1),
    phases: train.map(() => "select"),
    train,
    val: train.map((_, index) => val[index] ?? null),
  };
}

class LossCurve extends Element {
  static properties = {
    curve: { attribute: false },
    isLog: { attribute: false },
    isSmooth: { attribute: false },
    request: { attribute: false },
  };

  constructor() {
    super();
    /** @type {import("../job_stream.js").Curve|null} */
    this.curve = null;
    this.isLog = false;
    this.isSmooth = false;
    /** @type {import("../snippet.js").Request|null} */
    this.request = null;
    /** @type {import("./chart/traces.js").Layer[]} */
    this.layers = [];
    /** @type {import("./chart/traces.js").Mark[]} */
    this.marks = [];
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!this.curve || !(changed.has("curve") || changed.has("isSmooth"))) return;
    const best = findBest(this.curve);
    const refit = this.curve.phases.indexOf("refit");
    this.best = best;
    this.layers = this.makeLayers(this.curve, refit < 0 ? this.curve.epochs.length : refit);
    this.marks = best === null ? [] : [{ x: best, label: "best" }];
  }

  /**
   * @param {import("../job_stream.js").Curve} curve @param {number} refit index of the first epoch that trains on everything
   * @returns {import("./chart/traces.js").Layer[]}
   */
  makeLayers({ epochs, train, val }, refit) {
    const trained = this.isSmooth ? smoothen(train) : train;
    const scored = this.isSmooth ? smoothen(val) : val;
    /** @type {import("./chart/traces.js").Layer[]} */
    const layers = [
      { name: "Training", x: epochs.slice(0, refit), y: trained.slice(0, refit), kind: "line", color: "actual", width: 1.5 },
      { name: "Validation", x: epochs.slice(0, refit), y: scored.slice(0, refit), kind: "line", color: "forecast", width: 2 },
    ];
    if (refit < epochs.length) {
      layers.push({ name: "Training on everything", x: epochs.slice(refit), y: trained.slice(refit), kind: "dashed", color: "earlier", width: 1.5 });
    }
    return layers;
  }

  /** @param {number} x */
  describe = (x) => {
    const curve = /** @type {import("../job_stream.js").Curve} */ (this.curve);
    const index = curve.epochs.indexOf(Math.round(x));
    if (index < 0) return "";
    const val = curve.val[index];
    const scored = val === null ? "" : `, validation ${formatNumber(val)}`;
    return `Epoch ${curve.epochs[index]}: training ${formatNumber(curve.train[index])}${scored}${curve.epochs[index] === this.best ? ", the best so far" : ""}.`;
  };

  render() {
    if (!this.curve?.epochs.length) return nothing;
    return html`<div class="filters">
        <label class="check"><input type="checkbox" .checked=${this.isLog} @change=${() => adjust({ log: this.isLog ? null : 1 })} />Log scale</label>
        <label class="check"><input type="checkbox" .checked=${this.isSmooth} @change=${() => adjust({ smooth: this.isSmooth ? null : 1 })} />Smooth</label>
      </div>
      <gc-chart
        .label=${"Loss by epoch"}
        .axis=${"number"}
        .layers=${this.layers}
        .marks=${this.marks}
        .log=${this.isLog}
        .describe=${this.describe}
        .request=${this.request}
        .height=${300}
      ></gc-chart>`;
  }
}

customElements.define("gc-loss-curve", LossCurve);
