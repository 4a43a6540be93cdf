/**
 * What hands do on a chart: drag moves, shift and drag picks a part, wheel and pinch zoom, a double click shows all; and keys.
 *
 * @typedef {object} Pointed who is told where a person points
 * @property {(x: number|null) => void} point a hand is over x, or has left
 * @property {(from: number|null, to: number) => void} pick a part is being picked, in x; null: no more
 * @property {(steps: number) => void} step the selected point is to move
 */

const ZOOM = 1.2;
const PAN_PARTS = 0.2;
const LEAST_PICK_PIXELS = 6;

/**
 * Listen to the area of a plot. @param {HTMLElement} area @param {import("./viewport.js").Viewport} viewport @param {Pointed} pointed
 * @returns {() => void} stops listening
 */
export function listen(area, viewport, pointed) {
  /** @type {Map<number, number>} the x in pixels of each finger or button that is down */
  const down = new Map();
  /** @type {number|null} where picking began, in x */
  let picked = null;
  const box = () => area.getBoundingClientRect();
  /** @param {number} clientX */
  const toX = (clientX) => viewport.view[0] + ((clientX - box().left) / box().width) * viewport.width;
  const signal = new AbortController();
  /** @param {string} name @param {(event: any) => void} handle @param {boolean} [passive] */
  const on = (name, handle, passive = true) => area.addEventListener(name, handle, { signal: signal.signal, passive });

  on("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    area.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event.clientX);
    picked = event.shiftKey ? toX(event.clientX) : null;
  });
  on("pointermove", (/** @type {PointerEvent} */ event) => {
    const before = down.get(event.pointerId);
    if (before === undefined) return pointed.point(toX(event.clientX));
    if (picked !== null) return pointed.pick(picked, toX(event.clientX));
    if (down.size === 2) pinch(event);
    else if (event.clientX !== before) viewport.pan((before - event.clientX) / box().width);
    down.set(event.pointerId, event.clientX);
  });
  /** @param {PointerEvent} event */
  const lift = (event) => {
    if (picked !== null) {
      const end = toX(event.clientX);
      const least = (LEAST_PICK_PIXELS / box().width) * viewport.width;
      if (Math.abs(end - picked) > least) viewport.show(Math.min(picked, end), Math.max(picked, end));
      pointed.pick(null, 0);
    }
    picked = null;
    down.delete(event.pointerId);
  };
  on("pointerup", lift);
  on("pointercancel", lift);
  on("pointerleave", () => pointed.point(null));
  on("dblclick", () => viewport.showAll());
  on("wheel", (/** @type {WheelEvent} */ event) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (viewport.isAll && (sideways || event.deltaY > 0)) return;
    event.preventDefault();
    if (sideways) viewport.pan((event.deltaX || event.deltaY) / box().width);
    else viewport.zoom(Math.min(2, Math.max(0.5, ZOOM ** (event.deltaY / 100))), toX(event.clientX));
  }, false);

  /** @param {PointerEvent} event */
  function pinch(event) {
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1] ?? 0;
    const before = Math.abs((down.get(event.pointerId) ?? 0) - other);
    const after = Math.abs(event.clientX - other);
    if (before > 0 && after > 0) viewport.zoom(before / after, toX((event.clientX + other) / 2));
  }

  return () => signal.abort();
}

/**
 * Do what a key says, and return whether it said anything.
 * @param {KeyboardEvent} event @param {import("./viewport.js").Viewport} viewport @param {Pointed} pointed
 */
export function press(event, viewport, pointed) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const direction = event.key === "ArrowLeft" ? -1 : 1;
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    if (event.shiftKey) pointed.step(direction);
    else viewport.pan(direction * PAN_PARTS);
  } else if (event.key === "+" || event.key === "=") viewport.zoom(1 / ZOOM ** 2);
  else if (event.key === "-" || event.key === "_") viewport.zoom(ZOOM ** 2);
  else if (event.key === "0") viewport.showAll();
  else return false;
  return true;
}
