/** Backtest. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class OneBacktestView extends View {
  get heading() {
    return "Backtest";
  }

  render() {
    return html`<h1 tabindex="-1">Backtest</h1>`;
  }
}

customElements.define("gc-one-backtest", OneBacktestView);
