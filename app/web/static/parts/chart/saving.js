/** A chart as a file: its rows as CSV, its picture as PNG. */

/** Of pictures, in pixels of the style: the title's height, a line of the legend, its keys, the edge. */
const HEAD = 34;
const LINE = 18;
const KEY = 20;
const EDGE = 12;
const FACE = "system-ui, sans-serif";

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
function makeStampWriter(timezone) {
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

/** Save rows as CSV. @param {string} label @param {import("./table.js").Rows} rows @param {string|null} timezone null: x is no time */
export function saveRows(label, rows, timezone) {
  const writeX = timezone ? makeStampWriter(timezone) : String;
  const lines = [[timezone ? "ds" : "x", ...rows.names].map(quote).join(",")];
  rows.x.forEach((x, index) => lines.push([writeX(x), ...rows.columns.map((column) => column[index] ?? "")].join(",")));
  download(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }), `${nameFile(label)}.csv`);
}

/** @param {string} label @param {import("./plot.js").Plot} plot @param {{name: string, color: string}[]} legend */
export function savePng(label, { chart, colors }, legend) {
  const source = chart.ctx.canvas;
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const width = source.width / devicePixelRatio;
  const places = placeLegend(context, legend, width);
  const head = HEAD + LINE * (1 + (places.at(-1)?.line ?? 0));
  canvas.width = source.width;
  canvas.height = source.height + head * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  context.fillStyle = colors.card;
  context.fillRect(0, 0, width, canvas.height);
  context.fillStyle = colors.ink;
  context.font = `600 15px ${FACE}`;
  context.fillText(label, EDGE, 22);
  context.font = `12px ${FACE}`;
  for (const { name, color, left, line } of places) {
    const top = HEAD + line * LINE;
    context.fillStyle = colors[color];
    context.fillRect(left, top + 3, 14, 4);
    context.fillStyle = colors.soft;
    context.fillText(name, left + KEY, top + 9);
  }
  context.drawImage(source, 0, head, width, source.height / devicePixelRatio);
  canvas.toBlob((blob) => blob && download(blob, `${nameFile(label)}.png`), "image/png");
}

/** Put the items of a legend in lines. @param {CanvasRenderingContext2D} context @param {{name: string, color: string}[]} legend @param {number} width */
function placeLegend(context, legend, width) {
  let left = EDGE;
  let line = 0;
  context.font = `12px ${FACE}`;
  return legend.map((item) => {
    const needed = KEY + context.measureText(item.name).width;
    if (left > EDGE && left + needed > width) {
      left = EDGE;
      line += 1;
    }
    const place = { ...item, left, line };
    left += needed + EDGE;
    return place;
  });
}
