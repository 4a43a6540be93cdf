/**
 * What moves in a chart: the plot, what is in view, and what a hand or a key selects.
 *
 * @typedef {object} Audience who is told
 * @property {(range: [number, number]|null) => void} moved a person has moved the view, and it rests; null: all is shown
 * @property {(x: number|null) => void} selected
 */

import { listen } from "./gestures.js";
import { Plot } from "./plot.js";
import { Pointer } from "./pointer.js";
import { findNearest, measureExtent } from "./traces.js";
import { Viewport } from "./viewport.js";

/** Milliseconds after the last move until others are told. */
const SETTLED = 250;
const LEAST_STEPS_IN_VIEW = 4;

export class Stage {
  /** @param {Audience} audience */
  constructor(audience) {
    this.audience = audience;
    this.viewport = new Viewport((isFinal) => this.move(isFinal));
    /** @type {Plot|null} */
    this.plot = null;
    /** @type {Pointer|null} */
    this.pointer = null;
    /** @type {number|null} */
    this.x = null;
    this.shape = "";
    this.settling = 0;
    this.frame = 0;
    this.stopListening = () => {};
  }

  /**
   * @param {HTMLElement} box @param {import("./plot.js").Content} content
   * @param {{width: number, height: number}} size @param {[number, number]|null} range null: all
   */
  draw(box, content, size, range) {
    const traces = [...content.layers, ...content.bands];
    const extent = measureExtent(traces, content.now === null ? [] : [content.now]);
    if (!extent) return this.drop();
    if (!size.width) return;
    const longest = Math.max(2, ...traces.map(({ x }) => x.length));
    this.viewport.set(extent, ((extent[1] - extent[0]) / longest) * LEAST_STEPS_IN_VIEW, range);
    const shape = Plot.describeShape(content);
    if (this.plot && shape === this.shape) this.plot.update(content, this.viewport.view);
    else this.make(box, content, size);
    this.shape = shape;
    this.follow();
  }

  /** @param {HTMLElement} box @param {import("./plot.js").Content} content @param {{width: number, height: number}} size */
  make(box, content, size) {
    this.drop();
    this.plot = new Plot(box, content, this.viewport.view, size);
    const area = this.plot.chart.over;
    this.pointer = new Pointer(area);
    this.stopListening = listen(area, this.viewport, this);
  }

  drop() {
    clearTimeout(this.settling);
    this.stopListening();
    this.plot?.destroy();
    this.plot = null;
    this.pointer = null;
  }

  /** @param {{width: number, height: number}} size */
  resize(size) {
    const chart = this.plot?.chart;
    if (chart && size.width && (size.width !== chart.width || size.height !== chart.height)) chart.setSize(size);
  }

  /** Follow the viewport in the next frame, and tell the audience when it rests. @param {boolean} isFinal */
  move(isFinal) {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.plot?.show(this.viewport.view);
      this.follow();
    });
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.audience.moved(this.viewport.isAll ? null : this.viewport.view), isFinal ? 0 : SETTLED);
  }

  /** Put what marks the selected x where it is now. */
  follow() {
    if (this.plot) this.pointer?.show(this.plot, this.x);
  }

  /** @param {number|null} x where a hand is */
  point(x) {
    this.select(x === null ? null : this.snap(x));
  }

  /** @param {number|null} x */
  select(x) {
    if (x === this.x) return;
    this.x = x;
    this.follow();
    this.audience.selected(x);
  }

  /** @param {number|null} from @param {number} to */
  pick(from, to) {
    if (this.plot) this.pointer?.pick(this.plot, from, to);
  }

  /** Go to the next or previous x that has a value. @param {number} steps */
  step(steps) {
    const [from, to] = this.viewport.view;
    const xs = [...new Set(this.shown.flatMap(({ x }) => [...x]))].sort((one, other) => one - other);
    if (!xs.length) return;
    const index = this.x === null ? findNearest(xs, (from + to) / 2) : findNearest(xs, this.x) + steps;
    const x = xs[Math.min(Math.max(index, 0), xs.length - 1)];
    if (x < from || x > to) this.viewport.show(x - (to - from) / 2, x + (to - from) / 2);
    this.select(x);
  }

  /** The layers and bands that are shown. */
  get shown() {
    if (!this.plot) return [];
    const { layers, bands, hidden } = this.plot.content;
    return [...layers, ...bands].filter(({ name }) => !hidden.has(name));
  }

  /** Return the nearest x that has a value. @param {number} x */
  snap(x) {
    let nearest = NaN;
    for (const { x: xs } of this.shown) {
      const index = findNearest(xs, x);
      if (index >= 0 && !(Math.abs(xs[index] - x) >= Math.abs(nearest - x))) nearest = xs[index];
    }
    return Number.isNaN(nearest) ? null : nearest;
  }
}
