/** The options of a training as the API's own document describes them, so that a new one appears by itself. */

import { get } from "../../api.js";

/**
 * @typedef {object} Field
 * @property {string[]} path in the body
 * @property {string} label
 * @property {string} help
 * @property {"choice"|"switch"|"number"|"text"|"list"|"map"|"json"|"group"} kind
 * @property {string[]} choices of a choice
 * @property {boolean} hasNumbers of a list
 * @property {string} byItself what holds where it is left out; empty: the service chooses
 * @property {string} example
 * @property {Field[]} fields of a group
 */

/** What the form has fields of its own for. */
const ELSEWHERE = new Set(["model", "series", "horizon", "covariates"]);
/** How the job runs rather than what it makes. */
const LAST = new Set(["priority", "timeout_s", "queue", "labels"]);

/** @type {Promise<Field[]>|null} */
let loaded = null;

/** @returns {Promise<Field[]>} */
export function loadFields() {
  loaded ??= get("openapi.json").then((document) => {
    const { schemas } = document.components;
    const { properties } = schemas.TrainIn;
    return Object.entries(properties)
      .filter(([name]) => !ELSEWHERE.has(name))
      .map(([name, schema]) => readField([name], schema, schemas))
      .sort((a, b) => rank(a) - rank(b));
  });
  loaded.catch(() => (loaded = null));
  return loaded;
}

/** @param {Field} field */
const rank = ({ path, kind }) => (kind === "group" ? 2 : Number(LAST.has(path[0])));

/** @param {string[]} path @param {any} outer @param {Record<string, any>} schemas @returns {Field} */
function readField(path, outer, schemas) {
  const schema = resolve(outer, schemas);
  const kind = findKind(schema);
  const name = path[path.length - 1];
  const example = outer.examples?.[0] ?? schema.examples?.[0];
  return {
    path,
    label: sayName(name),
    help: outer.description ?? schema.description ?? "",
    kind,
    choices: (schema.enum ?? []).map(String),
    hasNumbers: ["number", "integer"].includes(schema.items?.type),
    byItself: outer.default === undefined || outer.default === null ? "" : String(outer.default),
    example: example === undefined ? "" : writeValue(kind, example),
    fields: kind === "group" ? Object.entries(schema.properties).map(([inner, one]) => readField([...path, inner], one, schemas)) : [],
  };
}

/** Follow references, and leave out null. @param {any} schema @param {Record<string, any>} schemas @returns {any} */
function resolve(schema, schemas) {
  if (schema.$ref) return resolve(schemas[schema.$ref.split("/").pop()], schemas);
  const options = schema.anyOf?.filter((/** @type {any} */ one) => one.type !== "null");
  return options?.length === 1 ? resolve(options[0], schemas) : schema;
}

/** @param {any} schema @returns {Field["kind"]} */
function findKind(schema) {
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "switch";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.type === "array") return "list";
  if (schema.properties) return "group";
  if (schema.additionalProperties?.type === "string") return "map";
  return schema.type === "object" ? "json" : "text";
}

/** @param {string} name such as `timeout_s` */
function sayName(name) {
  const words = name.replace(/_s$/, " (seconds)").replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

/** Write a value as a field shows it. @param {Field["kind"]} kind @param {any} value @returns {string} */
export function writeValue(kind, value) {
  if (value === undefined || value === null) return "";
  if (kind === "list") return value.join(", ");
  if (kind === "map") return Object.entries(value).map((pair) => pair.join(":")).join(", ");
  return kind === "json" ? JSON.stringify(value) : String(value);
}

/** Read what a person gave; undefined where nothing was. Throws Error with what is expected. @param {Field} field @param {string} text @returns {unknown} */
export function readValue({ kind, hasNumbers, example }, text) {
  if (!text.trim()) return undefined;
  if (kind === "switch") return text === "true";
  if (kind === "number") return readNumber(text);
  if (kind === "list") return split(text).map((one) => (hasNumbers ? readNumber(one) : one));
  if (kind === "map") return Object.fromEntries(split(text).map(readPair));
  if (kind !== "json") return text.trim();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`This is JSON, such as ${example || "{}"}.`);
  }
}

/** @param {string} text */
const split = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

/** @param {string} text */
function readNumber(text) {
  const number = Number(text);
  if (Number.isNaN(number)) throw new Error(`“${text}” is no number; decimals stand behind a point.`);
  return number;
}

/** @param {string} text @returns {[string, string]} */
function readPair(text) {
  const colon = text.indexOf(":");
  if (colon < 1) throw new Error("Write key:value, and a comma before the next one.");
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}
