/** What is painted on the canvas beside uPlot's lines: bands behind them, "now" and marks over them. */

import { findVisible } from "./traces.js";

const NAMES = ["actual", "forecast", "earlier", "anomaly", "extra-1", "extra-2", "extra-3", "soft", "line", "card", "ink", "accent"];
const LABEL_FONT = "600 11px system-ui, sans-serif";

/** Read the colours of the theme that is shown. @param {HTMLElement} box @returns {Record<string, string>} */
export function readColors(box) {
  const probe = box.appendChild(document.createElement("span"));
  const colors = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return colors;
}

/** @param {any} chart @param {import("./plot.js").Content} content @param {[number, number]} view @param {Record<string, string>} colors */
export function drawBands(chart, { bands, hidden }, view, colors) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const band of bands) {
    if (hidden.has(band.name)) continue;
    ctx.fillStyle = colors[band.color];
    ctx.globalAlpha = band.strength;
    ctx.fill(traceBand(chart, band, view));
  }
  ctx.restore();
}

/** Return the outline of a band, with a few points a pixel where it is dense. @param {any} chart @param {import("./traces.js").Band} band @param {[number, number]} view */
function traceBand(chart, { x, low, high }, view) {
  const path = new Path2D();
  const [first, last] = findVisible(x, view);
  const stride = Math.max(1, Math.floor((last - first) / (2 * chart.bbox.width)));
  /** @type {[number, number][]} */
  let back = [];
  const close = () => {
    for (const [left, top] of back.reverse()) path.lineTo(left, top);
    path.closePath();
    back = [];
  };
  for (let start = first; start <= last; start += stride) {
    let least = Infinity;
    let greatest = -Infinity;
    for (let index = start; index < start + stride && index <= last; index++) {
      least = Math.min(least, low[index] ?? Infinity);
      greatest = Math.max(greatest, high[index] ?? -Infinity);
    }
    if (least > greatest) {
      if (back.length) close();
      continue;
    }
    const left = chart.valToPos(x[start], "x", true);
    const top = chart.valToPos(greatest, "y", true);
    if (back.length) path.lineTo(left, top);
    else path.moveTo(left, top);
    back.push([left, chart.valToPos(least, "y", true)]);
  }
  if (back.length) close();
  return path;
}

/** @param {any} chart @param {import("./plot.js").Content} content @param {[number, number]} view @param {Record<string, string>} colors */
export function drawMarks(chart, { now, marks }, [from, to], colors) {
  const lines = now === null ? marks : [...marks, { x: now, label: "now" }];
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = LABEL_FONT.replace("11px", `${11 * ratio}px`);
  ctx.fillStyle = ctx.strokeStyle = colors.soft;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.textBaseline = "bottom";
  for (const { x, label } of lines) {
    if (x < from || x > to) continue;
    const left = Math.round(chart.valToPos(x, "x", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
    const half = ctx.measureText(label).width / 2;
    ctx.textAlign = "center";
    ctx.fillText(label, Math.min(Math.max(left, bbox.left + half), bbox.left + bbox.width - half), bbox.top - 2 * ratio);
  }
  ctx.restore();
}
