/**
 * The plot itself: uPlot with a pair of columns a layer, and what is drawn behind and over its lines.
 *
 * @typedef {object} Content
 * @property {import("./traces.js").Layer[]} layers
 * @property {import("./traces.js").Band[]} bands
 * @property {"time"|"number"} axis
 * @property {boolean} log
 * @property {string} timezone
 * @property {number|null} now
 * @property {import("./traces.js").Mark[]} marks
 * @property {Set<string>} hidden names of layers and bands that are not shown
 */

import uPlot from "../../vendor/uplot.js";
import { WHOLE_STEPS, writeTimes, writeValues } from "./labels.js";
import { drawBands, drawMarks, readColors } from "./painting.js";
import { findVisible, measureValues } from "./traces.js";

const FONT = "12px system-ui, sans-serif";
/** Longer stretches than this have no points of their own. */
const MOST_LONE_POINTS = 3000;
const BUILDERS = /** @type {Required<typeof uPlot.paths>} */ (uPlot.paths);
const PATHS = { line: BUILDERS.linear(), steps: BUILDERS.stepped({ align: 1 }) };
const HEADROOM = 0.06;
const WIDTH = 1.75;
/** Values a pixel from which on a line is drawn as bars. */
const DENSE = 2;
/** Layers of fewer values are never dense. */
const LEAST_DENSE = 1000;
/** @type {typeof import("./dense.js")|null} loaded for the first layer that may be */
let dense = null;

/** Load what the content needs to be drawn. @param {Content} content */
export async function prepare({ layers }) {
  if (layers.some(({ x }) => x.length > LEAST_DENSE * DENSE)) dense = await import("./dense.js");
}

export class Plot {
  /** @param {HTMLElement} box @param {Content} content @param {[number, number]} view @param {{width: number, height: number}} size */
  constructor(box, content, view, size) {
    this.box = box;
    this.content = content;
    this.view = view;
    this.colors = readColors(box);
    this.chart = new uPlot(this.writeOptions(size), this.getColumns(), box);
  }

  /** Say what a plot must be made anew for. @param {Content} content */
  static describeShape({ layers, axis, log, timezone }) {
    return JSON.stringify([axis, log, timezone, layers.map(({ kind, color, width }) => [kind, color, width])]);
  }

  /** Draw other content of the same shape. @param {Content} content @param {[number, number]} view */
  update(content, view) {
    this.content = content;
    this.chart.setData(this.getColumns(), false);
    this.show(view);
  }

  /** @param {[number, number]} view */
  show(view) {
    this.view = view;
    this.content.layers.forEach(({ name }, index) => (this.chart.series[index + 2].show = !this.content.hidden.has(name)));
    this.chart.setScale("x", { min: view[0], max: view[1] });
  }

  /** Take the colours of another theme. */
  recolor() {
    this.colors = readColors(this.box);
    this.show(this.view);
  }

  getColumns() {
    return /** @type {any} */ ([null, [[], []], ...this.content.layers.map(({ x, y }) => [x, y])]);
  }

  /** @returns {[number, number]} the values to show */
  measure() {
    const { layers, bands, hidden, log } = this.content;
    const columns = [
      ...layers.filter(({ name }) => !hidden.has(name)).map(({ x, y }) => ({ x, values: y })),
      ...bands.filter(({ name }) => !hidden.has(name)).flatMap(({ x, low, high }) => [{ x, values: low }, { x, values: high }]),
    ];
    const [least, greatest] = measureValues(columns, this.view, log) ?? [log ? 1 : 0, log ? 10 : 1];
    if (log) return least === greatest ? [least / 2, greatest * 2] : [least / 1.1, greatest * 1.1];
    const room = HEADROOM * (greatest - least || Math.abs(greatest) || 1);
    return [least >= 0 && least < room ? 0 : least - room, greatest + room];
  }

  /** @param {{width: number, height: number}} size @returns {any} uPlot's options */
  writeOptions(size) {
    const { layers, axis, log, timezone } = this.content;
    const isTime = axis === "time";
    const shared = { font: FONT, stroke: () => this.colors.soft, ticks: { show: false }, grid: { stroke: () => this.colors.line, width: 1 } };
    return {
      ...size,
      mode: 2,
      pxAlign: 0,
      legend: { show: false },
      cursor: { show: false },
      select: { show: false },
      padding: [16, 20, 0, 0],
      tzDate: (/** @type {number} */ seconds) => uPlot.tzDate(new Date(1000 * seconds), timezone),
      scales: {
        x: { time: isTime, range: () => this.view },
        y: { distr: log ? 3 : 1, range: () => this.measure() },
      },
      axes: [
        {
          ...shared,
          space: isTime ? 80 : 60,
          ...(isTime ? {} : { incrs: WHOLE_STEPS }),
          size: isTime ? 44 : 30,
          grid: { show: false },
          values: (/** @type {any} */ _, /** @type {number[]} */ splits, /** @type {number} */ _index, /** @type {number} */ _space, /** @type {number} */ step) =>
            isTime ? writeTimes(splits, step, timezone) : writeValues(splits, step),
        },
        {
          ...shared,
          space: 40,
          size: (/** @type {any} */ _, /** @type {string[]|null} */ values) => 18 + 7 * Math.max(4, ...(values ?? []).map((value) => (value ?? "").length)),
          ...(log ? {} : { values: (/** @type {any} */ _, /** @type {number[]} */ splits, /** @type {number} */ _index, /** @type {number} */ _space, /** @type {number} */ step) => writeValues(splits, step) }),
        },
      ],
      series: [null, { show: false, auto: false }, ...layers.map((layer, index) => this.writeSeries(layer, index))],
      hooks: {
        drawAxes: [() => drawBands(this.chart, this.content, this.view, this.colors)],
        drawSeries: [(/** @type {any} */ _, /** @type {number} */ series) => this.drawDense(series - 2)],
        draw: [() => drawMarks(this.chart, this.content, this.view, this.colors)],
      },
    };
  }

  /** @param {import("./traces.js").Layer} layer @param {number} index */
  writeSeries({ name, kind = "line", color, width }, index) {
    const color_ = () => this.colors[color];
    const isPoints = kind === "points";
    return {
      auto: false,
      show: !this.content.hidden.has(name),
      stroke: color_,
      width: width ?? (kind === "dashed" ? 1.5 : WIDTH),
      dash: kind === "dashed" ? [6, 4] : undefined,
      paths: (/** @type {uPlot} */ chart, /** @type {number} */ series) => {
        const [first, last] = findVisible(this.content.layers[index].x, this.view);
        return isPoints || last < first || this.isDense(index) ? null : PATHS[kind === "steps" ? "steps" : "line"](chart, series, first, last);
      },
      points: {
        show: false,
        size: isPoints ? 9 : 5,
        width: isPoints ? 1.5 : 0,
        fill: color_,
        stroke: () => (isPoints ? this.colors.card : this.colors[color]),
        filter: () => this.findPoints(index, isPoints),
      },
    };
  }

  /** Whether a line has more values in view than pixels can show. @param {number} index */
  isDense(index) {
    const { x, kind = "line" } = this.content.layers[index];
    const [first, last] = findVisible(x, this.view);
    return dense !== null && kind === "line" && last - first > DENSE * this.chart.bbox.width;
  }

  /** @param {number} index */
  drawDense(index) {
    const layer = this.content.layers[index];
    if (!layer || !this.isDense(index)) return;
    dense?.drawDense(this.chart, layer, findVisible(layer.x, this.view), this.colors[layer.color], devicePixelRatio * (layer.width ?? WIDTH));
  }

  /** Return the indices to draw as points: all of them, or those that no line leads to. @param {number} index @param {boolean} isPoints */
  findPoints(index, isPoints) {
    const { x, y } = this.content.layers[index];
    const [first, last] = findVisible(x, this.view);
    if (last < first || (!isPoints && last - first > MOST_LONE_POINTS)) return null;
    const points = [];
    for (let point = first; point <= last; point++) {
      if (y[point] === null || y[point] === undefined) continue;
      if (isPoints || ((y[point - 1] ?? null) === null && (y[point + 1] ?? null) === null)) points.push(point);
    }
    return points.length ? points : null;
  }

  destroy() {
    this.chart.destroy();
  }
}
