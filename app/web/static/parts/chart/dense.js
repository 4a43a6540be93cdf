/**
 * Lines of more values than pixels: a bar from least to greatest in each column. To stroke the zigzag that joins them all
 * takes a browser without a graphics card a tenth of a second.
 */

/**
 * @param {any} chart @param {import("./traces.js").Layer} layer @param {[number, number]} range first and last index in view
 * @param {string} color @param {number} width of a line, in pixels of the canvas
 */
export function drawDense(chart, { x, y }, [first, last], color, width) {
  const { ctx, bbox } = chart;
  const { low, high } = measureColumns(chart, x, y, first, last);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = color;
  let [upper, lower] = [NaN, NaN];
  for (let column = 0; column < low.length; column++) {
    if (low[column] > high[column]) {
      upper = lower = NaN;
      continue;
    }
    const top = chart.valToPos(high[column], "y", true);
    const bottom = chart.valToPos(low[column], "y", true);
    // each bar reaches the one before it, as the line between them does
    const from = top > lower ? lower : top;
    const to = bottom < upper ? upper : bottom;
    ctx.fillRect(bbox.left + column, Math.round(from - width / 2), 1, Math.max(1, Math.round(to - from + width)));
    [upper, lower] = [top, bottom];
  }
  ctx.restore();
}

/**
 * Return the least and greatest value of each column of pixels; least above greatest where it has none.
 * @param {any} chart @param {ArrayLike<number>} x @param {ArrayLike<number|null>} y @param {number} first @param {number} last
 */
function measureColumns(chart, x, y, first, last) {
  const { bbox, scales } = chart;
  const count = Math.ceil(bbox.width);
  const low = new Float64Array(count).fill(Infinity);
  const high = new Float64Array(count).fill(-Infinity);
  const perPixel = bbox.width / (scales.x.max - scales.x.min);
  for (let index = first; index <= last; index++) {
    const value = y[index];
    const column = Math.floor((x[index] - scales.x.min) * perPixel);
    if (value === null || value === undefined || column < 0 || column >= count) continue;
    if (value < low[column]) low[column] = value;
    if (value > high[column]) high[column] = value;
  }
  return { low, high };
}
