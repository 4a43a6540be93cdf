/** Backtests. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class BacktestListView extends View {
  get heading() {
    return "Backtests";
  }

  render() {
    return html`<h1 tabindex="-1">Backtests</h1>`;
  }
}

customElements.define("gc-backtest-list", BacktestListView);
