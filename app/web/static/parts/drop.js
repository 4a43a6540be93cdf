/** Files dragged onto a view, wherever on the page they are dropped. */

/** Files on their way to the view that imports them. @type {File[]} */
let waiting = [];

/** Keep files for the view that is opened next. @param {File[]} files */
export function handOver(files) {
  waiting = [...files];
}

/** @returns {File[]} what was handed over, once */
export function takeOver() {
  const files = waiting;
  waiting = [];
  return files;
}

/** Listens while its host is on the page; `isOver` is true while files are held above it. */
export class DropTarget {
  /** @param {import("../vendor/lit.js").LitElement} host @param {(files: File[]) => void} take */
  constructor(host, take) {
    this.host = host;
    this.take = take;
    this.isOver = false;
    this.depth = 0;
    /** @type {[string, (event: any) => void][]} */
    this.listeners = [
      ["dragenter", (event) => this.count(event, 1)],
      ["dragleave", (event) => this.count(event, -1)],
      ["dragover", (event) => hasFiles(event) && event.preventDefault()],
      ["drop", (event) => this.drop(event)],
    ];
    host.addController(this);
  }

  hostConnected() {
    for (const [name, listener] of this.listeners) addEventListener(name, listener);
  }

  hostDisconnected() {
    for (const [name, listener] of this.listeners) removeEventListener(name, listener);
  }

  /** @param {DragEvent} event @param {number} step */
  count(event, step) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    this.depth = Math.max(0, this.depth + step);
    this.show(this.depth > 0);
  }

  /** @param {DragEvent} event */
  drop(event) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    this.depth = 0;
    this.show(false);
    this.take([...(event.dataTransfer?.files ?? [])]);
  }

  /** @param {boolean} isOver */
  show(isOver) {
    if (isOver === this.isOver) return;
    this.isOver = isOver;
    this.host.requestUpdate();
  }
}

/** @param {DragEvent} event */
const hasFiles = (event) => Boolean(event.dataTransfer?.types.includes("Files"));
