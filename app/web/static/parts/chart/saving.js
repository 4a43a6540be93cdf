/** A chart as a file: its rows as CSV, its picture as PNG. */

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}

/** @param {string} label */
const nameFile = (label) => label.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 80) || "chart";

/** Return a writer of times in ISO 8601 with the offset of the timezone. @param {string} timezone @returns {(seconds: number) => string} */
export function makeStampWriter(timezone) {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" });
  return (seconds) => {
    const local = format.format(1000 * seconds).replace(" ", "T");
    const minutes = Math.round((Date.parse(`${local}Z`) / 1000 - seconds) / 60);
    const size = Math.abs(minutes);
    const offset = `${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
    return `${local}${minutes < 0 ? "-" : "+"}${offset}`;
  };
}

/** @param {string} text */
const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** @param {string} label @param {import("./table.js").Rows} rows @param {string} xName @param {(x: number) => string} writeX */
export function saveCsv(label, rows, xName, writeX) {
  const lines = [[xName, ...rows.names].map(quote).join(",")];
  rows.x.forEach((x, index) => lines.push([writeX(x), ...rows.columns.map((column) => column[index] ?? "")].join(",")));
  download(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }), `${nameFile(label)}.csv`);
}

/** @param {string} label @param {import("./plot.js").Plot} plot @param {{name: string, color: string}[]} legend */
export function savePng(label, { chart, colors }, legend) {
  const source = chart.ctx.canvas;
  const ratio = devicePixelRatio;
  const head = 56 * ratio;
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height + head;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = colors.card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colors.ink;
  context.font = `600 ${15 * ratio}px system-ui, sans-serif`;
  context.fillText(label, 12 * ratio, 22 * ratio);
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  let left = 12 * ratio;
  for (const { name, color } of legend) {
    context.fillStyle = colors[color];
    context.fillRect(left, 36 * ratio, 14 * ratio, 4 * ratio);
    context.fillStyle = colors.soft;
    context.fillText(name, left + 20 * ratio, 42 * ratio);
    left += 36 * ratio + context.measureText(name).width;
  }
  context.drawImage(source, 0, head);
  canvas.toBlob((blob) => blob && download(blob, `${nameFile(label)}.png`), "image/png");
}
