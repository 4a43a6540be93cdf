/**
 * What a chart draws, and questions about it.
 *
 * @typedef {"actual"|"forecast"|"earlier"|"anomaly"|"extra-1"|"extra-2"|"extra-3"} Color a custom property of the style
 *
 * @typedef {object} Layer a line or points; x ascends, and is seconds since 1970 or plain numbers
 * @property {string} name
 * @property {number[]} x
 * @property {(number|null)[]} y
 * @property {"line"|"dashed"|"points"|"steps"} [kind]
 * @property {Color} color
 * @property {number} [width]
 * @property {boolean} [hidden] until a person asks for it in the legend
 *
 * @typedef {object} Band an area between two lines, behind the layers
 * @property {string} name bands of one name are one item of the legend
 * @property {number[]} x
 * @property {(number|null)[]} low
 * @property {(number|null)[]} high
 * @property {Color} color
 * @property {number} strength 0..1: how opaque
 * @property {boolean} [hidden]
 *
 * @typedef {{x: number, label: string}} Mark
 */

/** Return the first index whose x is not below `x`. @param {ArrayLike<number>} xs @param {number} x */
export function findFirst(xs, x) {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the first index whose x is above `x`. @param {ArrayLike<number>} xs @param {number} x */
export function findAfter(xs, x) {
  const first = findFirst(xs, x);
  return xs[first] === x ? first + 1 : first;
}

/** Return the index whose x is nearest, -1 where there is none. @param {ArrayLike<number>} xs @param {number} x */
export function findNearest(xs, x) {
  const after = findFirst(xs, x);
  if (after === xs.length) return xs.length - 1;
  if (after === 0) return 0;
  return x - xs[after - 1] <= xs[after] - x ? after - 1 : after;
}

/** Return the value at exactly this x. @param {number[]} xs @param {(number|null)[]} ys @param {number} x */
export function getAt(xs, ys, x) {
  const index = findFirst(xs, x);
  return xs[index] === x ? ys[index] : undefined;
}

/**
 * Return the first and last index to draw for a view: what is in it, and a neighbour at each side that lines lead to.
 * @param {ArrayLike<number>} xs @param {[number, number]} view @returns {[number, number]}
 */
export function findVisible(xs, [from, to]) {
  const first = Math.max(0, findFirst(xs, from) - 1);
  let last = findFirst(xs, to);
  if (last === xs.length) last -= 1;
  return [first, last];
}

/** Return all x of some traces from `from` to `to`, ascending, each once. @param {{x: number[]}[]} traces @param {[number, number]} view */
export function joinX(traces, [from, to]) {
  const distinct = [...new Set(traces.map(({ x }) => x))];
  const parts = distinct.map((xs) => xs.slice(findFirst(xs, from), findAfter(xs, to)));
  if (parts.length === 1) return parts[0];
  return [...new Set(parts.flatMap((part) => [...part]))].sort((one, other) => one - other);
}

/** Return the least and greatest x of everything. @param {{x: number[]}[]} traces @param {number[]} others @returns {[number, number]|null} */
export function measureExtent(traces, others) {
  const ends = traces.flatMap(({ x }) => (x.length ? [x[0], x[x.length - 1]] : []));
  if (!ends.length) return null;
  const least = Math.min(...ends, ...others);
  const greatest = Math.max(...ends, ...others);
  return least < greatest ? [least, greatest] : [least - 1, greatest + 1];
}

/**
 * Return the least and greatest value in a view, null where there is none.
 * @param {{x: number[], values: (number|null)[]}[]} columns @param {[number, number]} view @param {boolean} positive whether only values above zero count
 * @returns {[number, number]|null}
 */
export function measureValues(columns, view, positive) {
  let least = Infinity;
  let greatest = -Infinity;
  for (const { x, values } of columns) {
    const [first, last] = findVisible(x, view);
    for (let index = first; index <= last; index++) {
      const value = values[index];
      if (value === null || value === undefined || (positive && value <= 0)) continue;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
  }
  return least <= greatest ? [least, greatest] : null;
}
