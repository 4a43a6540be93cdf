/** `<gc-sparkline .ds .y .label>`: the course of some values, as small as a word. */

import { html, nothing, svg } from "../vendor/lit.js";
import { Element } from "../element.js";
import { toSeconds } from "../format.js";

const WIDTH = 120;
const HEIGHT = 28;
const EDGE = 2;

class Sparkline extends Element {
  static properties = { ds: { attribute: false }, y: { attribute: false }, label: {} };

  constructor() {
    super();
    /** @type {string[]|null} times; null: evenly apart */
    this.ds = null;
    /** @type {(number|null)[]} */
    this.y = [];
    this.label = "";
  }

  render() {
    const values = /** @type {number[]} */ (this.y.filter((value) => value !== null));
    if (!values.length) return nothing;
    const xs = this.ds?.map(toSeconds) ?? this.y.map((_, index) => index);
    const toLeft = makeScale(xs[0], xs[xs.length - 1], EDGE, WIDTH - EDGE);
    const toTop = makeScale(Math.min(...values), Math.max(...values), HEIGHT - EDGE, EDGE);
    const last = this.y.findLastIndex((value) => value !== null);
    return html`<svg class="sparkline" viewBox="0 0 ${WIDTH} ${HEIGHT}" width=${WIDTH} height=${HEIGHT} role="img" aria-label=${this.label}>
      ${svg`<path d=${tracePath(xs.map(toLeft), this.y, toTop)} /><circle cx=${toLeft(xs[last])} cy=${toTop(/** @type {number} */ (this.y[last]))} r="2" />`}
    </svg>`;
  }
}

/** @param {number} from @param {number} to @param {number} first @param {number} last @returns {(value: number) => number} */
function makeScale(from, to, first, last) {
  if (from === to) return () => (first + last) / 2;
  return (value) => first + ((value - from) / (to - from)) * (last - first);
}

/** Write a line that breaks where values are missing. @param {number[]} lefts @param {(number|null)[]} values @param {(value: number) => number} toTop */
function tracePath(lefts, values, toTop) {
  let pen = "M";
  let path = "";
  values.forEach((value, index) => {
    if (value !== null) path += `${pen}${lefts[index].toFixed(1)} ${toTop(value).toFixed(1)}`;
    pen = value === null ? "M" : "L";
  });
  return path;
}

customElements.define("gc-sparkline", Sparkline);
