// Runs before the first paint, so that the chosen theme does not flash; the shell's button sets it.
const chosen = localStorage.getItem("gatecast-theme");
if (chosen) document.documentElement.dataset.theme = chosen;
