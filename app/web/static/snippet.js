/** Requests as text that a person can run elsewhere. */

import { address } from "./api.js";

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Record<string, unknown>} [query]
 * @property {unknown} [body]
 */

/** @param {string} text */
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Write a request as a command of curl; the key stays in the environment. @param {Request} request @param {boolean} withKey */
export function writeCurl({ method, path, query, body }, withKey) {
  const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}${quote(address(path, query))}`];
  if (withKey) lines.push('-H "Authorization: Bearer $GATECAST_KEY"');
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quote(JSON.stringify(body))}`);
  return lines.join(" \\\n  ");
}

/** Write a request in Python. @param {Request} request @param {boolean} withKey */
export function writePython({ method, path, query, body }, withKey) {
  const options = [];
  if (withKey) options.push('headers={"Authorization": f"Bearer {os.environ[\'GATECAST_KEY\']}"}');
  if (body !== undefined) options.push(`json=${writeLiteral(body)}`);
  const head = withKey ? "import os\n\nimport httpx2\n\n" : "import httpx2\n\n";
  const inner = [JSON.stringify(address(path, query)), ...options, "timeout=60"].map((one) => `    ${one},\n`).join("");
  return `${head}answer = httpx2.${method.toLowerCase()}(\n${inner})\nanswer.raise_for_status()\nprint(answer.json())`;
}

/** @param {any} value @returns {string} the value as Python writes it */
function writeLiteral(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(writeLiteral).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${writeLiteral(one)}`);
  return `{${pairs.join(", ")}}`;
}
