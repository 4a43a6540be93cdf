/** Looking again every few seconds, while the tab is visible and there is something to wait for. */

const PAUSE = 3000;

export class Ticker {
  /** @param {import("./vendor/lit.js").LitElement} host @param {() => unknown} look @param {number} [pause] milliseconds */
  constructor(host, look, pause = PAUSE) {
    this.look = look;
    this.pause = pause;
    /** whether anything may change by itself */
    this.isWanted = false;
    this.timer = 0;
    host.addController(this);
  }

  hostConnected() {
    this.timer = setInterval(() => {
      if (this.isWanted && !document.hidden) this.look();
    }, this.pause);
  }

  hostDisconnected() {
    clearInterval(this.timer);
  }
}
