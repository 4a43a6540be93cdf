/** What follows the hand over a plot: a line at the selected x with a dot on each layer, and the part that is being picked. */

import { getAt } from "./traces.js";

/** @param {HTMLElement} area @param {string} name */
function add(area, name) {
  const element = document.createElement("div");
  element.className = name;
  element.hidden = true;
  return area.appendChild(element);
}

export class Pointer {
  /** @param {HTMLElement} area */
  constructor(area) {
    this.area = area;
    this.line = add(area, "cross");
    this.part = add(area, "picked");
    /** @type {HTMLElement[]} */
    this.dots = [];
  }

  /** @param {import("./plot.js").Plot} plot @param {number|null} x */
  show({ chart, content, view, colors }, x) {
    const isShown = x !== null && x >= view[0] && x <= view[1];
    this.line.hidden = !isShown;
    this.dots.forEach((dot) => (dot.hidden = true));
    if (!isShown) return;
    const left = chart.valToPos(x, "x");
    this.line.style.transform = `translateX(${left}px)`;
    const layers = content.layers.filter(({ name }) => !content.hidden.has(name));
    layers.forEach((layer, index) => {
      const value = getAt(layer.x, layer.y, x);
      if (value === null || value === undefined) return;
      const dot = (this.dots[index] ??= add(this.area, "dot"));
      dot.hidden = false;
      dot.style.background = colors[layer.color];
      dot.style.transform = `translate(${left}px, ${chart.valToPos(value, "y")}px)`;
    });
  }

  /** @param {import("./plot.js").Plot} plot @param {number|null} from @param {number} to */
  pick({ chart }, from, to) {
    this.part.hidden = from === null;
    if (from === null) return;
    const start = chart.valToPos(Math.min(from, to), "x");
    this.part.style.transform = `translateX(${start}px)`;
    this.part.style.width = `${chart.valToPos(Math.max(from, to), "x") - start}px`;
  }
}
