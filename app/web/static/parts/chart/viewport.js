/** Which part of the x axis is in view. */

const ZOOM_MARGIN = 1e-9;

export class Viewport {
  /** @param {(isFinal: boolean) => void} changed called after each move by a person */
  constructor(changed) {
    this.changed = changed;
    /** @type {[number, number]} everything that there is */
    this.extent = [0, 1];
    /** @type {[number, number]} what is in view */
    this.view = [0, 1];
    /** the narrowest view */
    this.least = 0;
  }

  get width() {
    return this.view[1] - this.view[0];
  }

  get isAll() {
    return this.width >= (this.extent[1] - this.extent[0]) * (1 - ZOOM_MARGIN);
  }

  /** Take the extent of new data. @param {[number, number]} extent @param {number} least @param {[number, number]|null} range what to show, null: all */
  set(extent, least, range) {
    this.extent = extent;
    this.least = least;
    this.view = range ? this.clamp(range[0], range[1]) : extent;
  }

  /** @param {number} from @param {number} to @returns {[number, number]} */
  clamp(from, to) {
    const [start, end] = this.extent;
    const width = Math.min(Math.max(to - from, this.least), end - start);
    const middle = (from + to) / 2;
    const first = Math.min(Math.max(middle - width / 2, start), end - width);
    return [first, first + width];
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    this.view = this.clamp(from, to);
    this.changed(false);
  }

  showAll() {
    this.view = this.extent;
    this.changed(true);
  }

  /** Zoom so that `x` stays where it is. @param {number} factor above 1: wider @param {number} [x] */
  zoom(factor, x = (this.view[0] + this.view[1]) / 2) {
    const width = Math.min(Math.max(this.width * factor, this.least), this.extent[1] - this.extent[0]);
    const share = (x - this.view[0]) / this.width;
    this.show(x - share * width, x + (1 - share) * width);
  }

  /** @param {number} parts of the width */
  pan(parts) {
    const distance = parts * this.width;
    this.show(this.view[0] + distance, this.view[1] + distance);
  }
}
