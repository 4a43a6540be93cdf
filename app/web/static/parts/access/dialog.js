/** A question that takes more than yes or no: a dialog that draws itself anew as it changes. */

import { render } from "../../vendor/lit.js";

/**
 * @typedef {object} Control
 * @property {(answer: string) => void} close end the dialog with an answer
 * @property {() => void} redraw
 */

/**
 * Show a dialog; resolves to what it was closed with, to "" where a person left it. It stands beside the view, so that it stays
 * whatever becomes of that. @param {string} title @param {(control: Control) => unknown} draw @param {boolean} [isKept] whether Escape does not close it
 * @returns {Promise<string>}
 */
export function showDialog(title, draw, isKept = false) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", title);
  const control = {
    close: (/** @type {string} */ answer) => dialog.close(answer),
    redraw: () => render(draw(control), dialog),
  };
  control.redraw();
  document.body.append(dialog);
  if (isKept) dialog.addEventListener("cancel", (event) => event.preventDefault());
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.showModal();
  });
}
